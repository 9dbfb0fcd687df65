"""The answers of a report: pure functions of its tables."""
