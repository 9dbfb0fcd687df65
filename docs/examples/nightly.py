"""A nightly job: how many projects fared this week, and the artifacts of their latest builds.

    export CIRCLE_TOKEN=...
    python nightly.py gh/acme/api gh/acme/web --branch main --path '**/*.whl' --into nightly

It leaves `report.md` and a folder per project. One project's trouble stops no other; the exit code is 1 if there was
any.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path

from attrs import define, field

import circleci_async as ca


@define
class Night:
    """What is known of one project in the morning."""

    project: str
    workflows: list[ca.WorkflowMetrics] = field(factory=list[ca.WorkflowMetrics])
    pipeline: int | None = None
    files: int = 0
    errors: list[str] = field(factory=list[str])


async def main(projects: list[str], branch: str, path: str | None, into: Path) -> int:
    """Look at all projects at once, write the report, and return the exit code."""
    nights = {project: Night(project) for project in projects}
    patient = ca.RetryPolicy(attempts=8, max_wait=900)  # seconds: nobody waits for the answer
    async with ca.CircleCI(retry=patient) as circle, asyncio.TaskGroup() as tasks:
        tasks.create_task(measure(circle, nights, branch))
        for night in nights.values():
            tasks.create_task(fetch_latest(circle, night, branch, path, into))
    into.mkdir(parents=True, exist_ok=True)
    (into / "report.md").write_text(report(nights.values()), "utf-8")
    errors = [f"{night.project}: {error}" for night in nights.values() for error in night.errors]
    print(*errors, sep="\n", end="\n" if errors else "", file=sys.stderr)
    return 1 if errors else 0


async def measure(circle: ca.CircleCI, nights: dict[str, Night], branch: str) -> None:
    """Fill in the metrics of the last seven days."""
    snapshot = circle.insights.snapshot(list(nights), branch=branch, reporting_window="last-7-days")
    async with aclosing(snapshot) as results:
        async for project, result in results:
            night = nights[str(project)]
            if isinstance(result, ca.CircleCIError):
                night.errors.append(f"no insights: {result}")
            else:
                night.workflows = result


async def fetch_latest(circle: ca.CircleCI, night: Night, branch: str, path: str | None, into: Path) -> None:
    """Download the artifacts of the newest build that succeeded, each job's to a folder of its own."""
    try:
        found = await circle.artifacts.latest(night.project, branch=branch, path=path)
    except ca.CircleCIError as error:
        night.errors.append(f"no artifacts: {error}")
        return
    if found is None:
        return
    night.pipeline = found.pipeline.number
    for job in found.jobs:
        folder = into / night.project / f"{job.job.job_number}"
        downloads = await circle.artifacts.download_all(job.artifacts, folder)
        night.files += len(downloads.files)
        night.errors += [str(failure) for failure in downloads.failed]


def report(nights: Iterable[Night]) -> str:
    """Write it as Markdown."""
    lines = ["| project | workflow | runs | success | median | latest |", "|---|---|--:|--:|--:|---|"]
    for night in nights:
        latest = f"pipeline {night.pipeline}, {night.files} files" if night.pipeline else "none"
        for workflow in night.workflows:
            metrics = workflow.metrics
            lines.append(
                f"| {night.project} | {workflow.name} | {metrics.total_runs} | {metrics.success_rate:.0%}"
                f" | {metrics.duration_metrics.median} s | {latest} |"
            )
        if not night.workflows:
            lines.append(f"| {night.project} | | | | | {latest} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", metavar="PROJECT")
    parser.add_argument("--branch", default="main")
    parser.add_argument("--path", help="a glob, such as '**/*.whl'")
    parser.add_argument("--into", type=Path, default=Path("nightly"))
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.projects, given.branch, given.path, given.into)))
