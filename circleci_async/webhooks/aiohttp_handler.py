"""The webhook handler for aiohttp.web."""
