"""Usage exports: the usage and the costs of an organization, as CSV files."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..core.encoding import omit_none
from ..core.when import When, parse_datetime
from ..errors import InvalidArgument
from ..models.usage import UsageExport
from ..slug import segment
from .resource import Id, Resource

MAX_SPAN = timedelta(days=31)
MAX_AGE = timedelta(days=366)


class Usage(Resource):
    """Usage exports: the usage and the costs of an organization, as CSV files.

    An export takes minutes to hours. Limits per organization: 10 exports an hour, and 10 status requests a minute.
    """

    async def create_export(
        self,
        organization_id: Id,
        *,
        start: When,
        end: When,
        shared_org_ids: Sequence[Id] | None = None,
    ) -> UsageExport:
        """Start an export of an organization's usage.

        `POST /organizations/{org_id}/usage_export_job`

        `start` and `end` are inclusive, at most 31 days apart, and at most a year ago: datetimes, dates, text such as
        `30d`, and so on: see `When`. `shared_org_ids`: further
        organizations of the same plan. Call `wait` and then `rows` with the result, or `export` for all three steps.
        """
        return await self._session.request(
            UsageExport,
            "POST",
            f"/organizations/{segment(organization_id)}/usage_export_job",
            json=export_request(start, end, shared_org_ids),
            isolated_limit=True,
        )

    async def get_export(self, organization_id: Id, export_id: Id) -> UsageExport:
        """Return an export. A completed one has the URLs of its files.

        `GET /organizations/{org_id}/usage_export_job/{usage_export_job_id}`
        """
        return await self._session.request(
            UsageExport,
            "GET",
            f"/organizations/{segment(organization_id)}/usage_export_job/{segment(export_id)}",
            isolated_limit=True,
        )


def export_request(start: When, end: When, shared_org_ids: Sequence[Id] | None) -> dict[str, Any]:
    """Check the arguments of an export, and return the body of the request."""
    now = datetime.now(UTC)
    first, last = parse_datetime("start", start, now), parse_datetime("end", end, now)
    if first is None or last is None:
        raise InvalidArgument(f"start and end are required, got start={start!r}, end={end!r}")
    if last < first:
        raise InvalidArgument(f"end must not be before start={first}, got {last}")
    if now - first > MAX_AGE:
        raise InvalidArgument(f"start must be at most a year ago, got {first}")
    if last - first > MAX_SPAN:
        raise InvalidArgument(
            f"end must be at most 31 days after start={first}, got {last}: split a longer time into several exports"
        )
    if isinstance(shared_org_ids, str):
        raise InvalidArgument(f"shared_org_ids must be a list of ids, got {shared_org_ids!r}")
    return {"start": first, "end": last, **omit_none(shared_org_ids=shared_org_ids)}
