"""A bucket, or a prefix in one. Blocking work, allowed in any thread.

obstore's async functions abort the interpreter if it shuts down while one of them ends. Its synchronous ones in threads
do not, and release the lock of the interpreter while they wait.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from ...errors import StoreError
from .store_errors import is_of_store, store_error

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ObjectStore

T = TypeVar("T")

PART_SIZE: Final = 8 * 1024 * 1024
"""Bytes of a part of a multipart upload; smaller objects are sent in one request."""

MAX_UPLOADS: Final = 4
"""Parts of one object that are uploaded at the same time."""

DELETE_SIZE: Final = 1000
"""Objects that one request deletes."""

MAX_KEY: Final = 1024
"""Bytes of an object's name, with the prefix, that S3, GCS and Azure allow."""

MAX_METADATA: Final = 2048
"""Bytes of the names and values of an object's metadata that S3 allows."""

_METADATA_NAME = re.compile(r"[a-z][a-z0-9_]*")
_METADATA_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


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
        """Return the status of an object; None if it, or the bucket, does not exist."""
        import obstore

        return self._if_exists("read", key, lambda: _stored(obstore.head(self._store, key)))

    def metadata(self, key: str) -> tuple[StoredObject, dict[str, str]] | None:
        """Return the status of an object with its metadata; None if it, or the bucket, does not exist."""
        import obstore

        def read() -> tuple[StoredObject, dict[str, str]]:
            result = obstore.get(self._store, key, options={"head": True})
            return _stored(result.meta), {str(name): value for name, value in result.attributes.items()}

        return self._if_exists("read", key, read)

    def read(self, key: str, *, max_bytes: int) -> tuple[bytes, StoredObject] | None:
        """Return the content of a small object; None if it does not exist."""
        import obstore

        def read() -> tuple[bytes, StoredObject]:
            result = obstore.get(self._store, key)
            status = _stored(result.meta)
            if status.size > max_bytes:
                raise ObjectTooLarge(f"{self._named(key)} has more than {max_bytes:,} bytes: no harvest wrote it")
            return bytes(result.bytes()), status

        return self._if_exists("read", key, read)

    def pieces(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object in pieces of up to `PART_SIZE`.

        Raises `StoreError` also if it does not exist, or changes meanwhile. Each piece is one request, because the
        timeout of requests includes their body.
        """
        import obstore

        def read(options: "GetOptions") -> tuple[bytes, StoredObject]:
            result = obstore.get(self._store, key, options=options)
            return bytes(result.bytes()), _stored(result.meta)

        try:
            piece, status = self._call("read", key, lambda: read({"range": (0, PART_SIZE)}))
        except _Missing:
            raise
        except StoreError as error:
            if error.status not in {None, 416}:
                raise
            found = self.head(key)  # a range of an empty object is invalid
            if found is None or found.size > 0:
                raise
            return
        yield piece
        for begin in range(len(piece), status.size, PART_SIZE):
            options: GetOptions = {"range": (begin, min(begin + PART_SIZE, status.size)), "if_match": status.etag}
            yield self._call("read", key, partial(read, options))[0]

    def put(self, key: str, content: "bytes | IO[bytes]", metadata: Mapping[str, str] | None = None) -> str | None:
        """Write an object, over an existing one too, and return its ETag. It appears once it is complete.

        A file of more than `PART_SIZE` is uploaded in parts. Names of metadata are lower-case words; values are ASCII
        without control characters, and neither empty nor with spaces at their ends.
        """
        import obstore

        self.check_key(key)
        if metadata:
            self._check_metadata(key, metadata)
        source = content if isinstance(content, bytes) else _reopenable(content)
        result = self._call(
            "write",
            key,
            lambda: obstore.put(
                self._store,
                key,
                source,
                attributes=dict(metadata) if metadata else None,
                chunk_size=PART_SIZE,
                max_concurrency=MAX_UPLOADS,
            ),
        )
        return result["e_tag"]

    def create(self, key: str, content: bytes) -> str | None:
        """Write an object that must not exist. Return its ETag; None if an object with other content has the name.

        An object with the same content counts as written: a request that is repeated after a lost response finds what
        it wrote. Content that must be distinguished from that of another writer has to contain something unique.
        """
        return self._put_if(key, content, "create")

    def replace(self, key: str, content: bytes, etag: str) -> str | None:
        """Write an object if the stored one has this ETag. Return the new ETag; None if it has another one.

        An object with the same content counts as written, as in `create`.
        """
        return self._put_if(key, content, self._unchanged(key, etag))

    def list(self, prefix: str | None = None) -> Iterator[StoredObject]:
        """Yield the objects below a prefix, which is a whole folder, in the order of their names."""
        import obstore

        start: Callable[[], Iterator[Sequence[ObjectMeta]]]
        start = partial(obstore.list, self._store, prefix)  # pyright: ignore[reportUnknownMemberType]
        chunks = self._call("list", prefix or "", start)
        while chunk := self._call("list", prefix or "", lambda: next(chunks, None)):
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
            self._if_exists("delete", some[0], partial(obstore.delete, self._store, some))

    def _unchanged(self, key: str, etag: str) -> Any:
        """Return the mode of a write over an object with this ETag; None if it has another one.

        GCS compares generations instead, which change with every write.
        """
        import obstore
        from obstore.store import GCSStore

        if not isinstance(self._store, GCSStore):
            return {"e_tag": etag}
        found = self._if_exists("read", key, lambda: obstore.head(self._store, key))
        return {"version": found["version"]} if found is not None and found["e_tag"] == etag else None

    def _put_if(self, key: str, content: bytes, mode: Any) -> str | None:
        """Write an object in a mode of obstore. None: as if the condition of the mode was not met."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        def put() -> str | None:
            try:
                return obstore.put(self._store, key, content, mode=mode)["e_tag"] or ""
            except (AlreadyExistsError, PreconditionError):
                return None

        self.check_key(key)
        etag = None if mode is None else self._call("write", key, put)
        if etag is None:
            found = self.head(key)
            if found is not None and found.size == len(content):
                stored = self.read(key, max_bytes=len(content))
                if stored is not None and stored[0] == content:
                    return stored[1].etag or ""
        return etag

    def check_key(self, key: str) -> None:
        """Raise the `StoreError` for a name that is too long for an object, with the status and code of S3."""
        prefix = getattr(self._store, "prefix", None)
        length = len(f"{prefix}/{key}".encode(errors="replace") if prefix else key.encode(errors="replace"))
        if length > MAX_KEY:
            raise StoreError(
                f"cannot write {self._named(key)}: its name has {length:,} bytes, more than the {MAX_KEY:,} that stores"
                " allow",
                status=400,
                code="KeyTooLongError",
            )

    def _check_metadata(self, key: str, metadata: Mapping[str, str]) -> None:
        """Raise `StoreError` for metadata that a store would refuse or change, or that makes obstore panic."""
        for name, value in metadata.items():
            if not (_METADATA_NAME.fullmatch(name) and _METADATA_VALUE.fullmatch(value)):
                raise StoreError(
                    f"cannot write {self._named(key)}: its metadata {name!r} is {value!r}: expected a lower-case"
                    " name, and printable ASCII without spaces at the ends",
                    status=400,
                    code="InvalidArgument",
                )
        size = sum(len(name) + len(value) for name, value in metadata.items())
        if size > MAX_METADATA:
            raise StoreError(
                f"cannot write {self._named(key)}: its metadata has {size:,} bytes, more than the {MAX_METADATA:,} that"
                " S3 allows",
                status=400,
                code="MetadataTooLarge",
            )

    def _named(self, key: str) -> str:
        return f"{self.location}/{key}" if key else self.location

    def _if_exists(self, action: str, key: str, call: Callable[[], T]) -> T | None:
        try:
            return self._call(action, key, call)
        except _Missing:
            return None

    def _call(self, action: str, key: str, call: Callable[[], T]) -> T:
        """Call obstore. Raise its errors as `StoreError`, and a missing object as `_Missing`.

        The error is raised outside of `except`: obstore's, which can contain the whole request, is not its context.
        """
        try:
            return call()
        except StoreError:
            raise
        except BaseException as error:
            if not is_of_store(error):
                raise
            what = f"cannot {action} {self._named(key)}"
            if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error) and action != "write":
                failure: StoreError = _Missing(f"{what}: it does not exist")
            else:
                failure = store_error(error, what)
        raise failure


class ObjectTooLarge(StoreError):
    """The object has more bytes than `Bucket.read` may return."""


class _Missing(StoreError):
    """The object does not exist."""


def _reopenable(file: IO[bytes]) -> IO[bytes] | Path:
    """Return a path that opens an open file, where the system has one.

    obstore panics if it reads from an object of Python while the interpreter shuts down.
    """
    try:
        path = Path(f"/dev/fd/{file.fileno()}")
    except OSError:  # not a file of the system
        return file
    return path if path.exists() else file


def _stored(meta: "ObjectMeta") -> StoredObject:
    return StoredObject(meta["path"], meta["size"], meta["e_tag"], meta["last_modified"])
