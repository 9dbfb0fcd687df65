"""Tests of the endpoint methods and their requests."""
