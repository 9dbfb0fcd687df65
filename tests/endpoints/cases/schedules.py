"""What the calls of `circle.schedules` send."""

import circleci_async as ca
from tests.endpoints.case import ID, Case, P

LIST = f"/api/v2/project/{P}/schedule"
ONE = f"/api/v2/schedule/{ID}"

NIGHTLY = ca.Timetable(per_hour=1, hours_of_day=(3,), days_of_week=(ca.DayOfWeek.MON, ca.DayOfWeek.SUN))
MONTHLY = ca.Timetable(per_hour=60, hours_of_day=(0, 23), days_of_month=(1, 31), months=(ca.Month.JAN, ca.Month.DEC))

CASES = [
    Case("schedules.list", lambda c: c.schedules.list(P), LIST),
    Case(
        "schedules.create",
        lambda c: c.schedules.create(
            P, name="nightly", timetable=NIGHTLY, attribution_actor="current", parameters={"branch": "main"}
        ),
        LIST,
        {
            "name": "nightly",
            "timetable": {"per-hour": 1, "hours-of-day": [3], "days-of-week": ["MON", "SUN"]},
            "attribution-actor": "current",
            "parameters": {"branch": "main"},
        },
    ),
    Case(
        "schedules.create",
        lambda c: c.schedules.create(
            P,
            name="zu Mitternacht \u263e",
            timetable=MONTHLY,
            attribution_actor=ca.AttributionActor.SYSTEM,
            parameters={"tag": "v1", "per_hour": 2, "a-b": True, "c_d": ""},
            description="",
        ),
        LIST,
        {
            "name": "zu Mitternacht \u263e",
            "timetable": {
                "per-hour": 60,
                "hours-of-day": [0, 23],
                "days-of-month": [1, 31],
                "months": ["JAN", "DEC"],
            },
            "attribution-actor": "system",
            "parameters": {"tag": "v1", "per_hour": 2, "a-b": True, "c_d": ""},
            "description": "",
        },
    ),
    Case(
        "schedules.create",
        lambda c: c.schedules.create(
            P,
            name="as it is",
            timetable={"per-hour": 2, "hours-of-day": [1], "days-of-week": ["TUE"], "time_zone": "CET"},
            attribution_actor="system",
            parameters={"branch": "main"},
        ),
        LIST,
        {
            "name": "as it is",
            "timetable": {"per-hour": 2, "hours-of-day": [1], "days-of-week": ["TUE"], "time_zone": "CET"},
            "attribution-actor": "system",
            "parameters": {"branch": "main"},
        },
    ),
    Case("schedules.get", lambda c: c.schedules.get(ID), ONE),
    Case("schedules.update", lambda c: c.schedules.update(ID), ONE, {}),
    Case(
        "schedules.update",
        lambda c: c.schedules.update(ID, timetable=ca.Timetable(hours_of_day=(4, 16))),
        ONE,
        {"timetable": {"hours-of-day": [4, 16]}},
    ),
    Case(
        "schedules.update",
        lambda c: c.schedules.update(
            ID,
            name="monthly",
            timetable=MONTHLY,
            attribution_actor=ca.AttributionActor.CURRENT,
            parameters={"tag": "v2"},
            description="first and last",
        ),
        ONE,
        {
            "name": "monthly",
            "timetable": {
                "per-hour": 60,
                "hours-of-day": [0, 23],
                "days-of-month": [1, 31],
                "months": ["JAN", "DEC"],
            },
            "attribution-actor": "current",
            "parameters": {"tag": "v2"},
            "description": "first and last",
        },
    ),
    Case(
        "schedules.update",
        lambda c: c.schedules.update(ID, timetable={"per-hour": 3, "days-of-week": ["MON"]}),
        ONE,
        {"timetable": {"per-hour": 3, "days-of-week": ["MON"]}},
    ),
    Case("schedules.delete", lambda c: c.schedules.delete(ID), ONE),
    Case(
        "schedules.delete",
        lambda c: c.schedules.delete("a b/c+%2F\u00e9"),
        "/api/v2/schedule/a%20b%2Fc%2B%252F%C3%A9",
        odd=True,
    ),
]
