"""Answers and reports with plausible rows, to look at their page: 90 days of two projects."""

import math
import random
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from attrs import frozen

import circleci_async as ca
from circleci_async.models import InsightsRun
from circleci_async.reports.answer import InsightsAnswer
from circleci_async.reports.failure import InsightsFailure
from circleci_async.reports.report import InsightsReport
from circleci_async.reports.table import InsightsTable

START = datetime(2026, 5, 4, tzinfo=UTC)
END = START + timedelta(days=90)
PROJECTS = ("gh/acme/api", "gh/acme/web")
KEYS = ("failures", "waits", "jobs", "flaky_tests", "credits", "queue", "sizing", "changes")

Rows = tuple[dict[str, Any], ...]


@cache
def page() -> str:
    """The page of all answers. Its charts take a second."""
    return report(answers()).html()


def failures(days: int = 90) -> Rows:
    """Rows of the answer `failures`, with a regression in the last three weeks."""
    source, rates, rows = random.Random(1), [], []
    for offset in range(days):
        day = START.date() + timedelta(days=offset)
        runs = source.randint(4, 9) if day.weekday() > 4 else source.randint(50, 80)
        failed = sum(source.random() < (0.21 if offset >= days - 21 else 0.08) for _ in range(runs))
        rates.append(failed / runs)
        rows.append(
            {
                "day": day,
                "runs": runs,
                "failed": failed,
                "failure_rate": failed / runs,
                "mean_7d": sum(rates[-7:]) / len(rates[-7:]),
                "recovery": source.lognormvariate(8.3, 1.1) if failed else None,
            }
        )
    return tuple(rows)


def waits(weeks: int = 13) -> Rows:
    """Rows of the answer `waits`."""
    source = random.Random(2)
    return tuple(
        {
            "week": START.date() + timedelta(weeks=week),
            "branch": branch,
            "runs": source.randint(60, 320),
            "p50": p50 * source.uniform(0.95, 1.05) * (1 + week * 0.02),
            "p95": p50 * source.uniform(1.9, 2.3) * (1 + week * 0.03),
        }
        for week in range(weeks)
        for branch, p50 in (("default", 540.0), ("other", 470.0))
    )


JOBS = (
    ("gh/acme/api", "build-and-test", "integration-tests", 1450, 812.0),
    ("gh/acme/api", "build-and-test", "unit-tests", 1450, 402.0),
    ("gh/acme/web", "build", "end-to-end", 812, 655.0),
    ("gh/acme/web", "build", "webpack", 812, 310.0),
    ("gh/acme/api", "build-and-test", "lint", 1450, 61.0),
    ("gh/acme/api", "nightly", "a-job-with-a-rather-long-name-that-nobody-shortened-yet", 90, 930.0),
    ("gh/acme/web", "build", "unit-tests", 812, 88.0),
    ("gh/acme/api", "deploy", "deploy-production", 210, 240.0),
    ("gh/acme/web", "deploy", "deploy", 190, 122.0),
    ("gh/acme/api", "deploy", "smoke-tests", 210, 75.0),
    ("gh/acme/web", "build", "typecheck", 812, 15.0),
    ("gh/acme/api", "build-and-test", "licenses", 1450, 6.0),
)


def jobs() -> Rows:
    """Rows of the answer `jobs`."""
    totals = [runs * median for *_, runs, median in JOBS]
    rows, sum_ = [], 0.0
    for (project, workflow, job, runs, median), total in sorted(zip(JOBS, totals, strict=True), key=lambda x: -x[1]):
        sum_ += total
        rows.append(
            {
                "project": project,
                "workflow": workflow,
                "job": job,
                "runs": runs,
                "median": median,
                "total": total,
                "share": total / sum(totals),
                "cumulative_share": sum_ / sum(totals),
            }
        )
    return tuple(rows)


def flaky_tests() -> Rows:
    """Rows of the answer `flaky_tests`."""
    names = (
        "TestCheckout.test_pays_with_an_expired_card",
        "tests/search/test_suggestions.py::test_orders_by_popularity[unicode]",
        "LoginPage shows the captcha after three attempts",
        "test_websocket_reconnects",
        "TestQueue.test_visibility_timeout",
        "Cart > keeps items over a reload",
        "test_clock_skew",
    )
    return tuple(
        {
            "project": PROJECTS[index % 2],
            "workflow": "build-and-test" if index % 2 == 0 else "build",
            "job": "integration-tests" if index % 2 == 0 else "end-to-end",
            "test": name,
            "times_flaked": 41 - 5 * index,
            "time_wasted": int(31_000 / (index + 1.2)) if index < 6 else None,
        }
        for index, name in enumerate(names)
    )


def credits_() -> Rows:
    """Rows of the answer `credits`."""
    groups: dict[str, list[tuple[str, float, float | None]]] = {
        "project": [("gh/acme/api", 812_400.0, 0.19), ("gh/acme/web", 401_200.0, 0.08)],
        "workflow": [
            ("build-and-test", 640_100.0, 0.21),
            ("build", 360_000.0, 0.09),
            ("nightly", 120_300.0, 0.11),
            ("deploy", 93_200.0, 0.04),
        ],
        "job": [
            ("integration-tests", 420_000.0, 0.24),
            ("end-to-end", 250_400.0, 0.1),
            ("unit-tests", 210_000.0, 0.12),
            ("webpack", 110_000.0, 0.02),
            ("deploy-production", 60_000.0, 0.05),
            ("lint", 30_300.0, 0.4),
        ],
        "resource class": [("large", 610_300.0, None), ("medium", 420_000.0, None), ("arm.medium", 183_300.0, None)],
    }
    return tuple(
        {
            "by": by,
            "name": name,
            "credits": float(used),
            "failed_credits": None if share is None else used * share,
            "share": used / 1_213_600,
        }
        for by, items in groups.items()
        for name, used, share in items
    )


def queue() -> Rows:
    """Rows of the answer `queue`, with a peak at nine in the morning."""
    source = random.Random(3)
    return tuple(
        {
            "hour": hour,
            "resource_class": name,
            "jobs": source.randint(10, 400),
            "p50": (p95 := size * (1 + 9 * math.exp(-((hour - 9) ** 2) / 6)) * source.uniform(0.8, 1.2)) / 3,
            "p95": p95,
        }
        for name, size in (("arm.medium", 6.0), ("large", 32.0), ("medium", 14.0), ("windows.large", 40.0))
        for hour in range(24)
        if not (name == "windows.large" and hour < 6)
    )


def sizing() -> Rows:
    """Rows of the answer `sizing`."""
    source, rows = random.Random(4), []
    for index, (project, workflow, job, runs, _) in enumerate(JOBS):
        is_candidate = index in {3, 4, 6, 8}
        top = 38 if is_candidate else 98
        cpu, ram = source.uniform(12 if is_candidate else 45, top), source.uniform(14 if is_candidate else 40, top)
        rows.append(
            {
                "project": project,
                "workflow": workflow,
                "job": job,
                "resource_class": source.choice(["medium", "large"]),
                "jobs": runs,
                "median_cpu": cpu * 0.6,
                "max_cpu": cpu,
                "median_ram": ram * 0.8,
                "max_ram": ram,
                "credits": runs * 13.0,
                "is_candidate": is_candidate,
            }
        )
    return tuple(rows)


def changes() -> Rows:
    """Rows of the answer `changes`."""
    values: list[tuple[str, str, list[tuple[float | None, float | None]]]] = [
        ("gh/acme/api", "build-and-test", [(1450, 1300), (0.118, 0.071), (821, 640), (1720, 1302), (640e3, 512e3)]),
        ("gh/acme/api", "deploy", [(210, 214), (0.02, 0.031), (330, 341), (512, 540), (61_010, 61e3)]),
        ("gh/acme/web", "build", [(812, 790), (0.064, 0.064), (655, 700), (1210, 1190), (360e3, 410e3)]),
        ("gh/acme/web", "nightly", [(90, None), (0.1, None), (930, None), (1100, None), (120e3, None)]),
    ]
    return tuple(
        {
            "project": project,
            "workflow": workflow,
            **{
                name + suffix: value
                for name, (now, before) in zip(("runs", "failure_rate", "p50", "p95", "credits"), pairs, strict=True)
                for suffix, value in (
                    ("", now),
                    ("_before", before),
                    ("_change", _change(name, now, before)),
                )
            },
        }
        for project, workflow, pairs in values
    )


def _change(name: str, now: float | None, before: float | None) -> float | None:
    if now is None or before is None:
        return None
    return now - before if name == "failure_rate" else now / before - 1


def answers() -> tuple[InsightsAnswer, ...]:
    """Return the eight answers, each with rows."""
    found = (
        (
            "Is it getting worse?",
            "Yes: 20.9 % of the runs failed in the last 7 days, 8.1 % in the 83 days before.",
            failures(),
        ),
        ("How long do people wait?", "In the last week, p50 was 11 min 20 s on the default branch.", waits()),
        ("What is worth speeding up?", "3 of 12 jobs take 82 % of the time: first integration-tests, 327 h.", jobs()),
        (
            "Which tests flake, and what does that cost?",
            "7 tests flaked 182 times and wasted 14 h 20 min.",
            flaky_tests(),
        ),
        ("Where do the credits go?", "1,213,600 credits; 16.4 % of them on failed runs.", credits_()),
        ("Who waits in the queue?", "Jobs on windows.large wait longest: at 9:00 UTC, p95 is 6 min 12 s.", queue()),
        ("What is oversized?", "4 of 12 jobs never used half of their CPU and memory.", sizing()),
        (
            "What changed against the window before?",
            "build-and-test failed more often: 11.8 %, before 7.1 %.",
            changes(),
        ),
    )
    return tuple(
        InsightsAnswer(key=key, question=question, text=text, rows=rows)
        for key, (question, text, rows) in zip(KEYS, found, strict=True)
    )


def empty_answers() -> tuple[InsightsAnswer, ...]:
    """Return the eight answers without data."""
    return tuple(
        InsightsAnswer(key=each.key, question=each.question, text=f"No {each.key}: nothing ran.") for each in answers()
    )


def runs(count: int = 5_000) -> list[InsightsRun]:
    """Return runs, spread evenly over the window."""
    return [
        InsightsRun(
            project=PROJECTS[index % 2],
            workflow="build-and-test",
            id=f"00000000-0000-4000-8000-{index:012}",
            branch="main" if index % 3 == 0 else f"feature-{index % 50}",
            is_default_branch=index % 3 == 0,
            status="failed" if index % 10 == 0 else "success",
            duration=300 + index % 600,
            credits_used=100 + index % 300,
            created_at=(created := START + (END - START) * index / count),
            stopped_at=created + timedelta(seconds=300 + index % 600),
        )
        for index in range(count)
    ]


@frozen(kw_only=True, eq=False)
class SampleReport(InsightsReport):
    """A report whose answers are given."""

    given: tuple[InsightsAnswer, ...] = ()

    @property
    def answers(self) -> tuple[InsightsAnswer, ...]:
        return self.given


def report(given: tuple[InsightsAnswer, ...] = (), **changed: Any) -> InsightsReport:
    """Return a report of 5,000 runs with the given answers, one failure and one note."""
    values: dict[str, Any] = {
        "given": given,
        "projects": PROJECTS,
        "start": START,
        "end": END,
        "runs": InsightsTable(InsightsRun, runs()),
        "failures": (
            InsightsFailure(
                project="gh/acme/old", kind="project", error=ca.CircleCIError("GET /project: 404 Not found")
            ),
        ),
        "notes": ("CircleCI keeps insights for 90 days.",),
        "requests": 137,
    }
    return SampleReport(**values | changed)
