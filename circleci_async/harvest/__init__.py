"""Harvests: downloads every selected artifact of one or more projects, once, and resumes after any interruption.

`run` composes the parts: `discovery` records artifacts in the `ledger`, an SQLite file in the destination, `fetcher`
downloads them from there, `placement` gives them their names, and `report` reads the ledger.
"""
