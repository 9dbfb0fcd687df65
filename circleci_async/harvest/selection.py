"""Selects the artifacts to harvest."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from attrs import asdict, field, frozen

from ..core.arguments import check_bool, check_word
from ..core.when import When, parse_when, to_datetime
from ..errors import InvalidArgument
from ..globs import check_glob, is_plain
from ..models.jobs import JobStatus

__all__ = ["Selection"]

IdOrIds: TypeAlias = str | UUID | Iterable[str | UUID]
"""One id or several."""


def _since(value: When | None) -> datetime | timedelta | None:
    return parse_when("since", value)


def _until(value: When | None) -> datetime | timedelta | None:
    return parse_when("until", value)


def _ids(name: str, value: IdOrIds | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    faulty: object = value
    try:
        ids: set[str] = set()
        for faulty in [value] if isinstance(value, str | UUID) else value:
            ids.add(str(UUID(str(faulty))))
    except (TypeError, ValueError):
        ids = set()
    if not ids:
        raise InvalidArgument(
            f"{name} must be an id such as '5034460f-c7c4-4c43-9457-de07e2029e7b', or several, got {faulty!r}"
        )
    return tuple(sorted(ids))


def _pipeline_id(value: IdOrIds | None) -> tuple[str, ...] | None:
    return _ids("pipeline_id", value)


def _workflow_id(value: IdOrIds | None) -> tuple[str, ...] | None:
    return _ids("workflow_id", value)


def _status(value: str | None) -> str | None:
    check_word("status", value, sorted(JobStatus))
    return value.value if isinstance(value, JobStatus) else value


@frozen(kw_only=True)
class Selection:
    """Selects the artifacts to harvest; all by default.

    `branch`, `tag`, `workflow`, `job` and `path` are globs (`*`, `?`, `[...]`), case-sensitive. In `path`, `*` and `?`
    do not match a slash, and `**/` matches any number of folders: `**/*.xml` selects every XML file.
    """

    branch: str | None = None
    """The pipeline's branch. Excludes `tag`."""
    tag: str | None = None
    """The pipeline's tag. Excludes `branch`."""
    since: datetime | timedelta | None = field(default=None, converter=_since)
    """Only pipelines created at or after this time: text such as `7d` or `2026-11-24`, a datetime: see `When`."""
    until: datetime | timedelta | None = field(default=None, converter=_until)
    """Only pipelines created at or before this time."""
    workflow: str | None = None
    job: str | None = None
    status: str | None = field(default=None, converter=_status)
    """The job's status: `success`, `failed` and so on."""
    path: str | None = None
    """The artifact's path."""
    latest: bool = False
    """Only the latest pipeline of each project that succeeded and has selected artifacts. Of a workflow that was rerun,
    only the last run counts."""
    pipeline_id: tuple[str, ...] | None = field(default=None, converter=_pipeline_id)
    """One or several pipeline ids, as in a webhook."""
    workflow_id: tuple[str, ...] | None = field(default=None, converter=_workflow_id)
    """One or several workflow ids, as in a webhook."""

    def __attrs_post_init__(self) -> None:
        for name in ("branch", "tag", "workflow", "job", "path"):
            check_glob(name, getattr(self, name))
        check_bool("latest", self.latest)
        if self.branch is not None and self.tag is not None:
            raise InvalidArgument(f"branch and tag cannot be combined, got branch={self.branch!r}, tag={self.tag!r}")
        if self.latest and (self.pipeline_id or self.workflow_id):
            raise InvalidArgument(
                "latest=True cannot be combined with pipeline_id or workflow_id: it selects the pipeline"
            )
        since, until = self.window(datetime.now(UTC))
        if since and until and since >= until:
            raise InvalidArgument(f"since must be earlier than until, got since={self.since} and until={self.until}")

    def window(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Return `since` and `until` as points in time."""
        return to_datetime(self.since, now), to_datetime(self.until, now)

    @property
    def plain_branch(self) -> str | None:
        """The branch if it is not a glob, so that the API can filter by it."""
        return self.branch if is_plain(self.branch) else None

    @property
    def key(self) -> str:
        """Text that identifies the selection in the ledger, equal for equal selections on any day."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, False)}
        if self.pipeline_id is not None:
            given["pipeline"] = given.pop("pipeline_id")  # the attribute's name in existing ledgers
        return json.dumps(given, default=str, sort_keys=True)
