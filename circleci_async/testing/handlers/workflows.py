"""Workflows and jobs, with their tests and artifacts."""

from typing import Any, cast

from ..server.calls import ID, Call, HttpError, found
from ..server.routing import Routes
from ..state.builds import Job, Workflow
from ..state.registry import Json
from ..state.results import CANCELABLE
from . import bodies

ROUTES = Routes()

_ACCEPTED = {"message": "Accepted."}


@ROUTES.get("/workflow/{id}")
def workflow(call: Call) -> Json:
    return bodies.workflow(call.workflow("id"))


@ROUTES.get("/workflow/{id}/job")
def workflow_jobs(call: Call) -> Json:
    workflow = call.workflow("id")
    return call.page(workflow.jobs, bodies.workflow_job, key=ID, scope=f"jobs {workflow.id}")


@ROUTES.post("/workflow/{id}/cancel", status=202)
def cancel_workflow(call: Call) -> Json:
    workflow = call.workflow("id")
    if workflow.ended:
        raise HttpError(400, f"The workflow cannot be canceled: its status is {workflow.status}.")
    call.engine.cancel_workflow(workflow, by=call.caller())
    return _ACCEPTED


@ROUTES.post("/workflow/{id}/approve/{approval}", status=202)
def approve(call: Call) -> Json:
    workflow = call.workflow("id")
    id = call.uuid("approval")
    job = found(next((job for job in workflow.jobs if job.id == id and job.type == "approval"), None), "Job")
    if job.status != "on_hold":
        raise HttpError(400, f"The job cannot be approved: its status is {job.status}.")
    call.engine.approve(job, by=call.caller())
    return _ACCEPTED


@ROUTES.post("/workflow/{id}/rerun", status=202)
def rerun(call: Call) -> Json:
    workflow = call.workflow("id")
    body = call.body({"enable_ssh": bool, "from_failed": bool, "jobs": list, "sparse_tree": bool})
    ids = cast(list[Any], body.get("jobs", []))
    if ids and body.get("from_failed"):
        raise HttpError(400, "jobs and from_failed cannot be given together.")
    if not ids and (body.get("enable_ssh") or body.get("sparse_tree")):
        raise HttpError(400, "enable_ssh and sparse_tree need jobs.")
    if not workflow.ended:
        raise HttpError(400, f"The workflow cannot be rerun: its status is {workflow.status}.")
    if ids:
        jobs = _chosen(workflow, ids)
    elif body.get("from_failed"):
        jobs = [job for job in workflow.jobs if job.status != "success"]
    else:
        jobs = workflow.jobs
    if body.get("from_failed") and not jobs:
        raise HttpError(400, "The workflow cannot be rerun from failed: no job of it failed.")
    return {"workflow_id": call.engine.rerun(workflow, jobs=jobs, by=call.caller()).id}


def _chosen(workflow: Workflow, ids: list[Any]) -> list[Job]:
    """Return the jobs with these ids, the jobs that depend on them, and all jobs that have not succeeded."""
    known = {job.id for job in workflow.jobs}
    if not all(isinstance(id, str) and id in known for id in ids):
        raise HttpError(400, "jobs: expected ids of this workflow's jobs.")
    chosen: dict[str, Job] = {}
    for job in workflow.jobs:
        if job.id in ids or job.status != "success" or any(before.id in chosen for before in job.requires):
            chosen[job.id] = job
    return list(chosen.values())


@ROUTES.get("/project/{project}/job/{job}")
def job(call: Call) -> Json:
    return bodies.job_details(call.job())


@ROUTES.get("/project/{project}/{job}/tests")
def tests(call: Call) -> Json:
    job = call.job()
    return call.page(
        job.tests, bodies.test_result, key=lambda each: (each.classname, each.name), scope=f"tests {job.id}"
    )


@ROUTES.get("/project/{project}/{job}/artifacts")
def artifacts(call: Call) -> Json:
    job = call.job()
    return call.page(
        job.artifacts,
        lambda each: bodies.artifact(each, call.artifacts_url),
        key=lambda each: each.location,
        scope=f"artifacts {job.id}",
    )


@ROUTES.post("/project/{project}/job/{job}/cancel", status=200)
def cancel_by_number(call: Call) -> Json:
    return _cancel_job(call, call.job())


@ROUTES.post("/jobs/{id}/cancel", status=200)
def cancel_by_id(call: Call) -> Json:
    return _cancel_job(call, found(call.world.jobs.get(call.uuid("id")), "Job"))


def _cancel_job(call: Call, job: Job) -> Json:
    if job.status not in CANCELABLE:
        raise HttpError(400, f"The job cannot be canceled: its status is {job.status}.")
    call.engine.cancel_job(job, by=call.caller())
    return {"message": "Accepted."}
