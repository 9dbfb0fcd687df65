"""The report of a harvest, read from the ledger on access."""

import sqlite3
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence, Sized
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Generic, TypeAlias, TypeVar, overload

from attrs import field, frozen

from ..errors import CircleCIError, DownloadError
from ..untrusted_text import named, shown_list
from .destination.place import Place
from .kinds import KINDS, HarvestKind, file_kind
from .ledger.records import FILE_COLUMNS, FILE_TABLES
from .ledger.schema import LEDGER_NAME, connect_to_read, damaged, ledger_errors

__all__ = ["HarvestFailure", "HarvestReport", "HarvestedFile", "OnFile"]

T = TypeVar("T")

_FETCH_SIZE = 500


@frozen(kw_only=True)
class HarvestedFile:
    """A finished file."""

    path: Path
    target: str
    """The path below the destination, with `/` between names."""
    location: str
    """The path of the file as text, or its URL in a bucket."""
    size: int
    sha256: str
    """Hexadecimal checksum of the content."""
    etag: str | None
    """The ETag that the server sent, if any."""
    finished_at: datetime
    project: str
    pipeline: int
    workflow: str
    job: str
    number: int
    """The job's number."""
    node: int
    artifact: str
    """The artifact's path in the job, or that of a file of another kind: `logs/0/101-Run tests.txt`."""
    url: str
    created_at: datetime | None = None
    """When the pipeline was created, in UTC; None in a ledger of an older version, as the fields below."""
    branch: str | None = None
    """The branch of the pipeline; None if it built a tag."""
    tag: str | None = None
    revision: str | None = None
    """The commit of the pipeline."""
    pipeline_id: str | None = None
    kind: HarvestKind = "artifacts"
    """What the file was harvested as."""


OnFile: TypeAlias = Callable[[HarvestedFile], Awaitable[object]]
"""An async function that is awaited once for each file that a harvest places."""


@frozen(kw_only=True)
class HarvestFailure:
    """A file that could not be downloaded, a list that could not be read to the end, or a failed `on_file`."""

    kind: str
    """Of a file `artifact`, `log`, `test` or `build`; of a list `artifacts`, `logs`, `tests`, `builds`, `jobs`,
    `workflows` or `pipelines`; `on_file` for a file for which that raised an error."""
    project: str
    name: str
    """The artifact's path, or what the list belongs to."""
    error: str
    number: int | None = None
    """The number of the artifact's job; None for a list."""
    node: int | None = None
    url: str | None = None

    def __str__(self) -> str:
        where = self.name if self.number is None else f"{self.project} job {self.number}: {self.name}"
        what = named(where) if self.kind in _FILE_KINDS else f"{self.kind} of {named(where)}"
        return f"{what}: {self.error}"


class Rows(Sequence[T], Generic[T]):
    """A sequence that reads the ledger on each access, so that 100,000 rows take no memory.

    Valid until the next harvest into the same destination.
    """

    def __init__(
        self, place: Place, query: str, values: tuple[object, ...], make: Callable[..., T], length: int | None = None
    ) -> None:
        self._place = place
        self._query = query
        self._values = values
        self._make = make
        self._length = length

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        with ledger_errors(self._place.ledger), closing(connect_to_read(self._place.ledger)) as sql:
            yield sql

    def __len__(self) -> int:
        if self._length is None:
            with self._reading() as sql:
                (self._length,) = sql.execute(f"SELECT count(*) FROM ({self._query})", self._values).fetchone()
        return self._length or 0

    def __iter__(self) -> Iterator[T]:
        with self._reading() as sql:
            rows = sql.execute(self._query, self._values)
            while some := rows.fetchmany(_FETCH_SIZE):
                for row in some:
                    yield self._item(row)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(index)
        with self._reading() as sql:
            row = sql.execute(f"{self._query} LIMIT 1 OFFSET ?", (*self._values, position)).fetchone()
        if row is None:
            raise IndexError(index)
        return self._item(row)

    def _item(self, row: tuple[Any, ...]) -> T:
        return self._make(*row)

    def __repr__(self) -> str:
        return f"<{len(self):,} rows of the ledger in {self._place}>"


def counted(rows: Sized) -> str:
    """Format the length of a sequence."""
    return f"{len(rows):,}"


@frozen(kw_only=True)
class HarvestReport:
    """The result of a harvest. Its sequences read the ledger on access."""

    files: Sequence[HarvestedFile] = field(repr=counted)
    """The files that this run downloaded."""
    skipped: Sequence[HarvestedFile] = field(repr=counted)
    """The files that already existed."""
    failed: Sequence[HarvestFailure] = field(repr=counted)
    """The artifacts that could not be downloaded, the lists that could not be read to the end, and the files for which
    `on_file` raised an error."""
    bytes: int
    """Total size of `files`."""
    seconds: float
    requests: int = 0
    """HTTP requests that the client sent during this run, downloads included."""
    requests_saved: int = 0
    """Lists of workflows, jobs and files that were not requested, because the ledger holds them."""
    scrubbed: Mapping[str, int] = field(factory=dict[str, int])
    """How many secrets this run replaced in logs, tests and builds, by the name of their pattern."""
    stopped: str | None = None
    """Why the run ended early, or None."""
    error: CircleCIError | None = None
    """The error that ended the run early; None if a bound such as `max_files` did."""

    @property
    def is_complete(self) -> bool:
        """Whether every selected artifact is downloaded."""
        return not self.failed and self.stopped is None

    def raise_for_failures(self) -> None:
        """Raise `error`, or a `DownloadError` that lists the failures, if there are any."""
        if self.error is not None:
            raise self.error
        count = len(self.failed)
        if not count:
            return
        lines = [str(failure) for failure in self.failed[:10]] + ([f"and {count - 10} more"] if count > 10 else [])
        raise DownloadError(shown_list(f"{count} of {count + len(self.files)} failed:", lines))


FINISHED_FILES: Final = f"SELECT {FILE_COLUMNS} FROM {FILE_TABLES} WHERE state = 'done'"

_FILE_KINDS: Final = frozenset(map(file_kind, KINDS))

_FAILURES = (
    "SELECT rtrim(kind, 's'), project, path, error, number, node, url FROM artifacts JOIN jobs ON jobs.id = job"
    " WHERE state = 'failed' AND ? IN (artifacts.run, 0)"
    " UNION ALL SELECT kind, project, name, error, NULL, NULL, NULL FROM listings"
    " WHERE error IS NOT NULL AND ? IN (run, 0)"
    " UNION ALL SELECT 'on_file', project, path, calls.error, number, node, url FROM calls"
    " JOIN artifacts ON artifacts.id = artifact JOIN jobs ON jobs.id = job"
    " WHERE calls.error IS NOT NULL AND state = 'done' AND ? IN (calls.run, 0)"
)


def files_of(place: Place, run: int, length: int) -> Rows[HarvestedFile]:
    """Return the files that a run downloaded."""
    query = f"{FINISHED_FILES} AND fetched_by = ? ORDER BY artifacts.id"
    return Rows(place, query, (run,), file_maker(place), length)


def skipped_by(place: Place, run: int) -> Rows[HarvestedFile]:
    """Return the files that a run skipped because they existed."""
    query = f"{FINISHED_FILES} AND artifacts.run = ? AND fetched_by < ? ORDER BY artifacts.id"
    return Rows(place, query, (run, run), file_maker(place))


def all_files(place: Place, length: int) -> Rows[HarvestedFile]:
    """Return the files that all runs downloaded."""
    return Rows(place, f"{FINISHED_FILES} ORDER BY artifacts.id", (), file_maker(place), length)


def failures_of(place: Place, run: int) -> Rows[HarvestFailure]:
    """Return the failures of a run; of run 0, those of all runs that no later run resolved."""
    return Rows(place, _FAILURES, (run, run, run), _failure)


def file_maker(place: Place) -> Callable[..., HarvestedFile]:
    """Return the function that makes a file from a row with `FILE_COLUMNS`. It raises `LedgerError`."""

    def make(*row: Any) -> HarvestedFile:
        target, size, sha256, etag, finished, project, pipeline, workflow, job, number, node, artifact, url, *rest = row
        pipeline_id, created, branch, tag, revision, kind = rest
        try:
            return HarvestedFile(
                path=place.path(target),
                target=target,
                location=place.location_of(target),
                size=size,
                sha256=sha256,
                etag=etag,
                finished_at=_moment(finished),
                project=project,
                pipeline=pipeline,
                workflow=workflow,
                job=job,
                number=number,
                node=node,
                artifact=artifact,
                url=url,
                created_at=created and _moment(created),
                branch=branch,
                tag=tag,
                revision=revision,
                pipeline_id=pipeline_id,
                kind=kind,
            )
        except (AttributeError, OverflowError, TypeError, ValueError):  # such as an invalid date
            failure = damaged(place.ledger / LEDGER_NAME)
        raise failure

    return make


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def _failure(*row: Any) -> HarvestFailure:
    kind, project, name, error, number, node, url = row
    return HarvestFailure(kind=kind, project=project, name=name, error=error, number=number, node=node, url=url)
