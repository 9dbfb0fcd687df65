"""Jobs, their tests and their artifacts."""

from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import HttpError, found
from ..state.builds import Job
from ..state.statuses import CANCELABLE
from ..state.types import Json
from . import bodies

ROUTES = Routes()


@ROUTES.get("/project/{project}/job/{job}")
def job(call: Call) -> Json:
    """Answer GET /project/{project-slug}/job/{job-number}."""
    return bodies.job_details(call.job())


@ROUTES.get("/project/{project}/{job}/tests")
def tests(call: Call) -> Json:
    """Answer GET /project/{project-slug}/{job-number}/tests."""
    job = call.job()
    return call.page(
        job.tests, bodies.test_result, key=lambda each: (each.classname, each.name), scope=f"tests {job.id}"
    )


@ROUTES.get("/project/{project}/{job}/artifacts")
def artifacts(call: Call) -> Json:
    """Answer GET /project/{project-slug}/{job-number}/artifacts."""
    job = call.job()
    return call.page(
        job.artifacts,
        lambda each: bodies.artifact(each, call.artifacts_url),
        key=lambda each: each.location,
        scope=f"artifacts {job.id}",
    )


@ROUTES.post("/project/{project}/job/{job}/cancel", status=200)
def cancel_by_number(call: Call) -> Json:
    """Answer POST /project/{project-slug}/job/{job-number}/cancel."""
    return _cancel(call, call.job())


@ROUTES.post("/jobs/{id}/cancel", status=200)
def cancel_by_id(call: Call) -> Json:
    """Answer POST /jobs/{job-id}/cancel."""
    return _cancel(call, found(call.world.jobs.get(call.uuid("id")), "Job"))


def _cancel(call: Call, job: Job) -> Json:
    if job.status not in CANCELABLE:
        raise HttpError(400, f"The job cannot be canceled: its status is {job.status}.")
    call.engine.cancel_job(job, by=call.caller())
    return {"message": "Accepted."}
