"""The chat bot: a command comes in, a build is started and waited for, and its failure's log is posted."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from circleci_async import CircleCI
from circleci_async.testing import FakeCircleCI, Project, World
from circleci_async.webhooks import Receiver
from docs.examples.chat_bot import HELP, Bot

from .processes import EXAMPLES, PATIENCE, ended, line_with, started


class Room:
    """A chat that keeps what is posted."""

    def __init__(self) -> None:
        self.posts: defaultdict[str, list[str]] = defaultdict(list)
        self._news = asyncio.Event()

    async def post(self, thread: str, text: str) -> None:
        self.posts[thread].append(text)
        self._news.set()

    async def until(self, thread: str, text: str) -> None:
        """Wait until something with this text has been posted."""
        async with asyncio.timeout(PATIENCE):
            while not any(text in post for post in self.posts[thread]):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def talk(world: World, *, patience: float = PATIENCE) -> AsyncGenerator[tuple[Room, Bot]]:
    room = Room()
    async with FakeCircleCI(world, run_time=0.2) as fake, fake.client() as circle, waking(fake, circle):
        yield room, Bot(circle, room, patience=patience)


@asynccontextmanager
async def waking(fake: FakeCircleCI, circle: CircleCI) -> AsyncGenerator[None]:
    """Tell the client of what ends, so that it needs not wait for its next look."""
    async with Receiver("secret", circle.notify).serve() as url:
        for project in fake.world.projects.values():
            project.webhook(url, secret="secret")
        yield


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def project(world: World) -> Project:
    return world.project("gh/acme/api")


async def test_a_build_that_succeeds_is_told(world: World, project: Project) -> None:
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api main")
    assert room.posts == {"a": ["Pipeline 1 has begun.", "Pipeline 1: success."]}
    assert project.pipelines.all[0].branch == "main"


async def test_of_a_build_that_fails_the_last_lines_of_each_failed_step_are_posted(
    world: World, project: Project
) -> None:
    printed = "".join(f"line {number}\n" for number in range(100)) + "\x1b[31mE   assert 401 == 200\x1b[0m\n"
    project.on_trigger("build", ("lint", "test:failed"), output={"test": printed})
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
    begun, over, log = room.posts["a"]
    assert (begun, over) == ("Pipeline 1 has begun.", "Pipeline 1: failed.")
    head, *lines = log.splitlines()
    assert head.startswith("build / test / ")
    assert head.endswith(": failed")
    assert lines == [*(f"line {number}" for number in range(81, 100)), "E   assert 401 == 200"]


async def test_two_threads_have_a_pipeline_each(world: World, project: Project) -> None:
    world.project("gh/acme/web").on_trigger("build", ("test:failed",))
    async with talk(world) as (room, bot):
        await asyncio.gather(bot.on_message("a", "build gh/acme/api"), bot.on_message("b", "build gh/acme/web"))
    assert room.posts["a"][1:] == ["Pipeline 1: success."]
    assert room.posts["b"][1] == "Pipeline 1: failed."


async def test_what_waits_for_an_approval_goes_on_when_somebody_says_so(world: World, project: Project) -> None:
    project.on_trigger("release", ("test", "hold:approval", "ship"))
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
        assert room.posts["a"][-1] == "Pipeline 1 waits. Say approve, or cancel."
        await bot.on_message("a", "approve")
    assert room.posts["a"][2:] == ["Approved: hold.", "Pipeline 1: success."]


async def test_what_has_failed_is_run_again(world: World, project: Project) -> None:
    project.on_trigger("build", ("test:failed",))
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
        await bot.on_message("a", "rerun")
    assert room.posts["a"][1] == "Pipeline 1: failed."
    assert room.posts["a"][3] == "Running again: build."
    assert len(project.pipelines.all[0].workflows) == 2


async def test_what_runs_can_be_canceled_while_it_is_waited_for(world: World, project: Project) -> None:
    project.on_trigger("release", ("hold:approval",))
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
        await bot.on_message("a", "cancel")
    assert room.posts["a"][2:] == ["It is being canceled."]
    assert [each.status for each in project.pipelines.all[0].workflows] == ["canceled"]


async def test_a_config_that_cannot_be_used_is_told(world: World, project: Project) -> None:
    project.on_trigger(error="Job unit is not defined.")
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
    assert room.posts["a"][1:] == ["Pipeline 1: errored.", "Job unit is not defined."]


async def test_it_does_not_wait_for_ever(world: World, project: Project) -> None:
    project.on_trigger("release", workflow_delay=1000)
    async with talk(world, patience=0.2) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
    assert room.posts["a"][1:] == ["It still runs, and I wait no longer."]


@pytest.mark.parametrize("said", ["", "hello", "build", "build gh/acme/api main now", "approve it"])
async def test_what_it_does_not_understand_gets_help(world: World, said: str) -> None:
    async with talk(world) as (room, bot):
        await bot.on_message("a", said)
    assert room.posts["a"] == [HELP]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("approve", "Nothing waits for an approval."),
        ("rerun", "Nothing has failed."),
        ("cancel", "Nothing runs."),
        ("build gh/acme/gone", "That did not work: "),
        ("build nonsense", "That did not work: "),
    ],
)
async def test_what_cannot_be_done_is_told(world: World, said: str, answer: str) -> None:
    async with talk(world) as (room, bot):
        await bot.on_message("a", said)
    assert len(room.posts["a"]) == 1
    assert room.posts["a"][0].startswith(answer)


async def test_on_a_terminal_it_answers_what_is_typed_and_a_webhook_wakes_it(
    world: World, project: Project, tmp_path: Path
) -> None:
    project.on_trigger("build", ("test:failed",), output={"test": "no such table\n"})
    async with FakeCircleCI(world, run_time=0.2) as fake:
        env = {**fake.environment, "CIRCLE_WEBHOOK_SECRET": "secret", "PORT": "0"}
        async with started(str(EXAMPLES / "chat_bot.py"), env=env, folder=tmp_path) as process:
            line = await line_with(process.stdout, "Webhooks are taken at http://127.0.0.1:")
            hook = project.webhook(line.split()[-1], secret="secret")
            assert process.stdin is not None
            process.stdin.write(b"build gh/acme/api main\n")
            await line_with(process.stdout, "Pipeline 1 has begun.")
            await line_with(process.stdout, "Pipeline 1: failed.")
            process.stdin.write(b"thanks\n")
            process.stdin.write_eof()
            code, out, err = await ended(process)
    assert (code, err) == (0, "")
    assert "no such table\n" in out
    assert f"{HELP}\n" in out
    assert {each.status for each in hook.deliveries} == {202}


async def test_whatever_is_typed_into_a_terminal_the_others_go_on(
    world: World, project: Project, tmp_path: Path
) -> None:
    typed = tmp_path / "typed"  # a file is an input too
    typed.write_bytes(b"build gh/acme/api\n" + b"\xff\n" + b"x" * 100_000 + b"\n")
    async with FakeCircleCI(world, run_time=0.2) as fake:
        command = [sys.executable, str(EXAMPLES / "chat_bot.py")]
        with typed.open("rb") as stdin:
            env = {**os.environ, **fake.environment}
            process = await asyncio.create_subprocess_exec(*command, env=env, stdin=stdin, stdout=PIPE, stderr=PIPE)
        code, out, err = await ended(process)
    assert (code, err) == (0, "")
    assert sorted(out.splitlines()) == [HELP, HELP, "Pipeline 1 has begun.", "Pipeline 1: success."]
