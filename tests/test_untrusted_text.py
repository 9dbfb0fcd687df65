"""Text from outside in errors, logs and warnings: one line, clipped, escaped, without secrets."""

import copy
import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import circleci_async as ca
from circleci_async.config.log import log
from circleci_async.models import Artifact
from circleci_async.untrusted_text import MAX_ERROR, printable, quoted, shown, shown_list
from tests.raw_server import Behaviour, answer, raw_server

TOKEN = "the-token"
ONCE = ca.RetryPolicy(attempts=1)
HOSTILE = f"a\x1b[2J\u202e\n\r\x00\u2028b {TOKEN} " + "z" * 60_000 + "\x1b]0;title\x07 end"


# The function


@given(st.text(), st.integers(20, 60))
def test_a_shown_text_is_one_printable_line_of_limited_length(text: str, length: int) -> None:
    result = shown(text * 3, length)
    assert result.replace("\u200d", "").isprintable()
    assert len(result) <= length


@given(st.text(max_size=200))
def test_printable_text_is_unchanged(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    if text.isprintable():
        assert shown(text) == text


def test_the_middle_of_a_long_text_is_left_out() -> None:
    assert shown("abcdefghij" * 10, 12) == "abcdefgh…hij"
    assert shown("\x1b" * 10, 12) == "\\x1b\\x1b…x1b"


def test_a_quoted_text_is_a_literal() -> None:
    assert quoted("a\x1b\u202e") == r"'a\x1b\u202e'"
    assert quoted("x" * 81) == f"'{'x' * 79}…'"


def test_a_list_has_one_line_for_each_item() -> None:
    text = shown_list("2 failed:", ["a\nb", "c" * 5_000])
    assert text == f"2 failed:\n  a b\n  {shown('c' * 5_000, MAX_ERROR)}"
    assert shown(text, 10) == text
    error = ca.DownloadError(text)
    assert [str(twin) for twin in (error, copy.deepcopy(error), pickle.loads(pickle.dumps(error)))] == [text] * 3


# Errors


def is_shown(text: str, length: int = 3_500) -> bool:
    return text.isprintable() and len(text) <= length and TOKEN not in text


@pytest.mark.parametrize(
    "kind", [ca.CircleCIError, ca.TransportError, ca.ConfigurationError, ca.UnsafePath, ca.WaitTimeout, ca.PagingError]
)
def test_every_error_is_one_line(kind: type[ca.CircleCIError]) -> None:
    error = kind(HOSTILE.replace(TOKEN, ""))
    for text in (str(error), error.message, repr(error)):
        assert text.isprintable()
        assert len(text) <= MAX_ERROR + 40
    assert str(error).endswith(" end"), "advice is at the end of a message"


ERRORS: dict[str, Behaviour] = {
    "json message": answer(500, {"message": HOSTILE}),
    "text": answer(404, HOSTILE),
    "html": answer(502, f"<html><title>{HOSTILE}</title></html>"),
    "list": answer(400, {"errors": [{"message": HOSTILE}] * 5}),
    "request id": answer(404, {"message": "x"}, {"X-Request-Id": "r\u202e" + TOKEN + "i" * 6_000}),
    "ray": answer(404, {"message": "x"}, {"CF-RAY": TOKEN + "i" * 6_000}),
    "location": answer(302, "", {"Location": "ftp://h/\u202e" + TOKEN + "x" * 6_000}),
    "redirect": answer(302, "", {"Location": "https://other.example/" + TOKEN + "x" * 6_000}),
    "not json": answer(200, HOSTILE),
    "faults": answer(200, {"items": [{"id": HOSTILE, HOSTILE: 1}] * 100}),
    "bad token": answer(200, {"items": [], "next_page_token": HOSTILE}),
    "repeated token": answer(200, {"items": [], "next_page_token": HOSTILE[:3_000]}),
    "encoding": answer(200, "", {"Content-Encoding": "x\u202e" + TOKEN + "y" * 6_000}),
    "reason": answer(999, {"error": {"detail": HOSTILE}}),
}


@pytest.mark.parametrize("name", ERRORS)
async def test_what_a_server_sends_is_shown_in_errors_and_logs(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "circleci_async")
    async with raw_server(ERRORS[name]) as server:
        method = "POST" if name in {"redirect", "location"} else "GET"
        async with ca.CircleCI(TOKEN, host=server.url, retry=ca.RetryPolicy(attempts=2, initial_delay=0)) as circle:
            with pytest.raises(ca.CircleCIError) as caught:
                if method == "POST":
                    await circle.request("POST", "/x", json={})
                else:
                    await circle.pipelines.list("gh/acme/api").collect()
    error = caught.value
    assert is_shown(str(error))
    assert is_shown(error.message, MAX_ERROR)
    if isinstance(error, ca.ApiError):
        assert is_shown(error.request_id or "", 200)
        assert is_shown(str(error), 1_300)
    for record in caplog.records:
        assert is_shown(record.getMessage(), 1_500)


async def test_a_deprecation_header_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    headers = {"Deprecation": "d\u202e" + TOKEN + "x" * 6_000, "Link": TOKEN * 500}
    async with raw_server(answer(200, {}, headers)) as server, ca.CircleCI(TOKEN, host=server.url) as circle:
        await circle.request("GET", "/x")
    (record,) = caplog.records
    assert is_shown(record.getMessage(), 600)
    assert r"d\u202e[token]" in record.getMessage()


# Names of builds


NAMES = {"bidi": "a\u202egnp.exe", "long": "d/" * 2_000 + "x" * 300, "escape": "a\x1b[2Jb", "newline": "a\nb"}


@pytest.mark.parametrize("name", NAMES)
async def test_the_path_of_an_artifact_is_shown(name: str, tmp_path: Path) -> None:
    async with raw_server(answer(404, {"message": "gone"})) as server:
        artifact = Artifact(path=NAMES[name], node_index=0, url=f"{server.url}/a")
        async with ca.CircleCI(TOKEN, host=server.url, retry=ONCE) as circle:
            report = await circle.artifacts.download_all([artifact], tmp_path)
            with pytest.raises(ca.CircleCIError) as caught:
                await circle.artifacts.download(artifact, tmp_path)
    assert is_shown(str(report.failed[0]), 1_500)
    assert is_shown(str(caught.value), 1_500)
    with pytest.raises(ca.DownloadError) as listed:
        report.raise_for_failures()
    assert all(is_shown(line, 2_100) for line in str(listed.value).split("\n"))
    assert str(listed.value).count("\n") == 1


# Logs


def test_the_strings_of_a_log_line_are_shown(caplog: pytest.LogCaptureFixture) -> None:
    name = HOSTILE.replace(TOKEN, "")
    log.warning("%s and %d and %s", name, 7, ca.NotFound(404, name))
    (message,) = caplog.messages
    assert is_shown(message, 3_000)
    assert " and 7 and 404 Not Found: " in message


def test_a_handler_gets_json_that_it_can_write(caplog: pytest.LogCaptureFixture) -> None:
    log.warning("%s", "half \ud800")
    assert json.dumps(caplog.messages).encode().decode() == r'["half \\ud800"]'
    record: Any = caplog.records[0]
    assert record.args == (r"half \ud800",)
