"""Compare this SDK with the same work written by hand on bare aiohttp."""
