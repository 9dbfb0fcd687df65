"""Insights: metrics of tests."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from statistics import fmean

from attrs import frozen

from .builds import Job, Workflow
from .insights import oldest, p95
from .job_tests import JobTest
from .projects import Project
from .types import Json

_FAILURES = ("failure", "error")
_MAX_RUNS, _MAX_TESTS = 10, 10

TestKey = tuple[str, str, str, str]
"""Workflow, job, class and name of a test."""


@frozen
class Execution:
    """One run of one test."""

    workflow: Workflow
    job: Job
    test: JobTest

    @property
    def key(self) -> TestKey:
        """Identifies the test across runs."""
        return self.workflow.name, self.job.name, self.test.classname, self.test.name

    @property
    def failed(self) -> bool:
        """Whether the test failed."""
        return self.test.result in _FAILURES


def executions(workflows: Iterable[Workflow]) -> list[Execution]:
    """Return the tests of these runs."""
    return [Execution(run, job, test) for run in workflows for job in run.own_jobs for test in job.tests]


def flaky_tests(project: Project) -> dict[TestKey, list[Execution]]:
    """Return the failures of the tests that both failed and passed on one commit."""
    start = oldest(project)
    by_commit: defaultdict[str, list[Workflow]] = defaultdict(list)
    for pipeline in project.pipelines.all:
        by_commit[pipeline.revision] += [run for run in pipeline.workflows if run.created_at >= start]
    found: defaultdict[TestKey, list[Execution]] = defaultdict(list)
    for workflows in by_commit.values():
        if not _has_failures(workflows):  # saves the time of the rest for nearly all commits
            continue
        by_test: defaultdict[TestKey, list[Execution]] = defaultdict(list)
        for each in executions(workflows):
            by_test[each.key].append(each)
        for key, runs in by_test.items():
            failures = [each for each in runs if each.failed]
            if failures and any(each.test.result == "success" for each in runs):
                found[key] += failures
    return found


def _has_failures(workflows: Iterable[Workflow]) -> bool:
    tests = (test for run in workflows for job in run.jobs for test in job.tests)
    return any(test.result in _FAILURES for test in tests)


def test_metrics(workflows: Sequence[Workflow], flaky: Collection[TestKey]) -> Json:
    """Summarize the tests of the ten latest of these runs, which are ordered oldest first."""
    latest = workflows[-_MAX_RUNS:][::-1]
    by_test: defaultdict[TestKey, list[Execution]] = defaultdict(list)
    for each in executions(latest):
        by_test[each.key].append(each)
    tests = [_metrics(runs, flaky=key in flaky) for key, runs in by_test.items()]
    failing = sorted((test for test in tests if test["failed_runs"]), key=lambda test: -test["failed_runs"])
    slowest = sorted(tests, key=lambda test: -test["p95_duration"])
    test_runs = [_counts(run) for run in latest]
    totals = [run["test_counts"]["total"] for run in test_runs]
    return {
        "average_test_count": round(fmean(totals)) if totals else 0,
        "most_failed_tests": failing[:_MAX_TESTS],
        "most_failed_tests_extra": max(0, len(failing) - _MAX_TESTS),
        "slowest_tests": slowest[:_MAX_TESTS],
        "slowest_tests_extra": max(0, len(slowest) - _MAX_TESTS),
        "total_test_runs": len(test_runs),
        "test_runs": test_runs,
    }


def _metrics(runs: Sequence[Execution], *, flaky: bool) -> Json:
    test = runs[0].test
    return {
        "p95_duration": p95([each.test.run_time for each in runs]),
        "total_runs": len(runs),
        "classname": test.classname,
        "failed_runs": sum(each.failed for each in runs),
        "flaky": flaky,
        "source": test.source,
        "file": test.file,
        "job_name": runs[0].job.name,
        "test_name": test.name,
    }


def _counts(run: Workflow) -> Json:
    results = Counter(each.test.result for each in executions([run]))
    total = results.total()
    return {
        "pipeline_number": run.pipeline.number,
        "workflow_id": run.id,
        "success_rate": results["success"] / total if total else 0.0,
        "test_counts": {
            **{result: results[result] for result in ("error", "failure", "skipped", "success")},
            "total": total,
        },
    }
