"""A nightly job: report how projects did this week, and download the artifacts of their latest builds.

    export CIRCLE_TOKEN=...
    python nightly.py gh/acme/api gh/acme/web --branch main --path '**/*.whl' --into nightly

It writes `report.md` and a folder per project. An error in one project does not stop the others; the exit code is 1 if
there was any.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path

from attrs import define, field

import circleci_async as ca
from circleci_async.models import WorkflowMetrics


@define
class ProjectReport:
    """The results for one project."""

    project: str
    workflows: list[WorkflowMetrics] = field(factory=list[WorkflowMetrics])
    pipeline: int | None = None
    files: int = 0
    errors: list[str] = field(factory=list[str])


async def main(projects: list[str], branch: str, path: str | None, into: Path) -> int:
    """Process all projects concurrently, write the report, and return the exit code."""
    reports = {project: ProjectReport(project) for project in projects}
    retry = ca.RetryPolicy(attempts=8, max_wait=900)  # seconds: a nightly job can wait for a rate limit
    async with ca.CircleCI(retry=retry) as circle, asyncio.TaskGroup() as tasks:
        tasks.create_task(read_metrics(circle, reports, branch))
        for report in reports.values():
            tasks.create_task(download_latest(circle, report, branch, path, into))
    into.mkdir(parents=True, exist_ok=True)
    (into / "report.md").write_text(markdown(reports.values()), "utf-8")
    errors = [f"{report.project}: {error}" for report in reports.values() for error in report.errors]
    print(*errors, sep="\n", end="\n" if errors else "", file=sys.stderr)
    return 1 if errors else 0


async def read_metrics(circle: ca.CircleCI, reports: dict[str, ProjectReport], branch: str) -> None:
    """Read the workflow metrics of the last seven days."""
    snapshot = circle.insights.snapshot(list(reports), branch=branch, reporting_window="last-7-days")
    async with aclosing(snapshot) as results:
        async for project, result in results:
            report = reports[str(project)]
            if isinstance(result, ca.CircleCIError):
                report.errors.append(f"no insights: {result}")
            else:
                report.workflows = result


async def download_latest(
    circle: ca.CircleCI, report: ProjectReport, branch: str, path: str | None, into: Path
) -> None:
    """Download the artifacts of the newest successful build, one folder for each job."""
    try:
        found = await circle.artifacts.latest(report.project, branch=branch, path=path)
    except ca.CircleCIError as error:
        report.errors.append(f"no artifacts: {error}")
        return
    if found is None:
        return
    report.pipeline = found.pipeline.number
    for job in found.jobs:
        folder = into / report.project / f"{job.job.job_number}"
        downloads = await circle.artifacts.download_all(job.artifacts, folder)
        report.files += len(downloads.files)
        report.errors += [str(failure) for failure in downloads.failed]


def markdown(reports: Iterable[ProjectReport]) -> str:
    """Return the reports as a Markdown table."""
    lines = ["| project | workflow | runs | success | median | latest |", "|---|---|--:|--:|--:|---|"]
    for report in reports:
        latest = f"pipeline {report.pipeline}, {report.files} files" if report.pipeline else "none"
        for workflow in report.workflows:
            metrics = workflow.metrics
            lines.append(
                f"| {report.project} | {workflow.name} | {metrics.total_runs} | {metrics.success_rate:.0%}"
                f" | {metrics.duration_metrics.median} s | {latest} |"
            )
        if not report.workflows:
            lines.append(f"| {report.project} | | | | | {latest} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", metavar="PROJECT")
    parser.add_argument("--branch", default="main")
    parser.add_argument("--path", help="a glob, such as '**/*.whl'")
    parser.add_argument("--into", type=Path, default=Path("nightly"))
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))  # stop as after Ctrl-C
    try:
        sys.exit(asyncio.run(main(given.projects, given.branch, given.path, given.into)))
    except KeyboardInterrupt:
        print("interrupted: complete files are kept, no report is written", file=sys.stderr)
        sys.exit(130)
