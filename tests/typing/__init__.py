"""Code of callers, for type checkers."""
