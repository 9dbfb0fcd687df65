"""Usage exports: made from the jobs that have run, in parts of gzipped CSV, some time after they were asked for."""

import csv
import gzip
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from attrs import Factory, define, field

from .content import Content

if TYPE_CHECKING:
    from .accounts import Organization
    from .jobs import Job

_CREATED = 0.2  # the part of an export's time in which nothing has happened yet


@define(eq=False)
class Quota:
    """How many requests are answered: at most `most` within `window` seconds, as the API documents."""

    most: int
    window: float
    _taken: list[datetime] = field(factory=list[datetime], init=False)

    def take(self, now: datetime) -> int | None:
        """Let one request through (None), or say in how many seconds to come back."""
        begin = now - timedelta(seconds=self.window)
        self._taken = [at for at in self._taken if at > begin]
        if len(self._taken) < self.most:
            self._taken.append(now)
            return None
        return math.ceil((self._taken[-self.most] - begin).total_seconds()) if self.most else math.ceil(self.window)


@define(eq=False)
class UsagePart:
    """A part of an export, as it lies in the storage at `path`."""

    path: str
    content: Content
    modified: datetime


@define(eq=False)
class UsageExport:
    """An export of the usage of some organizations, which is `failed` if there is a reason."""

    id: str
    organizations: Sequence["Organization"] = field(repr=False)
    start: datetime
    end: datetime
    asked_at: datetime
    ready_at: datetime
    rows_per_part: int
    error_reason: str | None = None
    _parts: list[UsagePart] | None = field(default=None, init=False, repr=False)

    def state(self, now: datetime) -> str:
        """`created`, `processing`, then `completed` or `failed`."""
        if now >= self.ready_at:
            return "completed" if self.error_reason is None else "failed"
        return "created" if now - self.asked_at < (self.ready_at - self.asked_at) * _CREATED else "processing"

    @property
    def parts(self) -> Sequence[UsagePart]:
        """The parts of a completed export: at least two if there are two rows, none if there is none."""
        if self._parts is None:  # once for all: what runs later must not change what has been exported
            rows = [_row(job) for job in _ended_jobs(self.organizations, self.start, self.end)]
            size = max(1, min(self.rows_per_part, math.ceil(len(rows) / 2)))
            self._parts = [
                UsagePart(f"/usage/{self.id}/part-{number}.csv.gz", _file(rows[begin : begin + size]), self.ready_at)
                for number, begin in enumerate(range(0, len(rows), size))
            ]
        return self._parts


@define(eq=False)
class UsageExports:
    """The usage exports of an organization.

    `export_time`: seconds that the next ones take. `rows_per_part`: rows in one of their parts, at most. `asks` and
    `looks` are the limits that the API sets: 10 exports an hour, 10 looks a minute; change their `most` to your needs.
    """

    export_time: float = 0.5
    rows_per_part: int = 100
    asks: Quota = field(default=Factory(lambda: Quota(10, 3600)))
    looks: Quota = field(default=Factory(lambda: Quota(10, 60)))
    exports: dict[str, UsageExport] = field(factory=dict[str, UsageExport], repr=False)
    failures: list[str] = field(factory=list[str])
    """What the next exports are to fail with, one after the other."""

    def begin(
        self, id: str, organizations: Sequence["Organization"], start: datetime, end: datetime, now: datetime
    ) -> UsageExport:
        """Begin an export."""
        ready_at = now + timedelta(seconds=self.export_time)
        reason = self.failures.pop(0) if self.failures else None
        export = UsageExport(id, organizations, start, end, now, ready_at, self.rows_per_part, reason)
        self.exports[id] = export
        return export


def find_part(organizations: Iterable["Organization"], path: str) -> UsagePart | None:
    """Find a part by its path."""
    parts = path.split("/")
    export = next((each.usage.exports[parts[2]] for each in organizations if parts[2] in each.usage.exports), None)
    return next((part for part in export.parts if part.path == path), None) if export else None


def _ended_jobs(organizations: Iterable["Organization"], start: datetime, end: datetime) -> Iterator["Job"]:
    """Give the jobs that began between the two and have ended, oldest first."""
    jobs = (
        job
        for organization in organizations
        for pipeline in organization.pipelines.all
        for workflow in pipeline.workflows
        for job in workflow.own_jobs
        if job.stopped_at is not None
    )
    begun = [(job.started_at, job.id, job) for job in jobs if job.started_at and start <= job.started_at <= end]
    return (job for _, _, job in sorted(begun, key=lambda each: each[:2]))


def _row(job: "Job") -> dict[str, object]:
    pipeline = job.workflow.pipeline
    project = pipeline.project
    return {
        "ORGANIZATION_ID": project.organization.id,
        "ORGANIZATION_NAME": project.organization.name,
        "PROJECT_ID": project.id,
        "PROJECT_NAME": project.name,
        "VCS_NAME": project.organization.vcs,
        "VCS_URL": project.vcs_url,
        "VCS_BRANCH": pipeline.branch or "",
        "PIPELINE_ID": pipeline.id,
        "PIPELINE_NUMBER": pipeline.number,
        "PIPELINE_CREATED_AT": _time(pipeline.created_at),
        "PIPELINE_TRIGGER_SOURCE": pipeline.trigger_type,
        "WORKFLOW_ID": job.workflow.id,
        "WORKFLOW_NAME": job.workflow.name,
        "JOB_ID": job.id,
        "JOB_NAME": job.name,
        "JOB_RUN_NUMBER": job.number,
        "JOB_RUN_DATE": "" if job.started_at is None else f"{job.started_at:%Y-%m-%d}",
        "JOB_RUN_STARTED_AT": _time(job.started_at),
        "JOB_RUN_STOPPED_AT": _time(job.stopped_at),
        "JOB_BUILD_STATUS": job.status,
        "RESOURCE_CLASS": job.resource_class,
        "EXECUTOR": job.executor,
        "PARALLELISM": job.parallelism,
        "JOB_RUN_SECONDS": round(job.duration or 0),
        "COMPUTE_CREDITS": job.credits,
        "TOTAL_CREDITS": job.credits,
    }


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _file(rows: Sequence[dict[str, object]]) -> Content:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return Content.given(gzip.compress(text.getvalue().encode(), mtime=0))
