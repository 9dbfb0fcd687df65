"""The tests; a package, so that what they share is imported as `tests.NAME` whatever else is installed."""
