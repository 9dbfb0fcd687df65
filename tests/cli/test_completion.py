"""Shell completion: the program answers the requests of typer's scripts."""

import pytest

from .process import run


@pytest.mark.parametrize(
    ("words", "answer"),
    [("circleci-async\n--version\nharv", "harvest"), ("circleci-async\ninsights\n", "collect")],
)
def test_the_program_completes_commands(words: str, answer: str) -> None:
    count = str(words.count("\n"))
    request = {"_CIRCLECI_ASYNC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": count}
    code, out, err = run(env=request)
    assert (code, err) == (0, "")
    assert answer in out
    assert "0." not in out, "an option that was typed before must not run"


def test_the_options_of_typer_install_the_completion() -> None:
    assert "--install-completion" in run("--help").out
