"""The migration adds to an organization what another one has: once, also after an interruption."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from circleci_async.testing import FakeCircleCI, World
from docs.examples import migrate

from .processes import EXAMPLES, STOPS, TIMEOUT, ended, in_terminal, started

Run: TypeAlias = Callable[..., Awaitable[tuple[list[str], list[str], list[str]]]]
"""Runs the program; returns its failures, and the lines of its output."""

MIGRATE = str(EXAMPLES / "migrate.py")
TIMETABLE = {"per-hour": 1, "hours-of-day": [3], "days-of-week": ["MON"]}


def two_organizations(*names: str) -> World:
    """Return a world with these projects in two organizations, each with a variable in the first one."""
    world = World()
    for name in names:
        project = world.project(f"gh/old/{name}")
        project.pipeline()
        project.environment_variable("TOKEN", f"secret of {name}")
        world.project(f"gh/new/{name}")
    return world


def secrets(folder: Path, names: tuple[str, ...], **more: str) -> Path:
    """Write the file of secrets, and return its path."""
    file = folder / "secrets.json"
    file.write_text(json.dumps({**{f"{name}: variable TOKEN": f"secret of {name}" for name in names}, **more}))
    return file


def variables(world: World, organization: str) -> dict[str, dict[str, str]]:
    """Return the values of the variables of an organization's projects."""
    return {
        project.name: {name: variable.value for name, variable in project.environment_variables.items()}
        for slug, project in world.projects.items()
        if slug.startswith(f"gh/{organization}/")
    }


def changes(fake: FakeCircleCI) -> list[str]:
    """Return the requests that change something, and forget all requests."""
    found = [f"{each.method} {each.path}" for each in fake.requests if each.method != "GET"]
    fake.requests.clear()
    return found


@pytest.fixture
def run(use: Callable[[FakeCircleCI], None], capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the program once, in this process."""

    async def run(fake: FakeCircleCI, file: Path, *, dry_run: bool = False) -> tuple[list[str], list[str], list[str]]:
        use(fake)
        failures = await migrate.main("gh/old", "gh/new", file, dry_run)
        out, err = capsys.readouterr()
        return failures, out.splitlines(), err.splitlines()

    return run


async def test_projects_and_contexts_are_copied_once(run: Run, tmp_path: Path) -> None:
    world = two_organizations("api", "web")
    old = world.projects["gh/old/api"]
    old.webhook("https://example.com/hook", name="deploys", secret="s3cret", events=["job-completed"], verify_tls=False)
    context = world.context("gh/old", "aws")
    context.variable("KEY", "of aws")
    context.restriction("project", old.id, name="old/api")
    context.restriction("group", world.organization("gh/old").id, name="All members")
    context.restriction("expression", 'pipeline.git.branch == "main"')
    more = {"api: webhook deploys": "s3cret", "context aws: variable KEY": "of aws"}
    file = secrets(tmp_path, ("api", "web"), **more)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        await circle.schedules.create(
            "gh/old/api",
            name="nightly",
            timetable=TIMETABLE,
            attribution_actor="system",
            parameters={"branch": "main", "n": 1},
            description="at night",
        )
        fake.requests.clear()

        failures, plan, _ = await run(fake, file, dry_run=True)
        assert (failures, changes(fake)) == ([], [])
        assert sorted(plan) == [
            "api: schedule nightly",
            "api: variable TOKEN",
            "api: webhook deploys",
            "context aws: itself",
            "web: variable TOKEN",
        ]
        failures, added, err = await run(fake, file)
        assert (failures, len(changes(fake))) == ([], 9)
        assert sorted(added) == sorted(
            [
                *plan,
                "context aws: restriction to old/api",
                "context aws: restriction to All members",
                'context aws: restriction to pipeline.git.branch == "main"',
                "context aws: variable KEY",
            ]
        )
        assert sorted(line.partition(" ")[2] for line in err) == ["api: done", "context aws: done", "web: done"]
        failures, added, _ = await run(fake, file)
        assert (failures, added, changes(fake)) == ([], [], [])

        assert variables(world, "new") == variables(world, "old")
        new = world.projects["gh/new/api"]
        [hook] = new.webhooks.values()
        assert (hook.name, hook.url, hook.signing_secret) == ("deploys", "https://example.com/hook", "s3cret")
        assert (list(hook.events), hook.verify_tls) == (["job-completed"], False)
        [schedule] = await circle.schedules.list("gh/new/api").collect()
        [original] = await circle.schedules.list("gh/old/api").collect()
        for name in ("name", "timetable", "attribution_actor", "parameters", "description"):
            assert getattr(schedule, name) == getattr(original, name)
    organization = world.organization("gh/new")
    [copy] = organization.contexts.values()
    assert (copy.name, {each.name: each.value for each in copy.variables.values()}) == ("aws", {"KEY": "of aws"})
    assert [(each.type, each.value) for each in copy.restrictions.values()] == [
        ("project", new.id),
        ("group", organization.id),
        ("expression", 'pipeline.git.branch == "main"'),
    ]


async def test_failures_are_listed_and_do_not_stop_the_others(tmp_path: Path) -> None:
    world = two_organizations("api", "web")
    world.project("gh/old/gone").pipeline()
    context = world.context("gh/old", "aws")
    context.variable("KEY", "of aws")
    context.restriction("project", world.projects["gh/old/gone"].id, name="old/gone")
    file = secrets(tmp_path, ("api",), **{"context aws: variable KEY": "of aws"})
    arguments = (MIGRATE, "gh/old", "gh/new", str(file))
    async with (
        FakeCircleCI(world) as fake,
        started(*arguments, env=dict(fake.environment), folder=tmp_path) as process,
    ):
        code, out, err = await ended(process)
    assert code == 1
    assert sorted(out.splitlines()) == ["api: variable TOKEN", "context aws: itself"]
    failures = sorted(err.splitlines()[-3:])
    assert failures[0].startswith("context aws: 404")
    assert failures[1].startswith("gone: 404")
    assert failures[2] == "web: the file of secrets lacks 'web: variable TOKEN'"
    [copy] = world.organization("gh/new").contexts.values()
    assert copy.variables == {}  # they would be open to all projects


@pytest.mark.parametrize("how", STOPS)
async def test_a_migration_that_is_stopped_is_continued_by_the_next_run(how: str, run: Run, tmp_path: Path) -> None:
    names = ("api", "web", "app", "lib")
    world = two_organizations(*names)
    file = secrets(tmp_path, names)
    async with FakeCircleCI(world) as fake:
        waiting = fake.fail("*/envvar", method="POST", delay=600, after=2, times=2)
        arguments = (MIGRATE, "gh/old", "gh/new", str(file))
        async with in_terminal(*arguments, env=dict(fake.environment), folder=tmp_path) as terminal:
            async with asyncio.timeout(TIMEOUT):
                while waiting.hits < 2:
                    await asyncio.sleep(0.01)
            terminal.stop(how)
            code, out = await terminal.ended()
        assert code == 130
        assert out.endswith("interrupted: run it again to continue\n")
        failures, added, _ = await run(fake, file)
        assert (failures, added) == ([], [])  # the server executed the two requests whose responses were not read
    assert variables(world, "new") == variables(world, "old")


async def test_three_hundred_projects(run: Run, tmp_path: Path) -> None:
    names = tuple(f"app-{number}" for number in range(300))
    world = two_organizations(*names)
    file = secrets(tmp_path, names)
    async with FakeCircleCI(world, page_size=100) as fake:
        failures, out, err = await run(fake, file)
        assert (failures, len(changes(fake))) == ([], 300)
    assert sorted(out) == sorted(f"{name}: variable TOKEN" for name in names)
    assert [line.partition(" ")[0] for line in err] == [f"{done}/300" for done in range(1, 301)]
    assert variables(world, "new") == variables(world, "old")
