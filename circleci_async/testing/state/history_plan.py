"""What runs in the world of `World.history`: workflows, their jobs and their tests."""

from typing import Final

from attrs import frozen

from .executors import Utilization
from .generate import TESTS

BUILD, DEPLOY, NIGHTLY = "build-and-test", "deploy", "nightly"
QUEUED_CLASS: Final = "large"
"""The resource class whose jobs wait for minutes at nine o'clock."""
SLOWER_JOB: Final = "build-image"
"""The job that the regression slows down."""

_E2E_TESTS = (
    ("test_sign_up", "e2e.test_account", "e2e/test_account.py"),
    ("test_checkout", "e2e.test_shop", "e2e/test_shop.py"),
    ("test_search", "e2e.test_shop", "e2e/test_shop.py"),
    ("test_report", "e2e.test_reports", "e2e/test_reports.py"),
)


@frozen
class JobPlan:
    """A job: its median duration in seconds, and what it runs on."""

    name: str
    seconds: float
    resource_class: str
    executor: str = "docker"
    parallelism: int = 1
    requires: tuple[str, ...] = ()
    cpu: Utilization = (45.0, 75.0)
    ram: Utilization = (40.0, 65.0)
    fragility: int = 0
    """Weight with which it is the job that fails in a failed run."""
    fragility_after: int | None = None
    """The same after the regression; None for the same weight."""
    tests: tuple[tuple[str, str, str | None], ...] = ()
    test_seconds: float = 0.4
    flaky: tuple[str, ...] = ()
    """Names of flaky tests; a name that is repeated flakes more often."""


@frozen
class WorkflowPlan:
    """A workflow: its jobs in the order of their requirements, and the fractions of its runs that do not succeed."""

    name: str
    jobs: tuple[JobPlan, ...]
    failed: float
    canceled: float = 0.0
    error: float = 0.0


WORKFLOWS: Final = {
    plan.name: plan
    for plan in (
        WorkflowPlan(
            BUILD,
            (
                JobPlan("lint", 40, "small", fragility=15),
                JobPlan(
                    "unit-tests",
                    190,
                    "medium",
                    parallelism=4,
                    cpu=(68.0, 94.0),
                    ram=(52.0, 71.0),
                    fragility=50,
                    tests=TESTS,
                    flaky=("test_upload", "test_upload", "test_upload", "test_expired_session"),
                ),
                JobPlan(
                    "integration-tests",
                    280,
                    QUEUED_CLASS,
                    executor="machine",
                    requires=("lint",),
                    cpu=(16.0, 36.0),
                    ram=(14.0, 29.0),
                    fragility=35,
                    fragility_after=150,
                    tests=TESTS,
                    test_seconds=6.0,
                    flaky=("test_create", "test_create", "test_download"),
                ),
                JobPlan("package", 90, "medium+", requires=("unit-tests", "integration-tests")),
            ),
            failed=0.08,
            canceled=0.03,
            error=0.006,
        ),
        WorkflowPlan(
            DEPLOY,
            (
                JobPlan(SLOWER_JOB, 240, "medium", cpu=(74.0, 97.0), ram=(80.0, 96.0), fragility=1),
                JobPlan("deploy-staging", 60, "small", requires=(SLOWER_JOB,), fragility=1),
                JobPlan("smoke-tests", 90, "medium", requires=("deploy-staging",), fragility=2),
                JobPlan("deploy-production", 70, "small", requires=("smoke-tests",)),
            ),
            failed=0.03,
        ),
        WorkflowPlan(
            NIGHTLY,
            (
                JobPlan(
                    "e2e",
                    1500,
                    "xlarge",
                    parallelism=2,
                    cpu=(82.0, 98.0),
                    ram=(85.0, 97.0),
                    fragility=4,
                    tests=_E2E_TESTS,
                    test_seconds=60.0,
                    flaky=("test_checkout",),
                ),
                JobPlan("dependency-scan", 150, "small", fragility=1),
                JobPlan("load-test", 600, QUEUED_CLASS, executor="machine", cpu=(12.0, 31.0), ram=(22.0, 41.0)),
            ),
            failed=0.08,
        ),
    )
}
