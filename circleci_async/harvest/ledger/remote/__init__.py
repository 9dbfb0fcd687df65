"""The ledger of a harvest into a bucket, stored below `.harvest/`.

`ledger.json`, the manifest, names a snapshot (`snapshots/`) and the first of the numbered segments (`segments/`) that
contain the changes since. `lease.json` names the process that may write. `RemoteLedger` is what a harvest uses,
`fetch_to_read` is for all others.
"""
