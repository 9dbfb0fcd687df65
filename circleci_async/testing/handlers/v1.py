"""API v1.1: the steps of a job and their output, which v2 lacks.

It answers with JSON if the request's `Accept` names it, and with EDN otherwise, as the real API does.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from ...errors import InvalidArgument
from ..server.api import Api
from ..server.calls import Call, HttpError, digits
from ..server.exchange import JSON, Request, Response
from ..server.routing import Router, Routes
from ..state.builds import Job
from ..state.content import Extract, Readable
from ..state.registry import Json, timestamp
from ..state.results import LIVE, WAITING
from ..state.steps import Step
from ..state.world import canonical

_ROUTES = Routes()
_BUILD = "/project/{vcs}/{owner}/{repo}/{build}"
_ENDED_BADLY = frozenset({"failed", "timedout", "infrastructure_fail"})


@_ROUTES.get(_BUILD)
def build(call: Call) -> Response:
    return _answer(200, _described(_job(call), call), call.headers)


@_ROUTES.get(_BUILD + "/output/{step}/{index}")
def output(call: Call) -> Response:
    """Answer GET .../output/:step/:index, which is undocumented; text with `file=true`."""
    job = _job(call)
    address = call.values["step"], call.values["index"]
    step = next((each for each in job.steps if (str(each.number), str(each.node)) == address), None)
    if step is None or step.number is None:
        raise HttpError(404, "Output not found")
    if call.query.get("file") == "true":
        return _whole(step.text, "text/plain;charset=utf-8")
    return _whole(step.content, JSON)


def _answer(status: int, body: Json, headers: Mapping[str, str], more: Mapping[str, str] | None = None) -> Response:
    """Return a response in the format that the request's headers accept."""
    accepted = {part.partition(";")[0].strip().lower() for part in headers.get("Accept", "").split(",")}
    as_json = "application/json" in accepted
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")) if as_json else _edn(body)
    return Response(status, text.encode(), {"Content-Type": JSON if as_json else "application/edn", **(more or {})})


def _error_response(request: Request, status: int, message: str, headers: Mapping[str, str]) -> Response:
    """Return an error response."""
    return _answer(status, {"message": message}, request.headers, headers)


V1 = Api("/api/v1.1/", Router(_ROUTES), _error_response)
"""API v1.1."""


def _whole(content: Readable, type: str) -> Response:
    return Response(200, Extract(content, 0, content.size), {"Content-Type": type})


def _job(call: Call) -> Job:
    """Return the job of the path; 404 if it was canceled before it started."""
    vcs, owner, repo = (call.values[name] for name in ("vcs", "owner", "repo"))
    try:
        slug = canonical(f"{vcs}/{owner}/{repo}", parts=3)
    except InvalidArgument:
        slug = ""
    project = call.world.projects.get(slug)
    if project is None or not project.public:
        call.caller()  # without a token, the answer must not depend on whether it exists
    number = digits(call.values["build"])
    job = project.jobs.get(number) if project and number is not None else None
    if job is None or (job.started_at is None and job.status not in WAITING):
        raise HttpError(404, "Build not found")
    return job


def _described(job: Job, call: Call) -> Json:
    pipeline = job.workflow.pipeline
    project = pipeline.project
    duration = job.duration
    ended = job.status not in LIVE | WAITING
    return {
        "build_num": job.number,
        "build_url": f"https://circleci.com/{project.slug}/{job.number}",
        "vcs_type": project.organization.vcs,
        "vcs_url": project.vcs_url,
        "username": project.organization.name,
        "reponame": project.name,
        "branch": pipeline.branch,
        "vcs_tag": pipeline.tag,
        "vcs_revision": pipeline.revision,
        "subject": pipeline.subject,
        "body": "",
        "why": pipeline.trigger_type,
        "user": {"login": pipeline.actor.login, "name": pipeline.actor.name, "avatar_url": pipeline.actor.avatar_url},
        "queued_at": timestamp(job.queued_at),
        "start_time": timestamp(job.started_at),
        "stop_time": timestamp(job.stopped_at),
        "build_time_millis": None if duration is None else round(duration * 1000),
        "lifecycle": "finished" if ended else "running" if job.status == "running" else "queued",
        "outcome": job.status if ended else None,
        "status": job.status,
        "failed": job.status in _ENDED_BADLY if ended else None,
        "infrastructure_fail": job.status == "infrastructure_fail",
        "timedout": job.status == "timedout",
        "canceled": job.status == "canceled",
        "parallel": job.parallelism,
        "has_artifacts": bool(job.artifacts),
        "retry_of": None,
        "workflows": {
            "job_name": job.name,
            "job_id": job.id,
            "workflow_id": job.workflow.id,
            "workspace_id": job.workflow.id,
            "workflow_name": job.workflow.name,
            "upstream_job_ids": [before.id for before in job.requires],
        },
        "steps": [
            {"name": actions[0].name, "actions": [_action(each, call) for each in actions]}
            for actions in _grouped(job.steps)
        ],
    }


def _grouped(steps: Iterable[Step]) -> Iterable[list[Step]]:
    """Group the records of one step on several nodes."""
    groups: dict[int | str, list[Step]] = {}
    for step in steps:
        groups.setdefault(step.name if step.number is None else step.number, []).append(step)
    return groups.values()


def _action(step: Step, call: Call) -> Json:
    duration = step.duration
    body: Json = {
        "truncated": False,
        "index": step.node,
        "parallel": True,
        "failed": True if step.status == "failed" else None,
        "infrastructure_fail": True if step.status == "infrastructure_fail" else None,
        "name": step.name,
        "bash_command": step.command,
        "status": step.status,
        "timedout": True if step.status == "timedout" else None,
        "continue": None,
        "end_time": timestamp(step.stopped_at),
        "type": step.type,
        "allocation_id": f"{step.job_id}-{step.node}-build",
        "start_time": timestamp(step.started_at),
        "background": step.background,
        "exit_code": step.exit_code,
        "insignificant": False,
        "canceled": True if step.status == "canceled" else None,
        "step": step.number,
        "run_time_millis": None if duration is None else round(duration * 1000),
        "has_output": step.has_output,
    }
    # Output is uploaded to the storage when the step ends; until then only the API has it.
    if step.has_output and step.url and step.status != "running":
        body["output_url"] = call.sign_briefly(step.key)
    return body


def _edn(value: Any) -> str:
    """Encode a JSON value as EDN."""
    if value is None:
        return "nil"
    if isinstance(value, dict):
        pairs = (f":{key} {_edn(each)}" for key, each in cast(Json, value).items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{' '.join(map(_edn, cast(list[object], value)))}]"
    return json.dumps(value, ensure_ascii=False)
