"""`CIRCLECI_ASYNC_LOG` turns logging on for scripts."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator

import pytest

from circleci_async import CircleCI, ConfigurationError
from circleci_async.config.log import configure_logging
from tests.raw_server import answer, raw_server

PROGRAM = """
import asyncio, sys
import circleci_async as ca

async def main():
    for _ in range(2):
        retry = ca.RetryPolicy(initial_delay=0.001)
        async with ca.CircleCI("s3cret", host=sys.argv[1], retry=retry) as circle:
            print((await circle.users.me()).login)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def own_level() -> Iterator[None]:
    logger = logging.getLogger("circleci_async")
    level = logger.level
    yield
    logger.setLevel(level)


async def run(program: str, url: str, value: str | None) -> tuple[str, list[str]]:
    """What a new interpreter prints on stdout, and the lines it prints on stderr."""
    environment = {**os.environ, **({"CIRCLECI_ASYNC_LOG": value} if value is not None else {})}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        url,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, logged = await process.communicate()
    return printed.decode(), logged.decode().splitlines()


@pytest.mark.parametrize(
    ("value", "lines"),
    [(None, 0), ("", 0), (" ", 0), ("info", 1), ("INFO", 1), ("debug", 4), (" Debug ", 4)],
)
async def test_a_script_logs_on_stderr_once_for_each_event(value: str | None, lines: int) -> None:
    me = answer(200, {"id": "u", "login": "octo"})
    async with raw_server(answer(503, {}), me) as server:
        printed, logged = await run(PROGRAM, server.url, value)
    assert printed == "octo\nocto\n"
    assert len(logged) == lines, logged
    assert "s3cret" not in "".join(logged)
    if lines:
        assert sum("INFO circleci_async: GET /api/v2/me: attempt 1 failed (status 503)" in line for line in logged) == 1


async def test_a_programs_own_logging_is_kept_and_only_its_level_is_set() -> None:
    own = 'import logging; logging.basicConfig(format="own %(message)s")\n'
    async with raw_server(answer(200, {"id": "u", "login": "octo"})) as server:
        _, logged = await run(own + PROGRAM, server.url, "debug")
    assert len(logged) >= 2
    assert [line for line in logged if "circleci_async" in line] == []
    assert sum(line.startswith("own GET /api/v2/me: 200 in") for line in logged) == 2


@pytest.mark.parametrize("value", ["verbose", "1", "10", "trace"])
def test_an_invalid_value_is_rejected_with_the_valid_ones(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLECI_ASYNC_LOG", value)
    with pytest.raises(ConfigurationError, match=f"CIRCLECI_ASYNC_LOG must be 'info' or 'debug', got '{value}'"):
        CircleCI("t")


def test_the_level_is_set_without_another_handler_where_logging_is_configured() -> None:
    logger = logging.getLogger("circleci_async")
    before = logger.handlers[:]
    for _ in range(2):
        configure_logging({"CIRCLECI_ASYNC_LOG": "debug"})  # pytest itself has handlers
    assert logger.level == logging.DEBUG
    assert logger.handlers == before
