"""Which jobs have failed, and which wait for an approval."""

import pytest

from circleci_async.models import JobStatus, JobType, WorkflowJob


@pytest.mark.parametrize("status", [*JobStatus, JobStatus("levitating")])
def test_a_failure_is_a_final_status_of_a_job_that_neither_succeeded_nor_was_stopped(status: JobStatus) -> None:
    expected = {"failed", "infrastructure_fail", "terminated-unknown", "timedout", "unauthorized"}
    assert status.is_failure == (status in expected)
    assert status.is_finished or not status.is_failure


@pytest.mark.parametrize(
    ("type", "status", "expected"),
    [
        ("approval", "on_hold", True),
        ("approval", "success", False),
        ("approval", "blocked", False),
        ("build", "on_hold", False),
        ("release", "on_hold", False),
    ],
)
def test_an_approval_on_hold_waits_for_an_approval(type: str, status: str, expected: bool) -> None:
    job = WorkflowJob(id="j", name="hold", type=JobType(type), status=JobStatus(status))
    assert job.is_on_hold == expected


def test_the_id_for_an_approval_is_the_id_of_the_job_if_circleci_sends_no_other() -> None:
    job = WorkflowJob(id="j", name="hold", type=JobType.APPROVAL, status=JobStatus.ON_HOLD)
    assert job.approval_id == "j"
    job = WorkflowJob(id="j", name="hold", type=JobType.APPROVAL, status=JobStatus.ON_HOLD, approval_request_id="a")
    assert job.approval_id == "a"
