"""Usage exports."""

from datetime import timedelta
from typing import cast

from ..server.calls import Call, HttpError, found, parse_time, without_none
from ..server.routing import Routes
from ..state.registry import Json, timestamp
from ..state.usage import Quota

ROUTES = Routes()

_EXPORTS = "/organizations/{organization}/usage_export_job"
_MAX_SPAN, _MAX_AGE = timedelta(days=31), timedelta(days=366)


@ROUTES.post(_EXPORTS, status=201)
def create(call: Call) -> Json:
    organization = call.organization_by_id("organization")
    _take(call, organization.usage.create_quota)
    body = call.body({"start": str, "end": str, "shared_org_ids": list}, required=("start", "end"))
    start, end = parse_time("start", body["start"]), parse_time("end", body["end"])
    if not timedelta(0) <= end - start <= _MAX_SPAN:
        raise HttpError(400, "end: expected at most 31 days after start.")
    if call.world.clock() - start > _MAX_AGE:
        raise HttpError(400, "start: expected at most one year ago.")
    shared = [
        call.organization_with_id("shared_org_ids", id) for id in cast(list[object], body.get("shared_org_ids", []))
    ]
    export = call.world.export_usage((organization, *shared), start, end)
    return {
        "usage_export_job_id": export.id,
        "state": "created",
        "start": timestamp(export.start),
        "end": timestamp(export.end),
        "download_urls": None,
    }


@ROUTES.get(f"{_EXPORTS}/{{export}}", public=False)
def export(call: Call) -> Json:
    usage = call.organization_by_id("organization").usage
    _take(call, usage.poll_quota)
    export = found(usage.exports.get(call.uuid("export")), "Usage export job")
    state = export.state(call.world.clock())
    parts = export.parts if state == "completed" else ()
    return {
        "usage_export_job_id": export.id,
        "state": state,
        "download_urls": [call.sign(part.path) for part in parts] or None,
        **without_none(error_reason=export.error_reason if state == "failed" else None),
    }


def _take(call: Call, quota: Quota) -> None:
    if (delay := quota.take(call.world.clock())) is not None:
        raise HttpError(429, "Rate limit exceeded.", {"Retry-After": str(delay)})
