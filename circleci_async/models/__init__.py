"""Frozen classes for the API's responses: one module per API group, imported on first use."""
