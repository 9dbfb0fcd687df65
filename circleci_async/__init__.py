"""An async Python SDK for CircleCI."""

__version__ = "0.1.0"
