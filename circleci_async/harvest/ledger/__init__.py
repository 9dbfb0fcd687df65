"""The ledger of a harvest: an SQLite file that records which artifacts are known, pending and downloaded.

`LedgerWriter` runs all work on the file in one thread. `Catalog` records what discovery finds, `IncompleteListings` the
API lists to read again, and `LedgerQueue` hands out the pending artifacts.
"""
