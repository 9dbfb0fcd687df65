"""Thin classes, one module per API group: a method is a signature, a docstring and one statement."""
