"""Downloading artifacts: one, many, as a stream, or the latest."""
