"""Usage exports: what was built, and what it cost."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..core.encoding import omit_none
from ..errors import InvalidArgument
from ..models.usage import UsageExport
from ..slug import segment
from .resource import Id, Resource, moment

LONGEST_SPAN = timedelta(days=31)
OLDEST = timedelta(days=366)


class Usage(Resource):
    """Usage exports: what was built, and what it cost.

    An export takes minutes to hours. An organization may ask for 10 of them an hour, and look after them 10 times a
    minute.
    """

    async def create_export(
        self,
        organization_id: Id,
        *,
        start: datetime | str,
        end: datetime | str,
        shared_org_ids: Sequence[Id] | None = None,
    ) -> UsageExport:
        """Ask for an export of an organization's usage, and return it as it stands: it has hardly begun.

        `POST /organizations/{org_id}/usage_export_job`

        From `start` to `end`, both inclusive, at most 31 days; `start` may be a year ago. `shared_org_ids` are further
        organizations of the same plan. `export` does all that follows, `wait` and `rows` a part of it.
        """
        return await self._session.request(
            UsageExport,
            "POST",
            f"/organizations/{segment(organization_id)}/usage_export_job",
            json=wanted(start, end, shared_org_ids),
            isolated_limit=True,
        )

    async def get_export(self, organization_id: Id, export_id: Id) -> UsageExport:
        """Return an export as it stands; when it is completed, with the addresses of its parts.

        `GET /organizations/{org_id}/usage_export_job/{usage_export_job_id}`
        """
        return await self._session.request(
            UsageExport,
            "GET",
            f"/organizations/{segment(organization_id)}/usage_export_job/{segment(export_id)}",
            isolated_limit=True,
        )


def wanted(start: datetime | str, end: datetime | str, shared_org_ids: Sequence[Id] | None) -> dict[str, Any]:
    """Check what is to be exported, and write it as the API reads it."""
    first, last = moment("start", start), moment("end", end)
    if first is None or last is None:
        raise InvalidArgument(f"start={start!r}, end={end!r}: give both, at most 31 days apart")
    if last < first:
        raise InvalidArgument(f"end={last}: give one after start={first}")
    if last - first > LONGEST_SPAN:
        raise InvalidArgument(
            f"end={last}: give one at most 31 days after start={first}; of a longer time make several exports"
        )
    if datetime.now(UTC) - first > OLDEST:
        raise InvalidArgument(f"start={first}: give one at most a year ago, CircleCI exports nothing older")
    if isinstance(shared_org_ids, str):
        raise InvalidArgument(f"shared_org_ids={shared_org_ids!r}: give a list of ids")
    return {"start": first, "end": last, **omit_none(shared_org_ids=shared_org_ids)}
