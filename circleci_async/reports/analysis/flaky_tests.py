"""Which tests flake, and what does that cost?"""

from collections.abc import Sequence

from ...models.insights_tables import InsightsFlakyTest
from ..answer import InsightsAnswer
from ..wording import counted, duration, name

NO_TESTS = (
    "No flaky tests are known. CircleCI detects them in jobs that upload test results with the step store_test_results."
)


def flaky_tests(table: Sequence[InsightsFlakyTest]) -> InsightsAnswer:
    """Return the flaky tests by the time that they wasted."""
    tests = sorted(table, key=_order)
    return InsightsAnswer(
        key="flaky_tests",
        question="Which tests flake, and what does that cost?",
        text=_text(tests) if tests else NO_TESTS,
        rows=tuple(
            {
                "project": test.project,
                "workflow": test.workflow,
                "job": test.job,
                "test": test.test_name,
                "times_flaked": test.times_flaked,
                "time_wasted": test.time_wasted,
            }
            for test in tests
        ),
    )


def _order(test: InsightsFlakyTest) -> tuple[bool, int, int]:
    return test.time_wasted is None, -(test.time_wasted or 0), -test.times_flaked


def _text(tests: Sequence[InsightsFlakyTest]) -> str:
    worst = tests[0]
    flaked = sum(test.times_flaked for test in tests)
    text = f"{counted(len(tests), 'test')} flaked {counted(flaked, 'time')}"
    cost = counted(worst.times_flaked, "time")
    if worst.time_wasted is not None:
        text += f" and wasted {duration(sum(test.time_wasted or 0 for test in tests))}"
        cost += f", {duration(worst.time_wasted)}"
    job = name(worst.project, worst.workflow, worst.job)
    return f"{text}. The worst is {name(worst.test_name)} in {job}: {cost}."
