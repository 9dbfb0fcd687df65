"""Valid tokens, and a token file that changes while a client is open."""

import os
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_async import CircleCI, CircleCIError, ConfigurationError, TokenFile
from circleci_async.config.tokens import MTIME_RESOLUTION, clean_token
from tests.raw_server import answer, raw_server

ME = {"id": "u-1", "login": "octo"}
LONG_AGO = 1_700_000_000


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


# --- a token in a file


def age(path: Path, seconds: float = LONG_AGO) -> None:
    """Set the time of a file's last change."""
    os.utime(path, (seconds, seconds))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "circle-token"
    file.write_text("one\n")
    return file


def refusal(token: TokenFile) -> str:
    """Return the message of the error that calling the token raises."""
    with pytest.raises(ConfigurationError) as caught:
        token()
    return str(caught.value)


def test_surrounding_white_space_is_removed(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf  the-token \r\n\r\n")
    assert TokenFile(file)() == "the-token"
    assert TokenFile(str(file))() == "the-token"


def test_a_written_or_replaced_file_is_read_again(file: Path) -> None:
    token = TokenFile(file)
    assert token() == "one"
    file.write_text("two\n")  # the same length, and possibly the same mtime
    assert token() == "two"
    other = file.with_name("other")
    other.write_text("three\n")
    other.replace(file)
    assert token() == "three"


@pytest.mark.parametrize("change", ["length", "time", "file"])
def test_any_changed_file_attribute_is_detected(change: str, file: Path) -> None:
    age(file)
    token = TokenFile(file)
    assert token() == "one"
    match change:
        case "length":
            file.write_text("longer\n")
            age(file)
        case "time":
            file.write_text("two\n")
            age(file, LONG_AGO + 1)
        case _:
            other = file.with_name("other")
            other.write_text("two\n")
            age(other)
            other.replace(file)
    assert token() in {"longer", "two"}


def test_an_unchanged_token_file_is_not_opened_again(file: Path) -> None:
    age(file)
    token = TokenFile(file)
    assert token() == "one"
    state = file.stat()
    with file.open("r+b") as writing:  # changes no checked attribute
        writing.write(b"two")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert token() == "one"


def test_a_change_within_the_resolution_of_mtime_is_detected(file: Path) -> None:
    token = TokenFile(file)
    assert token() == "one"
    state = file.stat()
    file.write_text("two\n")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert token() == "two", f"a file that changed in the last {MTIME_RESOLUTION / 1e9:g} seconds may be changing still"


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
def test_a_token_file_replaced_behind_a_symlink_is_read_again(tmp_path: Path) -> None:
    """Kubernetes writes a new folder, then atomically replaces the link `..data`."""
    for name, content in (("..1", "one"), ("..2", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(content)
        age(tmp_path / name / "token")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "token").symlink_to("..data/token")
    token = TokenFile(tmp_path / "token")
    assert token() == "one"
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert token() == "two"


def test_the_previous_token_is_used_while_the_file_is_rewritten(file: Path) -> None:
    token = TokenFile(file)
    last = token()
    file.write_text("")
    assert token() == last
    os.utime(file, ns=(0, 0))
    assert "is empty" in refusal(token), "the file is too old to be in the middle of a rewrite"
    file.write_text("next\n")
    assert token() == "next"


def test_a_missing_or_empty_token_file_is_an_error_that_names_it(file: Path) -> None:
    token = TokenFile(file)
    file.unlink()
    assert refusal(token) == f"the token file {file} cannot be read: No such file or directory"
    file.write_text(" \n")
    assert refusal(token) == f"the token file {file} is empty"
    file.write_text("there\n")
    assert token() == "there"
    file.unlink()
    assert "No such file" in refusal(token), "the token of a deleted file is not used"
    file.write_text("")
    assert "empty" in refusal(token)
    file.unlink()
    file.mkdir()
    assert "cannot be read" in refusal(token)


@pytest.mark.parametrize("content", [b"s3cret s3cret", b"s3cr\xc3\xa9t", b"s3cret\x00", b"\xff\xfes3cret"], ids=repr)
def test_an_invalid_token_is_rejected_without_showing_it(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    del content  # this frame is in the traceback too
    with pytest.raises(ConfigurationError, match=f"the token from {file} is invalid") as caught:
        TokenFile(file)()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "s3cr" not in "".join(shown.format())
    assert b"s3cr" not in pickle.dumps(caught.value)


@pytest.mark.parametrize("path", ["", None, 5, b"token"], ids=repr)
def test_an_invalid_token_file_path_is_rejected(path: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be the path of a file"):
        TokenFile(path)


def test_a_relative_path_is_resolved_when_given(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    token = TokenFile("circle-token")
    monkeypatch.chdir("/")
    assert token() == "one"
    assert token.path == str(file)


def test_the_repr_shows_the_path_and_not_the_token(file: Path) -> None:
    token = TokenFile(file)
    token()
    assert repr(token) == f"TokenFile({str(file)!r})"
    circle = CircleCI(token)
    assert circle.token_source == str(file)
    assert repr(circle) == f"<CircleCI https://circleci.com, token: {file}>"


async def test_a_client_sends_the_current_token_of_the_file(file: Path) -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(TokenFile(file), host=server.url) as circle:
        await circle.users.me()
        file.write_text("two\n")
        await circle.users.me()
        file.unlink()
        with pytest.raises(CircleCIError, match=str(file)):
            await circle.users.me()
        assert [request.headers["circle-token"] for request in server.requests] == ["one", "two"]


def test_a_client_can_be_created_before_the_token_file_exists(tmp_path: Path) -> None:
    assert CircleCI(TokenFile(tmp_path / "later")).token_source == str(tmp_path / "later")
