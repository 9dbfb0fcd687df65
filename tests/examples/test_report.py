"""The report extends a history, writes the page, and posts the answers to a chat."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, example_world
from docs.examples import report

from .processes import EXAMPLES, STOPS, TIMEOUT, ended, in_terminal, started

REPORT = str(EXAMPLES / "report.py")


@asynccontextmanager
async def chat(status: int = 200) -> AsyncGenerator[tuple[str, list[dict[str, Any]]]]:
    """Serve an incoming webhook of a chat; yield its URL and the messages that it received."""
    messages: list[dict[str, Any]] = []

    async def receive(request: web.Request) -> web.Response:
        messages.append(await request.json())
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    yield f"http://{host}:{port}/hook", messages
    await runner.cleanup()


async def test_it_writes_the_page_and_posts_the_answers_of_an_organization(tmp_path: Path) -> None:
    async with FakeCircleCI(example_world()) as fake, chat() as (url, messages):
        env = {**fake.environment, "CHAT_WEBHOOK": url}
        async with started(REPORT, "gh/acme", "--window", "90d", env=env, folder=tmp_path) as process:
            code, out, err = await ended(process)
    assert (code, err) == (0, "")
    assert messages == [{"text": out.removesuffix("\n")}]
    lines = out.splitlines()
    assert [line[1 : line.rindex("*")] for line in lines] == [
        "Is it getting worse?",
        "How long do people wait?",
        "What is worth speeding up?",
        "Which tests flake, and what does that cost?",
        "Where do the credits go?",
    ]
    assert lines[0].startswith("*Is it getting worse?* 15 % of 26 runs failed")
    assert "test_login" in lines[3]
    assert "Is it getting worse?" in (tmp_path / "report.html").read_text()
    kept = await ca.report_from_history(tmp_path / "history")
    assert (len(kept.projects), len(kept.runs)) == (3, 26)


async def test_an_error_of_a_project_is_listed_and_does_not_stop_the_others(
    use: Callable[[FakeCircleCI], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeCircleCI(example_world()) as fake:
        use(fake)
        projects, history, page = ["gh/acme/gone", "gh/acme/web"], str(tmp_path / "history"), tmp_path / "page.html"
        assert await report.main(projects, history, "90d", str(page), None) == 1
    out, err = capsys.readouterr()
    assert err.startswith("gh/acme/gone: no project: 404")
    assert "0 % of 2 runs failed" in out
    assert page.exists()


async def test_a_chat_that_refuses_the_message_is_an_error() -> None:
    async with chat(status=403) as (url, messages):
        with pytest.raises(aiohttp.ClientResponseError, match="403"):
            await report.post(url, "*Is it getting worse?* No.")
    assert messages == [{"text": "*Is it getting worse?* No."}]


async def test_an_invalid_token_is_a_short_message(tmp_path: Path) -> None:
    async with (
        FakeCircleCI(token="t") as fake,
        started(REPORT, "gh/acme", env={**fake.environment, "CIRCLE_TOKEN": "wrong"}, folder=tmp_path) as process,
    ):
        code, out, err = await ended(process)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: 401 Unauthorized")


@pytest.mark.parametrize("how", STOPS)
async def test_a_report_that_is_stopped_writes_no_page(how: str, tmp_path: Path) -> None:
    async with FakeCircleCI(example_world()) as fake:
        waiting = fake.fail("*/flaky-tests", delay=600, times=3)
        async with in_terminal(REPORT, "gh/acme", env=dict(fake.environment), folder=tmp_path) as terminal:
            async with asyncio.timeout(TIMEOUT):
                while waiting.hits < 3:
                    await asyncio.sleep(0.01)
            terminal.stop(how)
            code, out = await terminal.ended()
    assert (code, out.removeprefix("^C")) == (130, "interrupted: run it again to continue\n")
    assert not (tmp_path / "report.html").exists()
