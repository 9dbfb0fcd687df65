"""Usage exports: parts of gzipped CSV, available some time after the request."""

import csv
import gzip
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import Factory, define, field

from .content import Content

_CREATED = 0.2  # the fraction of an export's time that it is in state `created`

Row = Mapping[str, object]
"""A row of an export, by column."""


@define(eq=False)
class Quota:
    """A request limit: at most `limit` requests within `window` seconds."""

    limit: int
    window: float
    _taken: list[datetime] = field(factory=list[datetime], init=False)

    def take(self, now: datetime) -> int | None:
        """Admit one request and return None, or return the seconds after which to retry."""
        start = now - timedelta(seconds=self.window)
        self._taken = [at for at in self._taken if at > start]
        if len(self._taken) < self.limit:
            self._taken.append(now)
            return None
        return math.ceil((self._taken[-self.limit] - start).total_seconds()) if self.limit else math.ceil(self.window)


@define(eq=False)
class UsagePart:
    """A part of an export, at `path` on the storage host."""

    path: str
    content: Content
    modified: datetime


@define(eq=False)
class UsageExport:
    """A usage export, which fails if there is an `error_reason`."""

    id: str
    start: datetime
    end: datetime
    requested_at: datetime
    ready_at: datetime
    rows_per_part: int
    _make_rows: Callable[[], Sequence[Row]] = field(repr=False)
    error_reason: str | None = None
    _parts: list[UsagePart] | None = field(default=None, init=False, repr=False)

    def state(self, now: datetime) -> str:
        """Return `created`, `processing`, `completed` or `failed`."""
        if now >= self.ready_at:
            return "completed" if self.error_reason is None else "failed"
        is_new = now - self.requested_at < (self.ready_at - self.requested_at) * _CREATED
        return "created" if is_new else "processing"

    @property
    def parts(self) -> Sequence[UsagePart]:
        """The parts of a completed export: none without rows, at least two for two rows or more."""
        if self._parts is None:  # created once: jobs that run later must not change the export
            rows = self._make_rows()
            size = max(1, min(self.rows_per_part, math.ceil(len(rows) / 2)))
            self._parts = [
                UsagePart(f"/usage/{self.id}/part-{number}.csv.gz", _file(rows[first : first + size]), self.ready_at)
                for number, first in enumerate(range(0, len(rows), size))
            ]
        return self._parts


@define(eq=False)
class UsageExports:
    """The usage exports of an organization.

    `export_time`: seconds that the next ones take. `rows_per_part`: maximum number of rows in one of their parts.
    `create_quota` and `poll_quota`: the API's limits, 10 exports per hour and 10 status requests per minute; set their
    `limit` to change them.
    """

    export_time: float = 0.5
    rows_per_part: int = 100
    create_quota: Quota = field(default=Factory(lambda: Quota(10, 3600)))
    poll_quota: Quota = field(default=Factory(lambda: Quota(10, 60)))
    exports: dict[str, UsageExport] = field(factory=dict[str, UsageExport], repr=False)
    failures: list[str] = field(factory=list[str])
    """Error reasons of the next exports, in order."""

    def create(
        self, id: str, make_rows: Callable[[], Sequence[Row]], start: datetime, end: datetime, now: datetime
    ) -> UsageExport:
        """Start an export of the rows that `make_rows` returns once it has completed."""
        ready_at = now + timedelta(seconds=self.export_time)
        reason = self.failures.pop(0) if self.failures else None
        export = UsageExport(id, start, end, now, ready_at, self.rows_per_part, make_rows, reason)
        self.exports[id] = export
        return export


def find_part(usages: Iterable[UsageExports], path: str) -> UsagePart | None:
    """Return the part at a path, or None."""
    id = path.split("/")[2]
    export = next((each.exports[id] for each in usages if id in each.exports), None)
    return next((part for part in export.parts if part.path == path), None) if export else None


def _file(rows: Sequence[Row]) -> Content:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return Content.given(gzip.compress(text.getvalue().encode(), mtime=0))
