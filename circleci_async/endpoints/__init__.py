"""Thin classes, one module per group of the API: a method is a signature, its documentation and one statement."""
