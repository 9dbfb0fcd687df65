"""What the command line shows of the SDK's log."""

import logging

import pytest

from circleci_async.cli.output import Output
from circleci_async.cli.runner import run

log = logging.getLogger("circleci_async")


async def work() -> None:
    log.warning("GET /api/v2/me has been waiting for 10 s: rate limited, 90 s left \x1b[2J")
    log.info("GET /api/v2/me: attempt 1 failed")


def test_a_warning_is_shown_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = log.handlers[:]
    assert run(work, Output()) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "GET /api/v2/me has been waiting for 10 s: rate limited, 90 s left" in " ".join(err.split())
    assert "attempt 1 failed" not in err
    assert "\x1b[2J" not in err
    assert log.handlers == handlers


def test_a_verbose_command_shows_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(work, Output(is_verbose=True)) == 0
    err = capsys.readouterr().err
    assert err.count("has been waiting") == 1
    assert err.count("attempt 1 failed") == 1


@pytest.mark.parametrize("is_verbose", [False, True])
def test_the_environment_variable_adds_no_second_line(
    is_verbose: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIRCLECI_ASYNC_LOG", "info")
    assert run(work, Output(is_verbose=is_verbose)) == 0
    assert capsys.readouterr().err.count("has been waiting") <= 1
