"""What of a project is to be harvested."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from attrs import asdict, field, frozen

from ..errors import InvalidArgument
from ..globs import check_glob, is_plain
from ..models.jobs import JobStatus

When: TypeAlias = datetime | timedelta | str
"""A moment: itself, or how long ago. As text `30m`, `12h`, `7d`, `2w`, or a date such as `2026-11-01` (UTC)."""

Ids: TypeAlias = str | UUID | Iterable[str | UUID]
"""One id or several."""

_AGO = re.compile(r"(\d{1,6}) ?([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _when(name: str, value: When | None) -> datetime | timedelta | None:
    if value is None:
        return None
    moment = _read(value.strip()) if isinstance(value, str) else value
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise InvalidArgument(f"{name}={value!r}: give a datetime with a time zone, such as datetime.now(UTC)")
        return moment
    if isinstance(moment, timedelta) and moment > timedelta(0):
        return moment
    raise InvalidArgument(
        f"{name}={value!r}: give a datetime, a timedelta, or text such as '7d', '12h', '30m', '2w' or '2026-11-01'"
    )


def _since(value: When | None) -> datetime | timedelta | None:
    return _when("since", value)


def _until(value: When | None) -> datetime | timedelta | None:
    return _when("until", value)


def _read(text: str) -> datetime | timedelta | None:
    if ago := _AGO.fullmatch(text):
        return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _ids(name: str, value: Ids | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    try:
        given = [value] if isinstance(value, str | UUID) else list(value)
        ids = tuple(sorted({str(UUID(str(each))) for each in given}))
    except (TypeError, ValueError):
        ids = ()
    if not ids:
        raise InvalidArgument(
            f"{name}={value!r}: give an id such as '5034460f-c7c4-4c43-9457-de07e2029e7b', or a list of ids"
        )
    return ids


def _pipeline_id(value: Ids | None) -> tuple[str, ...] | None:
    return _ids("pipeline_id", value)


def _workflow_id(value: Ids | None) -> tuple[str, ...] | None:
    return _ids("workflow_id", value)


def _status(value: str | None) -> str | None:
    text = value.value if isinstance(value, JobStatus) else value
    known = sorted(status.value for status in JobStatus)
    if text is None or text in known:
        return text
    raise InvalidArgument(f"status={value!r}: give the status of a job: {', '.join(known)}")


@frozen(kw_only=True)
class Selection:
    """What of a project is to be harvested; what is left out narrows nothing.

    Names are globs (`*`, `?`, `[...]`); upper and lower case differ. In `path`, `*` and `?` stay within one name, and
    `**/` stands for any folders or none: `**/*.xml` is every XML file.
    """

    branch: str | None = None
    """Of the pipeline. Give this or `tag`."""
    tag: str | None = None
    """Of the pipeline."""
    since: datetime | timedelta | None = field(default=None, converter=_since)
    """Pipelines that are no older: a datetime, or how long ago, as a timedelta or as text such as `7d`."""
    until: datetime | timedelta | None = field(default=None, converter=_until)
    """Pipelines that are no younger."""
    workflow: str | None = None
    job: str | None = None
    status: str | None = field(default=None, converter=_status)
    """Of the job: `success`, `failed` and so on."""
    path: str | None = None
    """Of the artifact."""
    latest: bool = False
    """Of each project only the newest pipeline that succeeded and has such artifacts. Of a workflow that was run again,
    the last run counts."""
    pipeline_id: tuple[str, ...] | None = field(default=None, converter=_pipeline_id)
    """Ids of pipelines, as a webhook brings them: one, or several."""
    workflow_id: tuple[str, ...] | None = field(default=None, converter=_workflow_id)
    """Ids of workflows, as a webhook brings them: one, or several."""

    def __attrs_post_init__(self) -> None:
        for name in ("branch", "tag", "workflow", "job", "path"):
            check_glob(name, getattr(self, name))
        if type(self.latest) is not bool:
            raise InvalidArgument(f"latest={self.latest!r}: give True or False")
        if self.branch is not None and self.tag is not None:
            raise InvalidArgument(f"branch={self.branch!r}, tag={self.tag!r}: a pipeline has one of the two, not both")
        if self.latest and (self.pipeline_id or self.workflow_id):
            raise InvalidArgument("latest=True looks for a pipeline by itself: give no pipeline_id and no workflow_id")
        since, until = self.window(datetime.now(UTC))
        if since and until and since >= until:
            raise InvalidArgument(f"since={self.since}, until={self.until}: since must be the earlier of the two")

    def window(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Return the moments that `since` and `until` are."""
        return _moment(self.since, now), _moment(self.until, now)

    @property
    def plain_branch(self) -> str | None:
        """The branch, if it is a name and no glob: the API can look for that."""
        return self.branch if is_plain(self.branch) else None

    @property
    def key(self) -> str:
        """What two selections have in common that ask for the same, today and tomorrow."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, False)}
        return json.dumps(given, default=str, sort_keys=True)


def _moment(when: datetime | timedelta | None, now: datetime) -> datetime | None:
    return now - when if isinstance(when, timedelta) else when
