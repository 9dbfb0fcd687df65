"""What `into` names: a folder, or a bucket with a local folder for its ledger."""

import os
import re
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote, urlsplit

from attrs import define

from ...core.arguments import local_path
from ...errors import InvalidArgument
from .bucket import Bucket
from .scratch import working_folder
from .stores import SCHEMES, bucket_of, open_bucket

if TYPE_CHECKING:
    from obstore.store import ObjectStore


HarvestDestination: TypeAlias = "str | os.PathLike[str] | ObjectStore"
"""A folder, the URL of a folder or bucket, such as `s3://ci-archive/acme`, or a store of obstore."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)(?::/|(?<=memory):)")  # not `C:/`, a drive


@define(eq=False)
class Place:
    """Where the files of a harvest are, and the folder of its ledger.

    `bucket`: None for a folder, which is `folder` then. `ledger`: the folder of the ledger on this machine, and of the
    partial files of a bucket. `is_local`: whether the ledger is there, and not in the bucket.
    """

    location: str
    """What people know it as: a path or a URL."""
    ledger: Path
    is_local: bool = True
    folder: Path | None = None
    bucket: Bucket | None = None

    def __str__(self) -> str:
        return self.location

    def path(self, target: str) -> Path:
        """Return the path of a file; for a bucket, relative to it."""
        return (self.folder or Path()).joinpath(*target.split("/"))

    def location_of(self, target: str) -> str:
        """Return the path of a file, or its URL in a bucket."""
        return str(self.path(target)) if self.folder is not None else f"{self.location}/{target}"

    def make_temporary(self) -> None:
        """Use a new folder for the ledger, which is deleted together with this object."""
        self.ledger = Path(tempfile.mkdtemp(prefix="circleci-async-harvest-"))
        weakref.finalize(self, shutil.rmtree, self.ledger, ignore_errors=True)


def resolve(into: HarvestDestination, ledger: str | os.PathLike[str] | None = None, *, name: str = "into") -> Place:
    """Return the place that an argument names. Sends no request, and creates only temporary folders.

    Raises `InvalidArgument` that names the argument, and `ConfigurationError` if the extra `store` is missing.
    """
    kept = None if ledger is None else local_path("ledger", ledger)
    folder, bucket = folder_or_bucket(into, name)
    if bucket is None:
        path = folder or Path()
        return Place(str(path), path if kept is None else kept, folder=path)
    if kept is not None:
        return Place(bucket.location, kept, bucket=bucket)
    place = Place(bucket.location, working_folder(bucket.location), is_local=False, bucket=bucket)
    if bucket.location.startswith("memory:"):  # lasts as long as the process
        place.make_temporary()
    return place


def folder_or_url(name: str, into: str | os.PathLike[str]) -> Path | str:
    """Return the folder, or the URL of the bucket, that an argument names. Raises `InvalidArgument`."""
    text = os.fsdecode(into)
    match = _SCHEME.match(text)
    if match is None:
        return local_path(name, into)
    if isinstance(into, os.PathLike):
        raise InvalidArgument(f"{name} must be a string if it is a URL: a Path changes it, got {into!r}")
    scheme = match[1].lower()
    if scheme == "file":
        return local_path(name, _path_of(name, text))
    if scheme not in SCHEMES:
        known = ", ".join(f"{each}://" for each in SCHEMES)
        raise InvalidArgument(f"{name} must be a folder, or a URL that begins with file://, {known}, got {text!r}")
    return text


def folder_or_bucket(into: HarvestDestination, name: str) -> tuple[Path | None, Bucket | None]:
    """Return the folder or the bucket that an argument names, as `resolve` does."""
    if not isinstance(into, str | os.PathLike):
        return bucket_of(name, into)
    found = folder_or_url(name, into)
    return (found, None) if isinstance(found, Path) else (None, open_bucket(name, found))


def _path_of(name: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise InvalidArgument(f"{name} must be a URL such as 'file:///path/of/folder', got {url!r}")
    return unquote(parts.path)
