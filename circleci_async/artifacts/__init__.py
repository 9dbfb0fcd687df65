"""Artifacts, safely on disk: one file (`download`), many (`report`), and the group of calls that offers both."""
