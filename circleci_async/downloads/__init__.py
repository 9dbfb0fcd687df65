"""Artifacts on disk: one file (`download`), many (`report`), and the newest ones that succeeded (`latest`)."""
