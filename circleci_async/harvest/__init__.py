"""Harvests: every artifact that is asked for, once, whole, and never lost.

`finding` walks pipelines, workflows, jobs and lists of artifacts, and writes what it finds into the `ledger`, an SQLite
file in the destination. `fetching` takes it from there. `run` conducts the two.
"""
