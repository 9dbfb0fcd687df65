"""Folders of this machine for the ledger and the partial files of a harvest into a bucket."""

import hashlib
import os
from pathlib import Path


def working_folder(location: str) -> Path:
    """Return the folder for the harvests into a bucket, in the user's cache folder. It may not exist yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "circleci-async" / "harvest" / hashlib.sha256(location.encode()).hexdigest()[:20]
