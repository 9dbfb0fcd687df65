"""Every form in which a time is given, and every call and option that takes one."""

import inspect
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, get_args

import pytest

import circleci_async as ca
from circleci_async import resources
from circleci_async.core.when import When, parse_datetime, parse_when

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("30d", NOW - timedelta(days=30)),
        (" 12h ", NOW - timedelta(hours=12)),
        ("90 s", NOW - timedelta(seconds=90)),
        ("2w", NOW - timedelta(weeks=2)),
        ("999999w", datetime.min.replace(tzinfo=UTC)),
        (timedelta(minutes=5), NOW - timedelta(minutes=5)),
        (date(2026, 11, 1), datetime(2026, 11, 1, tzinfo=UTC)),
        (datetime(2026, 11, 1, 10), datetime(2026, 11, 1, 10, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2026, 11, 1, 10, tzinfo=EAST), datetime(2026, 11, 1, 8, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01 10:00:00+02:00", datetime(2026, 11, 1, 8, tzinfo=UTC)),
        ("2026-11-01T10:00:00Z", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        (None, None),
    ],
    ids=repr,
)
def test_a_time_has_many_forms(given: Any, moment: datetime | None) -> None:
    parsed = parse_datetime("start", given, NOW)
    assert parsed == moment
    assert parsed is None or parsed.tzinfo is not None


@pytest.mark.parametrize(
    "wrong", ["", "d", "30", "-1d", "1y", "tomorrow", "\u0667d", 7, 1.5, True, b"7d", timedelta(0)], ids=repr
)
def test_another_value_is_refused(wrong: Any) -> None:
    with pytest.raises(ca.InvalidArgument) as caught:
        parse_when("start", wrong)
    assert str(caught.value) == (
        "start must be a datetime, a date, a positive timedelta, or text such as '7d', '12h', '30m', '2w', "
        f"'2026-11-24' or '2026-11-24T10:00:00Z', got {wrong!r}"
    )


@pytest.mark.parametrize("wrong", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-10:00"])
@pytest.mark.parametrize("parse", [str, datetime.fromisoformat])
def test_a_time_outside_the_calendar_is_refused(wrong: str, parse: Any) -> None:
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.Selection(since=parse(wrong))
    shown = wrong.replace("T", " ")
    assert str(caught.value) == f"since must be a date that can be converted to UTC, got '{shown}'"


def test_every_call_that_takes_a_time_takes_all_forms() -> None:
    """No argument of a resource accepts a datetime only."""
    takers = {
        f"{name}.{verb}.{argument}": {*get_args(parameter.annotation)} - {type(None)}
        for name in resources.__all__
        for verb, method in inspect.getmembers(getattr(resources, name), inspect.isfunction)
        if not verb.startswith("_")
        for argument, parameter in inspect.signature(method).parameters.items()
        if datetime in get_args(parameter.annotation) or "date" in argument
    }
    assert set(takers) == {
        "Insights.job_timeseries.end_date",
        "Insights.job_timeseries.start_date",
        "Insights.workflow_runs.end_date",
        "Insights.workflow_runs.start_date",
        "Policies.decisions.after",
        "Policies.decisions.before",
        "Projects.list.since",
        "Usage.create_export.end",
        "Usage.create_export.start",
        "Usage.export.end",
        "Usage.export.start",
    }
    assert all(forms == {*get_args(When)} for forms in takers.values())
