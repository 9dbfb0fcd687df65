"""Waiting for pipelines and workflows, and watching them change: one poll for all who wait for the same thing."""
