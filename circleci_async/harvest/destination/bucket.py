"""A bucket, or a prefix in one: the only module that imports obstore. Blocking work, allowed in any thread.

obstore's async functions abort the interpreter if it shuts down while one of them ends. Its synchronous ones in threads
do not, and release the lock of the interpreter while they wait.
"""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from ...errors import ConfigurationError, InvalidArgument, StoreError

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

PART_SIZE: Final = 8 * 1024 * 1024
"""Bytes of a part of a multipart upload; smaller objects are sent in one request."""

MAX_UPLOADS: Final = 4
"""Parts of one object that are uploaded at the same time."""

DELETE_SIZE: Final = 1000
"""Objects that one request deletes."""

SCHEMES: Final = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "memory")
"""The schemes of URLs that lead to a bucket."""

_STATUS = re.compile(r"non-2xx status code: (\d{3}) ?([A-Za-z -]*)")
_CODE = re.compile(r"<Code>([\w.-]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,500})</Message>")
_CAUSE = re.compile(r"(?:HTTP error: |error sending request|client error[^:]*: ?)([^\n]{0,300})")

_memory: dict[str, "ObjectStore"] = {}
"""The stores behind `memory:` URLs, by URL: they last as long as the process."""
_memory_lock = Lock()


class StoredObject(NamedTuple):
    """An object as the store lists it."""

    key: str
    """Its name below the prefix of the bucket."""
    size: int
    etag: str | None
    modified_at: datetime


class Bucket:
    """The objects below a prefix of a store.

    All methods raise `StoreError`. `location`: what people know it as, such as `s3://ci-archive/acme`.
    """

    def __init__(self, store: "ObjectStore", location: str) -> None:
        self._store = store
        self.location = location

    def __repr__(self) -> str:
        return f"<Bucket {self.location}>"

    def head(self, key: str) -> StoredObject | None:
        """Return the status of an object; None if it does not exist."""
        import obstore

        try:
            with self._errors("read", key):
                return _stored(obstore.head(self._store, key))
        except _Missing:
            return None

    def metadata(self, key: str) -> tuple[StoredObject, dict[str, str]] | None:
        """Return the status of an object with its metadata; None if it does not exist."""
        import obstore

        try:
            with self._errors("read", key):
                result = obstore.get(self._store, key, options={"head": True})
                return _stored(result.meta), {str(name): value for name, value in result.attributes.items()}
        except _Missing:
            return None

    def read(self, key: str, *, max_bytes: int) -> tuple[bytes, StoredObject] | None:
        """Return the content of a small object; None if it does not exist."""
        import obstore

        try:
            with self._errors("read", key):
                result = obstore.get(self._store, key)
                status = _stored(result.meta)
                if status.size > max_bytes:
                    raise StoreError(f"{self._named(key)} has more than {max_bytes:,} bytes: no harvest wrote it")
                return bytes(result.bytes()), status
        except _Missing:
            return None

    def pieces(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object in pieces of about 1 MiB. Raises `StoreError` also if it does not exist."""
        import obstore

        with self._errors("read", key):
            for piece in obstore.get(self._store, key).stream(min_chunk_size=1024 * 1024):
                yield bytes(piece)

    def put(self, key: str, content: "bytes | IO[bytes]", metadata: Mapping[str, str] | None = None) -> str | None:
        """Write an object, over an existing one too, and return its ETag. It appears once it is complete.

        A file of more than `PART_SIZE` is uploaded in parts.
        """
        import obstore

        with self._errors("write", key):
            result = obstore.put(
                self._store,
                key,
                content,
                attributes=dict(metadata) if metadata else None,
                chunk_size=PART_SIZE,
                max_concurrency=MAX_UPLOADS,
            )
        return result["e_tag"]

    def create(self, key: str, content: bytes) -> str | None:
        """Write an object that must not exist. Return its ETag; None if an object has the name."""
        return self._put_if(key, content, "create")

    def replace(self, key: str, content: bytes, etag: str) -> str | None:
        """Write an object if the stored one has this ETag. Return the new ETag; None if it has another one."""
        return self._put_if(key, content, {"e_tag": etag})

    def list(self, prefix: str | None = None) -> Iterator[StoredObject]:
        """Yield the objects below a prefix, which is a whole folder, in the order of their names."""
        import obstore

        with self._errors("list", prefix or ""):
            for chunk in obstore.list(self._store, prefix):
                yield from map(_stored, chunk)

    def is_empty(self) -> bool:
        """Return whether there are no objects, besides hidden ones."""
        return all(each.key.startswith(".") for each in self.list())

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects. One that does not exist counts as deleted."""
        import obstore

        names = list(keys)
        for begin in range(0, len(names), DELETE_SIZE):
            some = names[begin : begin + DELETE_SIZE]
            try:
                with self._errors("delete", some[0]):
                    obstore.delete(self._store, some)
            except _Missing:
                continue

    def _put_if(self, key: str, content: bytes, mode: Any) -> str | None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._errors("write", key):
            try:
                return obstore.put(self._store, key, content, mode=mode)["e_tag"] or ""
            except (AlreadyExistsError, PreconditionError):
                return None

    def _named(self, key: str) -> str:
        return f"{self.location}/{key}" if key else self.location

    @contextmanager
    def _errors(self, action: str, key: str) -> Generator[None]:
        """Raise errors of the store as `StoreError`, and a missing object as `_Missing`."""
        from obstore.exceptions import BaseError

        failure: Exception
        try:
            yield
            return
        except FileNotFoundError as error:
            if "NoSuchBucket" not in str(error) and action != "write":
                failure = _Missing(f"cannot {action} {self._named(key)}: it does not exist")
            else:
                failure = _explained(error, f"cannot {action} {self._named(key)}")
        except (BaseError, PermissionError, ValueError, NotImplementedError, OSError) as error:
            failure = _explained(error, f"cannot {action} {self._named(key)}")
        raise failure


class _Missing(StoreError):
    """The object does not exist."""


def is_installed() -> bool:
    """Return whether the extra `store` is installed, without importing it."""
    return find_spec("obstore") is not None


def check_installed(name: str, given: object) -> None:
    """Raise a `ConfigurationError` that names the extra, if it is missing."""
    if not is_installed():
        raise ConfigurationError(
            f"{name} {str(given)!r} needs the extra 'store': install it with `pip install 'circleci-async[store]'`"
        )


def open_bucket(name: str, url: str) -> Bucket:
    """Open the bucket of a URL, such as `s3://ci-archive/acme`, with the credentials that obstore finds.

    Sends no request. Raises `InvalidArgument` that names the argument, and `ConfigurationError` without the extra.
    """
    check_installed(name, url)
    from obstore.exceptions import BaseError
    from obstore.store import MemoryStore, from_url

    location = url.rstrip("/")
    if url.startswith("memory:"):
        with _memory_lock:
            return Bucket(_memory.setdefault(location, MemoryStore()), location)
    try:
        return Bucket(from_url(location), location)
    except (BaseError, ValueError, OSError) as error:
        reason = _first_line(error)
    raise InvalidArgument(f"{name} {url!r} is not the URL of a bucket, such as 's3://bucket/prefix': {reason}")


def bucket_of(name: str, store: Any) -> tuple[Path | None, Bucket | None]:
    """Return the bucket of a store of obstore, or the folder of a `LocalStore`.

    Raises `InvalidArgument` that names the argument for anything else.
    """
    if type(store).__module__.partition(".")[0] == "obstore":
        from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

        if isinstance(store, LocalStore) and store.prefix is not None:
            return Path(store.prefix), None
        if isinstance(store, MemoryStore):
            return None, Bucket(store, "memory:")
        for kind, scheme in ((S3Store, "s3"), (GCSStore, "gs"), (AzureStore, "az")):
            if isinstance(store, kind):
                config: dict[str, str] = {str(key): str(value) for key, value in store.config.items()}
                container = config.get("bucket") or config.get("container_name") or ""
                return None, Bucket(store, f"{scheme}://{'/'.join(filter(None, (container, store.prefix)))}")
    raise InvalidArgument(
        f"{name} must be a folder, the URL of a bucket, or a store of obstore (S3, GCS, Azure, local with a prefix,"
        f" memory), got {store!r}"
    )


def _stored(meta: "ObjectMeta") -> StoredObject:
    return StoredObject(meta["path"], meta["size"], meta["e_tag"], meta["last_modified"])


def _explained(error: Exception, what: str) -> StoreError:
    """Return the `StoreError` for an error of obstore, whose text can contain the whole request."""
    text = str(error)
    status, code, message = _STATUS.search(text), _CODE.search(text), _MESSAGE.search(text)
    if status is not None:
        parts = [status[1], status[2].strip(), code and code[1], message and message[1]]
        reason = ": ".join(filter(None, [" ".join(filter(None, parts[:2])), *parts[2:]]))
        number = int(status[1])
    else:
        cause = _CAUSE.search(text)
        reason, number = (cause[1].strip() or "no connection") if cause else _first_line(error), None
    failure = StoreError(f"{what}: {reason}", status=number)
    if code is not None and code[1] == "NoSuchBucket":
        failure.hint = "Create the bucket, or check its name and the endpoint."
    elif number in {401, 403}:
        failure.hint = "Check the store's credentials (such as AWS_ACCESS_KEY_ID) and what its policy allows them."
    return failure


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].strip()
