"""Each answer in words, for small tables."""

import pytest
from attrs import evolve

from circleci_async import ApiError, CircleCIError, InsightsFailure, NotFound, PermissionDenied
from circleci_async.models.insights_tables import InsightsJob
from circleci_async.reports.analysis.waits import waits

from .reports import answer, at, flaky, job, report, run, used, workflow


def texts(key: str, *args: object, **fields: object) -> str:
    """Return the text of an answer."""
    return answer(key, *args, **fields).text


def test_each_answer_says_what_is_missing_without_data() -> None:
    empty = report()
    assert {each.key: each.text for each in empty.answers} == {
        "failures": "No runs were found from 2026-08-31 to 2026-09-27: check projects, window and branch.",
        "waits": "No runs were found from 2026-08-31 to 2026-09-27: check projects, window and branch.",
        "jobs": "CircleCI reports no durations of jobs: it computes them once a day.",
        "flaky_tests": (
            "No flaky tests are known. CircleCI detects them in jobs that upload test results with the step "
            "store_test_results."
        ),
        "credits": "CircleCI reports no credits for the runs of this window.",
        "queue": "Queue times are only in the usage export: pass usage=True, or --usage on the command line.",
        "sizing": "CPU and memory use are only in the usage export: pass usage=True, or --usage on the command line.",
        "changes": (
            "No runs of the window before are known. CircleCI keeps 90 days: choose a window of at most 45 days, or "
            "collect a history with circleci-async insights collect."
        ),
    }
    assert not any(each.rows for each in empty.answers)
    assert [each.question for each in empty.answers] == [
        "Is it getting worse?",
        "How long do people wait?",
        "What is worth speeding up?",
        "Which tests flake, and what does that cost?",
        "Where do the credits go?",
        "Who waits in the queue?",
        "What is oversized?",
        "What changed against the window before?",
    ]


@pytest.mark.parametrize(
    ("kind", "error", "unread"),
    [
        ("usage", PermissionDenied, {"queue": "usage", "sizing": "usage"}),
        ("runs", PermissionDenied, {"failures": "runs", "waits": "runs", "credits": "runs"}),
        ("jobs", PermissionDenied, {"jobs": "jobs"}),
        ("flaky_tests", PermissionDenied, {"flaky_tests": "flaky tests"}),
        ("workflows", PermissionDenied, {"failures": "runs", "waits": "runs", "credits": "runs", "jobs": "jobs"}),
        (
            "project",
            NotFound,
            {
                "failures": "runs",
                "waits": "runs",
                "credits": "runs",
                "jobs": "jobs",
                "flaky_tests": "flaky tests",
            },
        ),
        ("project", PermissionDenied, {}),  # everything else was requested
        ("tests", PermissionDenied, {}),
    ],
)
def test_an_answer_without_data_names_what_could_not_be_read(
    kind: str, error: type[ApiError], unread: dict[str, str]
) -> None:
    failed = [
        InsightsFailure(project=f"gh/acme/{name}", kind=kind, error=error(403, "no", method="GET", url="/"))
        for name in ("api", "api", "web")
    ]
    empty = report()
    assert {each.key: each.text for each in evolve(empty, failures=tuple(failed)).answers} == {
        each.key: f"The {unread[each.key]} of gh/acme/api and gh/acme/web could not be read."
        if each.key in unread
        else each.text
        for each in empty.answers
    }


def test_at_most_three_projects_that_could_not_be_read_are_named() -> None:
    failed = [
        InsightsFailure(project=f"gh/acme/p{index}", kind="usage", error=CircleCIError("no")) for index in range(5)
    ]
    texts = {each.key: each.text for each in evolve(report(), failures=tuple(failed)).answers}
    assert texts["queue"] == "The usage of gh/acme/p0, gh/acme/p1, gh/acme/p2 and 2 more could not be read."


def test_answers_with_data_do_not_name_failures() -> None:
    failed = [InsightsFailure(project="gh/acme/web", kind="runs", error=CircleCIError("no"))]
    runs = [run(1)]
    assert evolve(report(runs), failures=tuple(failed)).answers[0] == report(runs).answers[0]


def test_a_usage_export_without_the_data_is_named() -> None:
    for usage in ([], [used()]):
        assert texts("queue", usage=usage, has_usage=True) == "The usage export contains no queue times."
        assert texts("sizing", usage=usage, has_usage=True) == "The usage export contains no CPU or memory use."


def test_the_answers_are_computed_once() -> None:
    computed = report([run(1)])
    assert computed.answers is computed.answers


def test_failures_compare_the_halves_of_the_window() -> None:
    runs = [run(1), run(2, "failed"), run(2.5), run(3), run(20, "failed"), run(21, "error"), run(21.25), run(22)]
    assert texts("failures", runs) == (
        "38 % of 8 runs failed: 50 % in the second half of the window, 25 % in the first; "
        "recovery took 21 h on average."
    )
    assert texts("failures", [run(1, "failed")]) == "100 % of 1 run failed."


def test_failures_of_a_day_and_of_the_seven_days_before_it() -> None:
    rows = answer("failures", [run(0, "failed"), run(0.5), run(6.75, "failed"), run(8.5)], 9).rows
    assert [row["day"] for row in rows] == [at(day).date() for day in range(9)]
    assert [row["runs"] for row in rows] == [2, 0, 0, 0, 0, 0, 1, 0, 1]
    assert [row["failure_rate"] for row in rows] == [0.5, None, None, None, None, None, 1.0, None, 0.0]
    assert [row["mean_7d"] for row in rows] == [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 2 / 3, 1.0, 0.5]
    assert [row["recovery"] for row in rows] == [43_200, None, None, None, None, None, None, None, 151_200]
    assert answer("failures", [run(1)], 30).rows[20]["mean_7d"] is None


def test_a_window_of_years_has_a_row_for_each_week() -> None:
    rows = answer("failures", [run(day, "failed" if day % 2 else "success") for day in range(3_653)], 3_653).rows
    assert len(rows) == 522
    assert {row["day"].weekday() for row in rows} == {0}
    assert sum(row["runs"] for row in rows) == 3_653
    assert all(row["mean_7d"] == row["failure_rate"] for row in rows)


def test_a_window_of_hours_has_one_day() -> None:
    short = report([run(0.1, "failed"), run(0.4)], 0.5)
    first, second = short.answers[:2]
    assert [row["day"] for row in first.rows] == [at(0).date()]
    assert first.text == (
        "50 % of 2 runs failed: 0 % in the second half of the window, 100 % in the first; "
        "recovery took 7 h 12 min on average."
    )
    assert second.text == "Runs took 1 min at the median and 1 min at p95."


def test_waits_compare_complete_weeks() -> None:
    seconds = [300] * 14 + [372] * 14 + [9_999] * 3  # the last week is not complete
    runs = [run(day, duration=each, is_default_branch=day % 2 == 0) for day, each in enumerate(seconds)]
    assert texts("waits", runs, 31.5) == (
        "Runs on the default branch took 6 min 12 s at the median and 6 min 12 s at p95 in the last 2 weeks, "
        "5 min and 5 min in the first 2 weeks. "
        "Runs on other branches took 6 min 12 s at the median and 6 min 12 s at p95 in the last 2 weeks, "
        "5 min and 5 min in the first 2 weeks."
    )
    assert waits(runs[5:], at(5), at(31.5)).text == (
        "Runs on the default branch took 6 min 12 s at the median and 6 min 12 s at p95 in the last week, "
        "5 min and 5 min in the first week. "
        "Runs on other branches took 6 min 12 s at the median and 6 min 12 s at p95 in the last week, "
        "5 min and 5 min in the first week."
    )
    assert [(row["week"], row["branch"], row["runs"]) for row in answer("waits", runs[5:15]).rows] == [
        (at(0).date(), "default", 1),
        (at(0).date(), "other", 1),
        (at(7).date(), "default", 3),
        (at(7).date(), "other", 4),
        (at(14).date(), "default", 1),
    ]


def test_waits_without_known_default_branches_and_durations() -> None:
    assert texts("waits", [run(1, duration=90)]) == "Runs took 1 min 30 s at the median and 1 min 30 s at p95."
    without = answer("waits", [run(1, duration=None)])
    assert without.text == "CircleCI reports no durations for these runs."
    assert without.rows == ()
    mixed = [run(1, duration=5, is_default_branch=known) for known in (True, False, None)]
    assert texts("waits", mixed) == (
        "Runs on the default branch took 5 s at the median and 5 s at p95. "
        "Runs on other branches took 5 s at the median and 5 s at p95. "
        "Runs of the other projects took 5 s at the median and 5 s at p95."
    )


def test_jobs_by_their_share_of_the_time() -> None:
    jobs = [job("lint", 100, 60), job("e2e", 100, 600), job("test", 200, 150), job("never", 0, None), job("tiny", 1, 1)]
    computed = answer("jobs", jobs=jobs)
    assert computed.text == (
        "gh/acme/web deploy e2e takes 62 % of the time of all jobs; 2 of 5 jobs take 80 %. "
        "If it took 10 % less time, its 100 runs would take 1 h 40 min less."
    )
    assert [(row["job"], row["total"]) for row in computed.rows] == [
        ("e2e", 60_000), ("test", 30_000), ("lint", 6_000), ("tiny", 1), ("never", 0)
    ]  # fmt: skip
    assert texts("jobs", jobs=[job("e2e", 9, 10), job("lint", 1, 10)]) == (
        "gh/acme/web deploy e2e takes 90 % of the time of all jobs. "
        "If it took 10 % less time, its 9 runs would take 9 s less."
    )
    assert texts("jobs", jobs=[job("only", 2, 45)]) == (
        "gh/acme/web deploy only takes 100 % of the time of all jobs. "
        "If it took 10 % less time, its 2 runs would take 9 s less."
    )


def test_jobs_after_the_twentieth_are_one_row() -> None:
    jobs: list[InsightsJob] = [job(f"job-{number}", 10, 100 - number) for number in range(23)]
    rows = answer("jobs", jobs=jobs).rows
    assert len(rows) == 21
    assert rows[-1] == {
        "project": "",
        "workflow": "",
        "job": "others",
        "runs": 30,
        "median": None,
        "total": 2_370,
        "share": pytest.approx(2_370 / 20_470),
        "cumulative_share": 1,
    }


def test_flaky_tests_and_what_they_cost() -> None:
    tests = [
        flaky("test_unknown", 9, None),
        flaky("test_fast", 1, 0),
        flaky("test_login", 12, 2_700),
        flaky("test_cart", 3, 60),
    ]
    computed = answer("flaky_tests", flaky_tests=tests)
    assert computed.text == (
        "4 tests flaked 25 times and wasted 46 min. "
        "The worst is test_login in gh/acme/web deploy test: 12 times, 45 min."
    )
    assert [row["test"] for row in computed.rows] == ["test_login", "test_cart", "test_fast", "test_unknown"]
    assert texts("flaky_tests", flaky_tests=tests[:1]) == (
        "1 test flaked 9 times. The worst is test_unknown in gh/acme/web deploy test: 9 times."
    )


def test_credits_and_those_of_failed_runs() -> None:
    runs = [
        run(1, credits_used=1_000),
        run(2, "failed", credits_used=200),
        run(3, "error", credits_used=34, workflow="build"),
        run(4, credits_used=None, workflow="build"),
    ]
    computed = answer("credits", runs, jobs=[job("e2e", 4, 9, 1_100)])
    assert computed.text == (
        "The workflow gh/acme/web deploy used 97 % of 1,234 credits. Failed runs used 234 credits (19 %)."
    )
    assert [tuple(row.values()) for row in computed.rows] == [
        ("project", "gh/acme/web", 1_234, 234, 1),
        ("workflow", "gh/acme/web deploy", 1_200, 200, pytest.approx(0.97245, abs=1e-5)),
        ("workflow", "gh/acme/web build", 34, 34, pytest.approx(0.02755, abs=1e-5)),
        ("job", "gh/acme/web deploy e2e", 1_100, None, 1),
    ]


def test_credits_of_failed_jobs_are_known_from_usage() -> None:
    usage = [used(job="e2e", status="failed", credits_used=70.5), used(job="e2e", credits_used=1_000)]
    computed = answer("credits", jobs=[job("e2e", 4, 9, 1_100), job("lint", 4, 9, 100)], usage=usage)
    assert [(row["name"], row["failed_credits"]) for row in computed.rows if row["by"] == "job"] == [
        ("gh/acme/web deploy e2e", 70.5),
        ("gh/acme/web deploy lint", 0),
    ]
    assert computed.text == (
        "The job gh/acme/web deploy e2e used 92 % of 1,200 credits. Failed jobs used 70 credits (5.9 %)."
    )
    for status in ("error", "timedout", "infrastructure_fail", "canceled"):
        rows = answer("credits", usage=[used(status=status, credits_used=5), used(credits_used=15)]).rows
        assert [row["failed_credits"] for row in rows] == [0 if status == "canceled" else 5]
    assert texts("credits", jobs=[job("e2e", 4, 9, 1)]) == ("The job gh/acme/web deploy e2e used 100 % of 1 credit.")


def test_credits_after_the_fifteenth_name_are_one_row() -> None:
    runs = [run(1, credits_used=100 - number, workflow=f"w{number}") for number in range(18)]
    rows = [row for row in answer("credits", runs).rows if row["by"] == "workflow"]
    assert len(rows) == 16
    assert rows[-1] == {
        "by": "workflow",
        "name": "others",
        "credits": 252,
        "failed_credits": 0,
        "share": pytest.approx(252 / 1_647),
    }


def test_the_hour_and_class_that_wait_longest() -> None:
    usage = [used(queued_at=at(1 + 9.5 / 24), queue_duration=250) for _ in range(10)]
    usage += [used(started_at=at(1 + 14 / 24), queue_duration=5) for _ in range(29)]
    usage += [used(queued_at=at(2), queue_duration=9_000, resource_class=None)]  # one job is not a rule
    computed = answer("queue", usage=usage)
    assert computed.text == (
        "Jobs of the class large wait longest at 09:00 UTC: 95 % start within 4 min 10 s. "
        "28 % of 40 jobs waited longer than a minute."
    )
    assert [tuple(row.values()) for row in computed.rows] == [
        (0, "unknown", 1, 9_000, 9_000),
        (9, "large", 10, 250, 250),
        (14, "large", 29, 5, 5),
    ]


def test_jobs_that_half_of_their_class_would_do_for() -> None:
    def uses(name: str, cpu: float | None, ram: float | None, count: int = 5, **fields: object) -> list[object]:
        low = {"max_cpu": 10.0, "max_ram": 10.0, "median_cpu": 5.0, "credits_used": 10.0}
        top = {"max_cpu": cpu, "max_ram": ram, "credits_used": 100.0}
        return [used(job=name, **low | fields), *(used(job=name, **top | fields) for _ in range(count - 1))]

    usage = [
        *uses("idle", 34.4, 21),
        *uses("busy", 50.0, 21),
        *uses("large", 20, 90),
        *uses("rare", 20, 20, 4),
        *uses("unmeasured", 20, None),
        *uses("small", 20, 20, resource_class="small"),
        *uses("silent", None, None, max_cpu=None, max_ram=None),
    ]
    computed = answer("sizing", usage=usage)
    assert computed.text == (
        "1 of 6 jobs could run in a resource class of half the size: gh/acme/web deploy idle (large, CPU up to 34 %, "
        "memory up to 21 %). It used 410 credits."
    )
    assert computed.rows[0] == {
        "project": "gh/acme/web",
        "workflow": "deploy",
        "job": "idle",
        "resource_class": "large",
        "jobs": 5,
        "median_cpu": 5.0,
        "max_cpu": 34.4,
        "median_ram": None,
        "max_ram": 21,
        "credits": 410,
        "is_candidate": True,
    }
    assert (
        texts("sizing", usage=uses("busy", 99, 99)) == "No job is known to need less than half of its resource class."
    )
    many = [each for name in "abcd" for each in uses(name, 20, 20)]
    assert texts("sizing", usage=many) == (
        "4 of 4 jobs could run in a resource class of half the size: "
        "gh/acme/web deploy a (large, CPU up to 20 %, memory up to 20 %), "
        "gh/acme/web deploy b (large, CPU up to 20 %, memory up to 20 %), "
        "gh/acme/web deploy c (large, CPU up to 20 %, memory up to 20 %) and 1 more. They used 1,640 credits."
    )


def test_changes_of_rates_are_differences_and_of_others_ratios() -> None:
    now = [
        workflow("deploy", 100, 20, 3_000, median_duration=372.0, p95_duration=600.0),
        workflow("new", 10, 0, 50, median_duration=10.0, p95_duration=20.0),
    ]
    before = [
        workflow("deploy", 80, 8, 2_000, median_duration=240.0, p95_duration=400.0),
        workflow("gone", 20, 10, 400, median_duration=10.0, p95_duration=20.0),
    ]
    computed = answer("changes", workflows=now, previous=before)
    assert computed.text == (
        "The workflows ran 110 times (10 % more) and used 3,050 credits (27 % more); "
        "18 % of the runs failed, 18 % before. "
        "gh/acme/web deploy changed most: 3,000 credits, 2,000 before; median 6 min 12 s, 4 min before."
    )
    total, deploy, new, gone = computed.rows
    assert [row["workflow"] for row in computed.rows] == ["all workflows", "deploy", "new", "gone"]
    assert (total["project"], total["runs"], total["runs_before"]) == ("", 110, 100)
    assert total["runs_change"] == pytest.approx(0.1)
    assert (total["p50"], total["p50_before"], total["p50_change"]) == (None, None, None)
    assert deploy == {
        "project": "gh/acme/web",
        "workflow": "deploy",
        "runs": 100,
        "runs_before": 80,
        "runs_change": 0.25,
        "failure_rate": 0.2,
        "failure_rate_before": 0.1,
        "failure_rate_change": 0.1,
        "p50": 372.0,
        "p50_before": 240.0,
        "p50_change": pytest.approx(0.55),
        "p95": 600.0,
        "p95_before": 400.0,
        "p95_change": 0.5,
        "credits": 3_000,
        "credits_before": 2_000,
        "credits_change": 0.5,
    }
    assert (new["runs_before"], new["runs_change"], new["failure_rate_before"]) == (0, None, None)
    assert (gone["runs"], gone["runs_change"], gone["p50"]) == (0, -1, None)


def test_changes_when_nothing_runs_any_more() -> None:
    assert texts("changes", previous=[workflow("deploy", 80, 8, 2_000)]) == (
        "The workflows ran 0 times (100 % fewer) and used 0 credits (100 % fewer). "
        "gh/acme/web deploy changed most: 0 credits, 2,000 before."
    )


def test_changes_of_a_metric_that_was_zero() -> None:
    now = [workflow("deploy", 100, 20, 3_000)]
    assert texts("changes", workflows=now, previous=[workflow("deploy", 100, 8, 0)]) == (
        "The workflows ran 100 times (as before) and used 3,000 credits (none before); "
        "20 % of the runs failed, 8 % before. gh/acme/web deploy changed most: 3,000 credits, 0 before."
    )


def test_names_from_outside_are_one_line_of_limited_length() -> None:
    hostile = "\x1b[2J\u202ename\n" + "z" * 5_000
    fields = {"project": hostile, "workflow": hostile}
    runs = [run(day / 2, "failed" if day >= 28 else "success", 60 + day // 28 * 60, **fields) for day in range(56)]
    computed = report(
        [run_ for each in runs for run_ in (each, each)],
        jobs=[job(hostile, 1, 5, 5, **fields)],
        flaky_tests=[flaky(hostile, 1, 5, **fields, job=hostile)],
        usage=[
            used(resource_class=hostile, queued_at=at(1), queue_duration=5, max_cpu=1, max_ram=1, job=hostile, **fields)
            for _ in range(5)
        ],
        previous=[workflow(hostile, 1, 1, 1, project=hostile)],
    )
    for each in computed.answers:
        assert "zzzz" in each.text
        assert each.text.isprintable()
        assert len(each.text) < 700
