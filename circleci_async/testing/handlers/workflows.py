"""Workflows."""

from typing import Any, cast

from ..server.calls import Call, Json, Refusal
from ..server.routing import Routes
from ..state.builds import Workflow
from ..state.jobs import Job
from . import bodies

ROUTES = Routes()

_ACCEPTED = {"message": "Accepted."}


@ROUTES.get("/workflow/{id}")
def workflow(call: Call) -> Json:
    """Answer GET /workflow/{id}."""
    return bodies.workflow(call.workflow("id"))


@ROUTES.get("/workflow/{id}/job")
def jobs(call: Call) -> Json:
    """Answer GET /workflow/{id}/job."""
    workflow = call.workflow("id")
    return call.page(workflow.jobs, bodies.workflow_job, scope=f"jobs {workflow.id}")


@ROUTES.post("/workflow/{id}/cancel", status=202)
def cancel(call: Call) -> Json:
    """Answer POST /workflow/{id}/cancel."""
    workflow = call.workflow("id")
    if workflow.ended:
        raise Refusal(400, f"The workflow can't be canceled: its status is {workflow.status}.")
    call.engine.cancel_workflow(workflow, by=call.caller())
    return _ACCEPTED


@ROUTES.post("/workflow/{id}/approve/{approval}", status=202)
def approve(call: Call) -> Json:
    """Answer POST /workflow/{id}/approve/{approval_request_id}."""
    workflow = call.workflow("id")
    wanted = call.uuid("approval")
    job = next((job for job in workflow.jobs if job.id == wanted and job.type == "approval"), None)
    if job is None:
        raise Refusal(404, "Job not found")
    if job.status != "on_hold":
        raise Refusal(400, f"The job can't be approved: its status is {job.status}.")
    call.engine.approve(job, by=call.caller())
    return _ACCEPTED


@ROUTES.post("/workflow/{id}/rerun", status=202)
def rerun(call: Call) -> Json:
    """Answer POST /workflow/{id}/rerun."""
    workflow = call.workflow("id")
    body = call.body({"enable_ssh": bool, "from_failed": bool, "jobs": list, "sparse_tree": bool})
    wanted = cast(list[Any], body.get("jobs", []))
    if wanted and body.get("from_failed"):
        raise Refusal(400, "jobs and from_failed can't be given together.")
    if not wanted and (body.get("enable_ssh") or body.get("sparse_tree")):
        raise Refusal(400, "enable_ssh and sparse_tree need jobs.")
    if not workflow.ended:
        raise Refusal(400, f"The workflow can't be rerun: its status is {workflow.status}.")
    if wanted:
        again = _chosen(workflow, wanted)
    elif body.get("from_failed"):
        again = [job for job in workflow.jobs if job.status != "success"]
    else:
        again = workflow.jobs
    if body.get("from_failed") and not again:
        raise Refusal(400, "The workflow can't be rerun from failed: no job of it failed.")
    return {"workflow_id": call.engine.rerun(workflow, again=again, by=call.caller()).id}


def _chosen(workflow: Workflow, wanted: list[Any]) -> list[Job]:
    """Give the jobs that were asked for, and those that depend on them or never succeeded."""
    known = {job.id for job in workflow.jobs}
    if not all(isinstance(id, str) and id in known for id in wanted):
        raise Refusal(400, "jobs: expected ids of this workflow's jobs.")
    again: dict[str, Job] = {}
    for job in workflow.jobs:
        if job.id in wanted or job.status != "success" or any(before.id in again for before in job.requires):
            again[job.id] = job
    return list(again.values())
