"""The working folder of a harvest into a bucket: partial files, and the working copy of the ledger."""

import hashlib
import os
import sys
from pathlib import Path

from ...errors import ConfigurationError


def working_folder(location: str) -> Path:
    """Return the working folder for a bucket, such as `s3://ci-archive/acme`. Does not create it.

    Raises `ConfigurationError` if the user has no folder for caches.
    """
    name = hashlib.sha256(location.encode("utf-8", "surrogatepass")).hexdigest()[:20]
    return _cache() / "circleci-async" / "harvest" / name


def _cache() -> Path:
    """Return the folder for caches of this user."""
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if xdg.is_absolute():  # the XDG specification ignores relative paths
        return xdg
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local)
    home: Path | None
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home, as in some containers
        home = None
    if home is None:
        raise ConfigurationError("no folder for the working copy of the ledger: set XDG_CACHE_HOME, or HOME")
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache")
