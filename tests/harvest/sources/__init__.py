"""Tests of the sources of a harvest."""
