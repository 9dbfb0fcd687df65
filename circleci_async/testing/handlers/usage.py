"""Usage exports: what was built, and what it cost."""

from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from ..server.calls import Call, Json, Refusal
from ..server.routing import Routes
from ..state.accounts import Organization
from ..state.timestamps import timestamp
from ..state.usage import Quota

ROUTES = Routes()

_EXPORTS = "/organizations/{organization}/usage_export_job"
_LONGEST, _OLDEST = timedelta(days=31), timedelta(days=366)


@ROUTES.post(_EXPORTS, status=201)
def create(call: Call) -> Json:
    """Answer POST /organizations/{org_id}/usage_export_job."""
    organization = call.organization_by_id("organization")
    now = _take(call, organization.usage.asks)
    body = call.body({"start": str, "end": str, "shared_org_ids": list}, required=("start", "end"))
    start, end = _moment(body, "start"), _moment(body, "end")
    if not timedelta(0) <= end - start <= _LONGEST:
        raise Refusal(400, "end: expected at most 31 days after start.")
    if now - start > _OLDEST:
        raise Refusal(400, "start: expected at most one year ago.")
    shared = [_organization(call, id) for id in cast(list[Any], body.get("shared_org_ids", []))]
    export = organization.usage.begin(call.world.new_id(), (organization, *shared), start, end, now)
    return {
        "usage_export_job_id": export.id,
        "state": "created",
        "start": timestamp(export.start),
        "end": timestamp(export.end),
        "download_urls": None,
    }


@ROUTES.get(f"{_EXPORTS}/{{export}}", public=False)
def export(call: Call) -> Json:
    """Answer GET /organizations/{org_id}/usage_export_job/{usage_export_job_id}."""
    usage = call.organization_by_id("organization").usage
    _take(call, usage.looks)
    found = usage.exports.get(call.uuid("export"))
    if found is None:
        raise Refusal(404, "Usage export job not found")
    state = found.state(call.world.clock())
    parts = found.parts if state == "completed" else ()
    return {
        "usage_export_job_id": found.id,
        "state": state,
        "download_urls": [call.sign(part.path) for part in parts] or None,
        **({"error_reason": found.error_reason} if state == "failed" else {}),
    }


def _take(call: Call, quota: Quota) -> datetime:
    now = call.world.clock()
    wait = quota.take(now)
    if wait is not None:
        raise Refusal(429, "Rate limit exceeded.", {"Retry-After": str(wait)})
    return now


def _moment(body: Json, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(body[name])
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refusal(400, f"{name}: expected a date and time such as 2026-05-04T10:00:00Z.")
    return moment


def _organization(call: Call, id: Any) -> Organization:
    try:
        organization = call.world.organization_by_id(str(UUID(id)))
    except (AttributeError, TypeError, ValueError):
        raise Refusal(400, "shared_org_ids: expected UUIDs.") from None
    if organization is None:
        raise Refusal(404, "Organization not found")
    return organization
