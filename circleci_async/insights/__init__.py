"""Insights of many projects at once."""
