"""The chat bot executes commands and posts results."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import define, field

from circleci_async.testing import FakeCircleCI, World
from docs.examples import chat_bot
from docs.examples.chat_bot import HELP, Bot
from tests.fastclock import fast_clock

from .processes import EXAMPLES, STOPS, ended, in_terminal, line_with, started

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@define
class Room:
    """A chat that stores the posts."""

    posts: defaultdict[str, list[str]] = field(factory=lambda: defaultdict[str, list[str]](list))

    async def post(self, thread: str, text: str) -> None:
        self.posts[thread].append(text)


def new_world() -> World:
    """Return a world with the project `gh/acme/api` and the clock of the running event loop."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    world = World(clock=lambda: NOW + timedelta(seconds=loop.time() - begin))
    world.project("gh/acme/api")
    return world


@asynccontextmanager
async def talk(world: World, *, timeout: float = 600.0) -> AsyncGenerator[tuple[Room, Bot]]:
    room = Room()
    async with FakeCircleCI(world, run_time=20.0) as fake, fake.client() as circle:
        yield room, Bot(circle, room, timeout=timeout)


@fast_clock
async def test_a_build_is_started_and_its_success_posted() -> None:
    world = new_world()
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api main")
    assert room.posts == {"a": ["Started pipeline 1.", "Pipeline 1: success."]}
    assert world.projects["gh/acme/api"].pipelines.all[0].branch == "main"


@fast_clock
async def test_the_last_lines_of_each_failed_step_are_posted() -> None:
    world = new_world()
    printed = "".join(f"line {number}\n" for number in range(100)) + "\x1b[31mE   assert 401 == 200\x1b[0m\n"
    world.projects["gh/acme/api"].on_trigger("build", ("lint", "test:failed"), output={"test": printed})
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
    first, second, log = room.posts["a"]
    assert (first, second) == ("Started pipeline 1.", "Pipeline 1: failed.")
    head, *lines = log.splitlines()
    assert head.startswith("build / test / ")
    assert head.endswith(": failed")
    assert lines == [*(f"line {number}" for number in range(81, 100)), "E   assert 401 == 200"]


@fast_clock
async def test_each_thread_has_its_own_pipeline() -> None:
    world = new_world()
    world.project("gh/acme/web").on_trigger("build", ("test:failed",))
    async with talk(world) as (room, bot):
        await asyncio.gather(bot.on_message("a", "build gh/acme/api"), bot.on_message("b", "build gh/acme/web"))
    assert room.posts["a"][1:] == ["Pipeline 1: success."]
    assert room.posts["b"][1] == "Pipeline 1: failed."


@fast_clock
async def test_a_job_on_hold_is_approved_on_command() -> None:
    world = new_world()
    world.projects["gh/acme/api"].on_trigger("release", ("test", "hold:approval", "ship"))
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
        assert room.posts["a"][-1] == "Pipeline 1 needs approval: approve or cancel?"
        await bot.on_message("a", "approve")
    assert room.posts["a"][2:] == ["Approved: hold.", "Pipeline 1: success."]


@fast_clock
async def test_a_failed_workflow_is_rerun_on_command() -> None:
    world = new_world()
    project = world.projects["gh/acme/api"]
    project.on_trigger("build", ("test:failed",))
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
        await bot.on_message("a", "rerun")
    assert room.posts["a"][1] == "Pipeline 1: failed."
    assert room.posts["a"][3] == "Rerunning: build."
    assert len(project.pipelines.all[0].workflows) == 2


@fast_clock
async def test_a_running_workflow_is_cancelled_on_command() -> None:
    world = new_world()
    project = world.projects["gh/acme/api"]
    project.on_trigger("release", ("hold:approval",))
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
        await bot.on_message("a", "cancel")
    assert room.posts["a"][2:] == ["Canceling."]
    assert [each.status for each in project.pipelines.all[0].workflows] == ["canceled"]


@fast_clock
async def test_errors_in_the_configuration_are_posted() -> None:
    world = new_world()
    world.projects["gh/acme/api"].on_trigger(error="Job unit is not defined.")
    async with talk(world) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
    assert room.posts["a"][1:] == ["Pipeline 1: errored.", "Job unit is not defined."]


@fast_clock
async def test_the_bot_stops_waiting_after_its_timeout() -> None:
    async with talk(new_world(), timeout=5) as (room, bot):
        await bot.on_message("a", "build gh/acme/api")
    assert room.posts["a"][1:] == ["The pipeline is still running. I stopped waiting."]


@fast_clock
async def test_unknown_commands_are_answered_with_help() -> None:
    async with talk(new_world()) as (room, bot):
        for text in ("", "hello", "build", "build gh/acme/api main now", "approve it"):
            await bot.on_message("a", text)
    assert room.posts["a"] == [HELP] * 5


@fast_clock
async def test_commands_that_fail_post_the_reason() -> None:
    async with talk(new_world()) as (room, bot):
        for text in ("approve", "rerun", "cancel", "build gh/acme/gone", "build nonsense"):
            await bot.on_message("a", text)
    no_approval, no_failure, no_workflow, gone, nonsense = room.posts["a"]
    assert no_approval == "No job needs approval."
    assert no_failure == "No workflow has failed."
    assert no_workflow == "No workflow is running."
    assert gone.startswith("Error: ")
    assert nonsense.startswith("Error: ")


async def test_on_a_terminal_the_bot_answers_lines_and_receives_webhooks(tmp_path: Path) -> None:
    world = World()
    project = world.project("gh/acme/api")
    project.on_trigger("build", ("test:failed",), output={"test": "no such table\n"})
    async with FakeCircleCI(world, run_time=0.2) as fake:
        env = {**fake.environment, "CIRCLE_WEBHOOK_SECRET": "secret", "PORT": "0"}
        async with started(str(EXAMPLES / "chat_bot.py"), env=env, folder=tmp_path) as process:
            line = await line_with(process.stdout, "Receiving webhooks at http://127.0.0.1:")
            hook = project.webhook(line.split()[-1], secret="secret")
            assert process.stdin is not None
            process.stdin.write(b"build gh/acme/api main\n")
            await line_with(process.stdout, "Started pipeline 1.")
            await line_with(process.stdout, "Pipeline 1: failed.")
            process.stdin.write(b"thanks\n")
            process.stdin.write_eof()
            code, out, err = await ended(process)
    assert (code, err) == (0, "")
    assert "no such table\n" in out
    assert f"{HELP}\n" in out
    assert {each.status for each in hook.deliveries} == {202}


@fast_clock
async def test_invalid_lines_do_not_affect_other_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lines"
    lines.write_bytes(b"build gh/acme/api\n" + b"\xff\n" + b"x" * 100_000 + b"\n")
    async with FakeCircleCI(new_world(), run_time=20.0) as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        with lines.open() as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            await chat_bot.main()
    assert sorted(capsys.readouterr().out.splitlines()) == [HELP, HELP, "Pipeline 1: success.", "Started pipeline 1."]


@pytest.mark.parametrize("how", STOPS)
async def test_a_bot_that_waits_for_a_pipeline_is_stopped(how: str, tmp_path: Path) -> None:
    world = World()
    world.project("gh/acme/api").on_trigger("build", ("test",))
    async with FakeCircleCI(world, run_time=600.0) as fake:
        env = {**fake.environment, "CIRCLE_WEBHOOK_SECRET": "secret", "PORT": "0"}
        async with in_terminal(str(EXAMPLES / "chat_bot.py"), env=env, folder=tmp_path) as terminal:
            await line_with(terminal.output, "Receiving webhooks")
            terminal.type("build gh/acme/api main\n")
            await line_with(terminal.output, "Started pipeline 1.")
            terminal.stop(how)
            assert await terminal.ended() == (0, "^C" if how == "Ctrl-C" else "")


@pytest.mark.parametrize("how", STOPS)
async def test_a_bot_that_waits_for_a_line_is_stopped(how: str, tmp_path: Path) -> None:
    async with (
        FakeCircleCI() as fake,
        in_terminal(str(EXAMPLES / "chat_bot.py"), env=dict(fake.environment), folder=tmp_path) as terminal,
    ):
        terminal.type("hello\n")
        await line_with(terminal.output, HELP)
        terminal.stop(how)
        assert await terminal.ended() == (0, "^C" if how == "Ctrl-C" else "")


async def test_the_end_of_the_input_ends_the_bot_after_its_commands(tmp_path: Path) -> None:
    world = World()
    world.project("gh/acme/api").on_trigger("build", ("test",))
    async with (
        FakeCircleCI(world, run_time=0.1) as fake,
        in_terminal(str(EXAMPLES / "chat_bot.py"), env=dict(fake.environment), folder=tmp_path) as terminal,
    ):
        terminal.type("build gh/acme/api main\n\x04")  # Ctrl-D
        await line_with(terminal.output, "Pipeline 1: success.")
        assert await terminal.ended() == (0, "")
