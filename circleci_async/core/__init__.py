"""The core: one call is request, retry, limiter, transport and codec, composed in `session`."""
