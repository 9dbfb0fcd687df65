"""Report the CI of an organization: success rates and durations of workflows, flaky tests, and credits.

    export CIRCLE_TOKEN=...
    python report.py gh/acme --days 30 --into report
    python report.py gh/acme gh/acme/api gh/acme/web

It writes a CSV file for each table, and `summary.md`. An error of one project does not stop the others: the summary
lists it, and the exit code is 1.
"""

import argparse
import asyncio
import csv
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field

import circleci_async as ca

T = TypeVar("T")


@define
class Report:
    """What was read from the API."""

    projects: list[str]
    workflows: list[ca.WorkflowMetrics] = field(factory=list[ca.WorkflowMetrics])
    runs: list[ca.WorkflowRun] = field(factory=list[ca.WorkflowRun])
    flaky_tests: list[dict[str, Any]] = field(factory=list[dict[str, Any]])
    errors: list[str] = field(factory=list[str])

    async def read(self, circle: ca.CircleCI, days: int) -> None:
        """Read the metrics, the runs and the flaky tests of the projects, on all branches."""
        snapshot = circle.insights.snapshot(self.projects, all_branches=True, reporting_window=f"last-{days}-days")
        runs: dict[str, ca.Paged[ca.WorkflowRun]] = {}
        async for project, workflows in self._ok("insights", snapshot):
            self.workflows += workflows
            for name in (each.name for each in workflows):
                found = circle.insights.workflow_runs(project, name, all_branches=True, start_date=f"{days}d")
                runs[f"{project} {name}"] = found
        async for _, some in self._ok("runs", ca.as_completed(runs)):
            self.runs += some
        flaky_tests = ca.as_completed({project: circle.insights.flaky_tests(project) for project in self.projects})
        async for project, tests in self._ok("flaky tests", flaky_tests):
            self.flaky_tests += ca.rows(tests.flaky_tests, project=project)

    async def _ok(self, what: str, of: AsyncIterable[tuple[str, T | ca.CircleCIError]]) -> AsyncIterator[tuple[str, T]]:
        """Yield the results, and keep the errors."""
        async for key, result in of:
            if isinstance(result, ca.CircleCIError):
                self.errors.append(f"{key}: no {what}: {result}")
            else:
                yield key, result

    def credits(self) -> list[dict[str, Any]]:
        """Return the credits of each project and day."""
        used = Counter[tuple[str, str]]()
        for run in self.runs:
            used[f"{run.project}", f"{run.created_at:%Y-%m-%d}"] += run.credits_used
        return [{"project": project, "day": day, "credits": used[project, day]} for project, day in sorted(used)]

    def summary(self) -> str:
        """Return the summary in Markdown: the workflows that fail most, the flakiest tests, and the errors."""
        credits = sum(run.credits_used for run in self.runs)
        lines = [f"{len(self.projects)} projects, {len(self.runs)} runs, {credits:,} credits", ""]
        lines += ["| workflow | runs | success | median | credits |", "|---|--:|--:|--:|--:|"]
        for each in sorted(self.workflows, key=lambda each: each.metrics.success_rate):
            of, median = each.metrics, each.metrics.duration_metrics.median
            shown = f"{of.total_runs} | {of.success_rate:.0%} | {median} s | {of.total_credits_used}"
            lines.append(f"| {each.project} {each.name} | {shown} |")
        lines += ["", "| flaky test | job | flaked |", "|---|---|--:|"]
        for row in sorted(self.flaky_tests, key=lambda row: row["times_flaked"], reverse=True):
            lines.append(f"| {row['project']} {row['test_name']} | {row['job_name']} | {row['times_flaked']} |")
        return "\n".join([*lines, "", *(f"- {error}" for error in self.errors)]).rstrip() + "\n"


def write(file: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Write a table as CSV. Without rows it has its columns, too."""
    with file.open("w", encoding="utf-8", newline="") as text:
        table = csv.DictWriter(text, columns)
        table.writeheader()
        table.writerows(rows)


async def main(organization: str, projects: list[str], days: int, into: Path) -> list[str]:
    """Read and write the report, and return its errors."""
    async with ca.CircleCI() as circle:
        report = Report(projects or [project.slug async for project in circle.projects.list(organization)])
        await report.read(circle, days)
    into.mkdir(parents=True, exist_ok=True)
    metrics = ca.rows(report.workflows, strip="metrics.")
    write(into / "workflows.csv", ca.columns(ca.WorkflowMetrics, strip="metrics."), metrics)
    write(into / "runs.csv", ca.columns(ca.WorkflowRun), ca.rows(report.runs))
    write(into / "flaky_tests.csv", ca.columns(ca.FlakyTest, project=None), report.flaky_tests)
    write(into / "credits.csv", ["project", "day", "credits"], report.credits())
    (into / "summary.md").write_text(report.summary(), "utf-8")
    return report.errors


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("organization", metavar="ORGANIZATION")
    parser.add_argument("projects", nargs="*", metavar="PROJECT", help="only these projects")
    parser.add_argument("--days", type=int, choices=(7, 30, 60, 90), default=30)
    parser.add_argument("--into", type=Path, default=Path("report"))
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))  # stop as after Ctrl-C
    try:
        sys.exit("\n".join(asyncio.run(main(**vars(parser.parse_args())))) or 0)
    except ca.CircleCIError as error:  # such as an invalid token
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted: no report is written", file=sys.stderr)
        sys.exit(130)
