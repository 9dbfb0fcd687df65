"""What changed against a window before of which only trends are known."""

from circleci_async.models import InsightsWorkflow
from circleci_async.reports.analysis.changes import changes

NOW = InsightsWorkflow(
    project="gh/acme/api",
    workflow="build",
    total_runs=10,
    successful_runs=8,
    failed_runs=2,
    failure_rate=0.2,
    median_duration=60.0,
    p95_duration=90.0,
    credits_used=500,
)


def test_metrics_that_are_not_known_before_have_no_change() -> None:
    before = InsightsWorkflow(project="gh/acme/api", workflow="build", total_runs=5, p95_duration=45.0)
    answer = changes([NOW], [before])
    (_, row) = answer.rows
    assert (row["runs_before"], row["runs_change"], row["p95_change"]) == (5, 1.0, 1.0)
    assert {
        row[f"{name}_{suffix}"] for name in ("failure_rate", "p50", "credits") for suffix in ("before", "change")
    } == {None}
    assert answer.text == (
        "The workflows ran 10 times (100 % more) and used 500 credits."
        " gh/acme/api build changed most: 10 runs, 5 before."
    )


def test_the_rate_before_is_that_of_the_trends() -> None:
    before = InsightsWorkflow(
        project="gh/acme/api", workflow="build", total_runs=5, failed_runs=0, failure_rate=0.08, credits_used=0
    )
    answer = changes([NOW], [before])
    assert answer.rows[1]["failure_rate_before"] == 0.08
    assert "used 500 credits (none before)" in answer.text
