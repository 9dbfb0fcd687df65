"""Valid tokens, and a token function that reads a file which changes while a client is open."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_async import CircleCI, ConfigurationError
from circleci_async.config.tokens import clean_token
from tests.raw_server import answer, raw_server

ME = {"id": "u-1", "login": "octo"}


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("abc", "abc"),
        (" abc\n", "abc"),
        ("CCIPAT_a-b+c/d=~!", "CCIPAT_a-b+c/d=~!"),
        ("", None),
        (" \t", None),
        (None, None),
    ],
)
def test_a_token_is_stripped_and_a_blank_one_is_none(text: str | None, token: str | None) -> None:
    assert clean_token(text, "here") == token


@given(st.text())
def test_a_cleaned_token_always_fits_a_header(text: str) -> None:
    try:
        token = clean_token(text, "here")
    except ConfigurationError:
        return
    assert token is None or (token.isascii() and token.isprintable() and " " not in token and token == text.strip())


async def test_a_function_that_reads_a_file_is_called_before_each_request(tmp_path: Path) -> None:
    file = tmp_path / "circle-token"
    file.write_text("one\n")
    async with raw_server(answer(200, ME)) as server, CircleCI(file.read_text, host=server.url) as circle:
        await circle.users.me()
        file.write_text("two\n")
        await circle.users.me()
        assert [request.headers["circle-token"] for request in server.requests] == ["one", "two"]
        assert circle.token_source == "the token function"
