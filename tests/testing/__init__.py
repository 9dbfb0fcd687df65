"""Tests of the embedded CircleCI, with bare aiohttp clients."""
