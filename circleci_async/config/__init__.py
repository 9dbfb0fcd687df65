"""Settings of a client: token, host and the origins that the token may be sent to."""
