"""The tests. A package, so that shared helpers are imported as `tests.NAME`."""
