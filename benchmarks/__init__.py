"""What this SDK costs, against the same work written by hand on bare aiohttp."""
