"""Waiting for pipelines and workflows, and watching them on the way.

A look asks the API how something stands; an observation looks again and again, for all who wait for the same thing; a
verdict says, of what was seen, whether it is the end.
"""
