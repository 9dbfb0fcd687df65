"""The message of an error response, in each shape."""

import time

import pytest

from circleci_async.core.error_bodies import MAX_MESSAGE, error_message, request_id


@pytest.mark.parametrize(
    ("body", "message"),
    [
        # JSON, in the shapes of CircleCI and of the proxies in front of it
        ('{"message": "Project not found"}', "Project not found"),
        (' \n{"message": "Project not found"}\n', "Project not found"),
        ('{"error": "bad audience"}', "bad audience"),
        ('{"error": {"type": "invalid", "message": "no such branch"}}', "no such branch"),
        ('{"error": true, "message": "no such branch"}', "no such branch"),
        ('{"message": null, "error": "it failed"}', "it failed"),
        ('{"title": "Unprocessable", "detail": "name is taken"}', "Unprocessable: name is taken"),
        ('{"title": "Unprocessable", "detail": null}', "Unprocessable"),
        ('{"title": "Not allowed"}', "Not allowed"),
        ('{"errors": [{"message": "one"}, {"detail": "two"}, "three", {"code": 4}]}', "one; two; three"),
        ('["one", "two"]', "one; two"),
        ('"just text"', "just text"),
        ('{"error_description": "expired"}', "expired"),
        # JSON without a message
        ("{}", "Bad Request"),
        ('{"code": 17}', "Bad Request"),
        ('{"message": ""}', "Bad Request"),
        ("[]", "Bad Request"),
        ("null", "Bad Request"),
        ("false", "Bad Request"),
        # plain text, some of it similar to JSON
        ("Rate limited.", "Rate limited."),
        ("two\n  lines\tof text", "two lines of text"),
        ('{"message": "cut sho', '{"message": "cut sho'),
        # markup
        ("<html><head><title>503 Service &amp; Co</title></head><body>x</body></html>", "503 Service & Co"),
        ("<!DOCTYPE html>\n<HTML><TITLE\nlang='en'>Down</TITLE>", "Down"),
        ("<html><body><h1>Bad <em>gateway</em></h1>nginx</body></html>", "Bad gateway"),
        (
            "<html><style>p { color: red }</style><script>let a = 1 < 2</script><p>We are <b>down</b>.</p></html>",
            "We are down .",
        ),
        (
            "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
            "Request has expired",
        ),
        ("<html><title></title></html>", "Bad Request"),
        # nothing
        ("", "Bad Request"),
        (" \r\n ", "Bad Request"),
    ],
)
def test_the_message_is_found_in_bodies_of_every_shape(body: str, message: str) -> None:
    assert error_message(400, body) == message


def test_an_error_without_a_message_uses_the_status_phrase() -> None:
    assert error_message(503, "") == "Service Unavailable"
    assert error_message(599, "") == "status 599"


def test_a_long_message_is_shortened() -> None:
    assert error_message(400, "x" * MAX_MESSAGE) == "x" * MAX_MESSAGE
    assert error_message(400, "x" * (MAX_MESSAGE + 1)) == "x" * MAX_MESSAGE + "…"


@pytest.mark.parametrize("unit", ["<", "<title", "<title>", "<script>", '{"message":'])
def test_unclosed_markup_is_parsed_in_bounded_time(unit: str) -> None:
    began = time.process_time()
    assert error_message(502, "<html>" + unit * (1_000_000 // len(unit)))
    assert error_message(502, unit * (1_000_000 // len(unit)))
    assert time.process_time() - began < 2


def test_deeply_nested_json_is_treated_as_text() -> None:
    assert error_message(500, "[" * 100_000) == "[" * MAX_MESSAGE + "…"
    assert error_message(500, "[" * 50 + '"deep"' + "]" * 50) == "deep"


def test_the_request_id_comes_from_the_server_or_its_proxy() -> None:
    assert request_id({"X-Request-Id": "a", "CF-RAY": "b"}) == "a"
    assert request_id({"CF-RAY": "b"}) == "b"
    assert request_id({"X-Request-Id": ""}) is None
