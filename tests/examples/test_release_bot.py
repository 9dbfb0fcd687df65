"""The release bot asks before approvals, reports failures, and finds the pipelines it started."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import define, field

from circleci_async.testing import FakeCircleCI, World
from docs.examples.release_bot import HELP, Bot
from tests.fastclock import fast_clock

from .processes import EXAMPLES, STOPS, in_terminal, line_with

BOT = str(EXAMPLES / "release_bot.py")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PROJECT = "gh/acme/api"


@define
class Room:
    """A chat that stores the posts, and notifies of each."""

    posts: list[str] = field(factory=list[str])
    posted: asyncio.Event = field(factory=asyncio.Event)

    async def post(self, text: str) -> None:
        self.posts.append(text)
        self.posted.set()

    async def until(self, text: str) -> None:
        """Wait for a post that contains the text."""
        while not any(text in post for post in self.posts):
            self.posted.clear()
            await self.posted.wait()


@asynccontextmanager
async def talk(*jobs: str, **options: str) -> AsyncGenerator[tuple[Room, Bot, FakeCircleCI]]:
    """Yield a bot whose project runs these jobs in a workflow named `release`."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    world = World(clock=lambda: NOW + timedelta(seconds=loop.time() - begin))
    world.project(PROJECT).on_trigger("release", jobs, output=options)
    room = Room()
    async with FakeCircleCI(world, run_time=20.0) as fake, fake.client() as circle:
        yield room, Bot(circle, room, timeout=600.0), fake


@fast_clock
@pytest.mark.parametrize(("answer", "status"), [("yes", "success"), ("no", "canceled")])
async def test_a_release_continues_only_after_a_yes(answer: str, status: str) -> None:
    async with talk("test", "hold:approval", "ship") as (room, bot, _), asyncio.TaskGroup() as tasks:
        tasks.create_task(bot.on_message(f"release {PROJECT} main"))
        await room.until("approve")
        assert room.posts == [f"{PROJECT}: started pipeline 1.", f"{PROJECT}: approve hold? yes or no"]
        await bot.on_message(answer)
    assert room.posts[2:] == [f"{PROJECT}: {status}."]


@fast_clock
async def test_failures_are_posted_and_a_rerun_starts_from_them() -> None:
    async with talk("lint", "ship:failed", ship="no space left\n") as (room, bot, fake):
        await bot.on_message(f"release {PROJECT}")
        await bot.on_message(f"rerun {PROJECT}")
        workflows = fake.world.projects[PROJECT].pipelines.all[0].workflows
    first, *posts = room.posts
    assert first == f"{PROJECT}: started pipeline 1."
    result, failure, again, second, second_failure = posts
    assert (result, again, second) == (f"{PROJECT}: failed.", f"{PROJECT}: rerunning release.", f"{PROJECT}: failed.")
    assert failure.startswith("release / ship / ")
    assert failure.endswith(": failed\nno space left")
    assert second_failure == failure
    assert [each.status for each in workflows] == ["failed", "failed"]


@fast_clock
async def test_a_running_release_is_canceled() -> None:
    async with talk("test") as (room, bot, fake), asyncio.TaskGroup() as tasks:
        tasks.create_task(bot.on_message(f"release {PROJECT}"))
        await room.until("started")
        await bot.on_message(f"cancel {PROJECT}")
        assert [each.status for each in fake.world.projects[PROJECT].pipelines.all[0].workflows] == ["canceled"]
    assert room.posts == [f"{PROJECT}: started pipeline 1.", *[f"{PROJECT}: canceled."] * 2]


@fast_clock
async def test_a_release_whose_response_is_lost_is_found_and_not_repeated() -> None:
    async with talk("test") as (room, bot, fake):
        fake.fail(f"*/project/{PROJECT}/pipeline", method="POST", reset="after")
        await bot.on_message(f"release {PROJECT} main")
        assert len(fake.world.projects[PROJECT].pipelines.all) == 1
    assert room.posts == [f"{PROJECT}: started pipeline 1.", f"{PROJECT}: success."]


@fast_clock
async def test_commands_that_fail_post_the_reason() -> None:
    async with talk("test") as (room, bot, _):
        for text in (f"rerun {PROJECT}", f"cancel {PROJECT}", "release gh/acme/gone"):
            await bot.on_message(text)
        assert room.posts[:2] == [f"Error: {PROJECT} has no pipeline of this user: release it first"] * 2
        assert room.posts[2].startswith("Error: 404 Not Found")
        for text in ("", "yes", "release", f"release {PROJECT} main now"):
            await bot.on_message(text)
        await bot.on_message(f"release {PROJECT}")
        await bot.on_message(f"rerun {PROJECT}")
    assert room.posts[3:7] == [HELP] * 4
    assert room.posts[-1] == f"{PROJECT}: rerunning nothing, since no workflow has failed."


@pytest.mark.parametrize("how", STOPS)
async def test_a_bot_on_a_terminal_is_stopped_while_it_asks(how: str, tmp_path: Path) -> None:
    world = World()
    world.project(PROJECT).on_trigger("release", ("test", "hold:approval", "ship"))
    async with (
        FakeCircleCI(world, run_time=0.1) as fake,
        in_terminal(BOT, env=dict(fake.environment), folder=tmp_path) as terminal,
    ):
        terminal.type("hello\n")
        await line_with(terminal.output, HELP)
        terminal.type(f"release {PROJECT}\n")
        await line_with(terminal.output, "approve hold? yes or no")
        terminal.stop(how)
        assert await terminal.ended() == (0, "^C" if how == "Ctrl-C" else "")
        [release] = fake.world.projects[PROJECT].pipelines.all[0].workflows
        assert release.status == "on_hold"


async def test_the_end_of_the_input_ends_the_bot(tmp_path: Path) -> None:
    async with (
        FakeCircleCI() as fake,
        in_terminal(BOT, env=dict(fake.environment), folder=tmp_path) as terminal,
    ):
        terminal.type("hello\n")
        await line_with(terminal.output, HELP)
        terminal.type("\x04")
        assert await terminal.ended() == (0, "")
