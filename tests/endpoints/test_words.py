"""A word that is not in the API's closed list is refused before a request is sent; responses may have any word."""

import inspect
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

import circleci_async as ca
from circleci_async import CircleCI, resources
from circleci_async.models import (
    CheckoutSource,
    ConfigSource,
    DayOfWeek,
    EventPreset,
    Granularity,
    JobStatus,
    OpenEnum,
    ReportingWindow,
    Repository,
    RepositorySource,
    ScheduleSource,
    Timetable,
    UrlOrbAuth,
)
from tests.endpoints.examples import ID, P
from tests.endpoints.refusal import refusal
from tests.raw_server import answer, raw_server

Start = Callable[..., Any]
"""Called with a client and a `word`."""

NIGHTLY: dict[str, Any] = {"per_hour": 1, "hours_of_day": (3,), "days_of_week": (DayOfWeek.MON,)}
REPOSITORY = Repository(external_id="1")
DESCRIPTION = Path(__file__).parents[1] / "contract" / "circleci-v2.openapi.json"


def call(method: str, *arguments: Any, name: str, several: bool = False, **options: Any) -> Start:
    """Return a function that calls a method with a word as the argument `name`."""

    def start(circle: CircleCI, word: Any) -> Any:
        return attrgetter(method)(circle)(*arguments, **options, **{name: [word] if several else word})

    return start


def schedule(word: Any, *, part: str | None = None) -> dict[str, Any]:
    timetable = Timetable(**{**NIGHTLY, part: (word,)} if part else NIGHTLY)
    return {"timetable": timetable, "attribution_actor": "current" if part else word, "parameters": {"branch": "main"}}


def definition(circle: CircleCI, **sources: Any) -> Any:
    given = {
        "config_source": ConfigSource(provider="circleci", file_path="a.yml"),
        "checkout_source": CheckoutSource(provider="github_app", repo=REPOSITORY),
    }
    return circle.pipeline_definitions.create(ID, name="x", **{**given, **sources})


def window(method: str, *arguments: Any) -> Start:
    return call(method, *arguments, name="reporting_window")


def orb(circle: CircleCI, word: Any) -> Any:
    return circle.url_orb_allow_list.create("gh/acme", name="x", prefix="https://x", auth=word)


WINDOWS = tuple(ReportingWindow)
ACTORS = ("current", "system")
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
EVENTS = ("workflow-completed", "job-completed")

WORDS: list[tuple[str, Iterable[str], Start]] = [
    ("reporting_window", WINDOWS, window("insights.workflows", P)),
    ("reporting_window", WINDOWS, window("insights.workflow_jobs", P, "w")),
    ("reporting_window", WINDOWS, window("insights.project_summary", P)),
    ("reporting_window", WINDOWS, window("insights.org_summary", "gh/acme")),
    ("reporting_window", WINDOWS, lambda c, word: anext(c.insights.snapshot([P], reporting_window=word))),
    ("granularity", ("daily", "hourly"), call("insights.job_timeseries", P, "w", name="granularity")),
    ("vcs_type", ("bitbucket", "circleci", "github"), call("organizations.create", "acme", name="vcs_type")),
    ("auth", UrlOrbAuth, orb),
    ("digest", ("md5", "sha256"), call("checkout_keys.list", P, name="digest")),
    ("type", ("deploy-key", "user-key"), call("checkout_keys.create", P, name="type")),
    ("scope_type", ("project",), call("webhooks.list", ID, name="scope_type")),
    (
        "scope_type",
        ("project",),
        lambda c, word: c.webhooks.create(name="n", url="https://x", events=EVENTS, scope_id=ID, scope_type=word),
    ),
    ("events", EVENTS, lambda c, word: c.webhooks.create(name="n", url="https://x", events=[word], scope_id=ID)),
    ("events", EVENTS, call("webhooks.update", ID, name="events", several=True)),
    ("owner_type", ("account", "organization"), call("contexts.list", owner_id=ID, name="owner_type")),
    ("owner_type", ("account", "organization"), lambda c, word: c.contexts.create("x", owner_id=ID, owner_type=word)),
    ("type", ("expression", "group", "project"), call("contexts.add_restriction", ID, value=ID, name="type")),
    ("protocol", ("grpc", "http"), call("otel.create_exporter", ID, endpoint="x:1", name="protocol")),
    ("attribution_actor", ACTORS, lambda c, word: c.schedules.create(P, name="n", **schedule(word))),
    ("attribution_actor", ACTORS, call("schedules.update", ID, name="attribution_actor")),
    (
        "timetable: days_of_week",
        DAYS,
        lambda c, word: c.schedules.create(P, name="n", **schedule(word, part="days_of_week")),
    ),
    ("timetable: months", MONTHS, lambda c, word: c.schedules.create(P, name="n", **schedule(word, part="months"))),
    (
        "timetable: days_of_week",
        DAYS,
        lambda c, word: c.schedules.update(ID, timetable=Timetable(days_of_week=(word,))),
    ),
    (
        "event_preset",
        EventPreset,
        call("triggers.create", ID, ID, event_source=RepositorySource(external_id="1"), name="event_preset"),
    ),
    ("event_preset", EventPreset, call("triggers.update", ID, ID, name="event_preset")),
    (
        "event_source.attribution_actor",
        ACTORS,
        lambda c, word: c.triggers.create(
            ID, ID, event_source=ScheduleSource(cron_expression="0 3 * * *", attribution_actor=word)
        ),
    ),
    (
        "event_source.attribution_actor",
        ACTORS,
        lambda c, word: c.triggers.update(ID, ID, event_source=ScheduleSource(attribution_actor=word)),
    ),
    (
        "config_source.provider",
        ("github_app", "circleci"),
        lambda c, word: definition(c, config_source=ConfigSource(provider=word, repo=REPOSITORY, file_path="a.yml")),
    ),
    (
        "checkout_source.provider",
        ("github_app",),
        lambda c, word: definition(c, checkout_source=CheckoutSource(provider=word, repo=REPOSITORY)),
    ),
    (
        "checkout_source.provider",
        ("github_app",),
        lambda c, word: c.pipeline_definitions.update(ID, ID, checkout_source=CheckoutSource(provider=word)),
    ),
    ("claims", ("audience", "ttl"), call("oidc.delete_org_claims", ID, name="claims", several=True)),
    ("claims", ("audience", "ttl"), call("oidc.delete_project_claims", ID, ID, name="claims", several=True)),
    ("if_truncated", ("warn", "raise", "ignore"), call("contexts.variables", ID, name="if_truncated")),
    ("if_truncated", ("warn", "raise", "ignore"), call("groups.list", ID, name="if_truncated")),
    ("if_lost", ("raise", "find"), call("pipelines.trigger", P, name="if_lost")),
    ("if_lost", ("raise", "find"), call("pipelines.run", P, name="if_lost")),
    ("if_lost", ("raise", "find"), call("pipelines.trigger_and_wait", P, name="if_lost")),
    ("on_hold", ("return", "wait"), call("pipelines.wait", ID, name="on_hold")),
    ("on_hold", ("return", "wait"), call("workflows.wait", ID, name="on_hold")),
    ("dedupe", ("hardlink",), lambda c, word: c.harvest([P], "unused", dedupe=word)),
    ("status", sorted(JobStatus), lambda c, word: ca.Selection(status=word)),
]


def message(name: str, words: Iterable[str], shown: str) -> str:
    allowed = [repr(str(word)) for word in words]
    right = f"one of {', '.join(allowed)}" if len(allowed) > 2 else " or ".join(allowed)
    return f"{name} must be {right}, got {shown}"


WRONG = ["yesterday", "", "DAILY ", 5, b"daily", ["daily"], Granularity("monthly")]
IDS = [f"{number}-{each[0]}" for number, each in enumerate(WORDS)]
EACH_WORD = pytest.mark.parametrize(("name", "words", "start"), WORDS, ids=IDS)


@EACH_WORD
async def test_another_word_is_refused(name: str, words: Iterable[str], start: Start) -> None:
    for wrong in WRONG:
        shown = repr(str(wrong)) if isinstance(wrong, str) else repr(wrong)
        assert await refusal(partial(start, word=wrong)) == message(name, words, shown)


@EACH_WORD
async def test_the_words_of_the_list_are_sent(name: str, words: Iterable[str], start: Start) -> None:
    ok = answer(400, {"message": "no"})
    async with raw_server(ok) as server, CircleCI("t", host=server.url) as circle:
        for word in words:
            sent = len(server.requests)
            if name in {"dedupe", "on_hold", "if_lost", "if_truncated", "status"}:
                continue  # not sent to the API
            started = start(circle, word)
            with suppress(ca.ApiError):
                await (started.first() if isinstance(started, ca.Paged) else started)
            assert word in server.requests[sent].target + server.requests[sent].body.decode()


def enums(schema: Any, description: Any) -> Iterable[frozenset[str]]:
    """Yield the closed lists of a schema."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            target = description
            for key in schema["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            yield from enums(target, description)
        if "enum" in schema:
            yield frozenset(schema["enum"])
        for part in schema.values():
            yield from enums(part, description)
    elif isinstance(schema, list):
        for part in schema:
            yield from enums(part, description)


def test_every_closed_list_of_the_description_is_checked() -> None:
    """Each list of words in a request is one of those above; the providers of a slug are checked by `ProjectSlug`."""
    description = json.loads(DESCRIPTION.read_text())
    found: set[frozenset[str]] = set()
    for operations in description["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict):
                for part in ("parameters", "requestBody"):
                    found.update(enums(operation.get(part), description))
    found.discard(frozenset({"github", "gh", "bitbucket", "bb", "circleci"}))
    known = [frozenset(map(str, words)) for _, words, _ in WORDS]
    assert {words for words in found if not any(words <= each for each in known)} == set()


async def test_responses_may_have_other_words() -> None:
    body = {"id": str(ID), "event_preset": "only-on-mondays", "event_source": {"provider": "gitea"}}
    async with raw_server(answer(200, body)) as server, CircleCI("t", host=server.url) as circle:
        trigger = await circle.triggers.get(ID, ID)
    assert trigger.event_preset == "only-on-mondays"
    assert trigger.event_preset is not None
    assert not trigger.event_preset.is_known


def closed(annotation: Any) -> bool:
    """Return whether a type has an enum or a literal as an alternative or an item."""
    if get_origin(annotation) is Literal:
        return True
    return (isinstance(annotation, type) and issubclass(annotation, OpenEnum)) or any(map(closed, get_args(annotation)))


def test_every_argument_that_is_typed_as_a_word_is_checked() -> None:
    checked = {name for name, _, _ in WORDS}
    for each in resources.__all__:
        for method_name, method in inspect.getmembers(getattr(resources, each), inspect.isfunction):
            for name, parameter in inspect.signature(method).parameters.items():
                if closed(parameter.annotation):
                    assert name in checked, f"{each}.{method_name}"
