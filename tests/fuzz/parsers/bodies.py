"""Bodies of responses and of webhooks: pages, errors, logs, exports."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from circleci_async import DecodeError
from circleci_async.core import json_parts
from circleci_async.core.codec import decode, decode_page, to_json
from circleci_async.core.error_bodies import error_message
from circleci_async.core.gzip_decoder import GzipDecoder, GzipError
from circleci_async.logs.build import Build
from circleci_async.logs.lines import splitter
from circleci_async.logs.messages import JsonMessages, MalformedOutput, TextMessages
from circleci_async.models import Artifact, Pipeline, WebhookEvent
from circleci_async.models.jobs import TestResult
from circleci_async.usage.table import MalformedTable, Table
from circleci_async.webhooks import parse

from ..parser import SIZE, Parser

PIECE = SIZE // 8
"""Bytes that arrive at once."""


def pieces(data: bytes, size: int = PIECE) -> Iterator[bytes]:
    """Split bytes as a connection does."""
    return (data[at : at + size] for at in range(0, len(data), size))


def _json_in_parts(text: str) -> object:
    """Parse JSON in parts; the result is that of the decoder."""
    results: list[object] = []
    for loads in (partial(json_parts.loads, DECODER), DECODER.decode):
        try:
            results.append(loads(text))
        except (ValueError, RecursionError) as error:
            results.append((type(error), str(error)))
    assert results[0] == results[1] or repr(results[0]) == repr(results[1])
    return results


def _page(body: bytes) -> object:
    items, token = decode_page(Pipeline, body, method="GET", url="https://circleci.com/api/v2/pipeline")
    assert token is None or token
    for item in items:
        _check_time(item.created_at)
    to_json(items)
    return items


def _artifacts(body: bytes) -> object:
    return decode_page(Artifact, body)[0]


def _tests(body: bytes) -> object:
    return decode_page(TestResult, body, items_optional=True)[0]


def _free_map(body: bytes) -> object:
    return decode(dict[str, Any], body)


def _build(body: bytes) -> object:
    steps = decode(Build, body).job_steps()
    for step in steps:
        _check_time(step.started_at)
        assert len({action.name for action in step.actions}) <= len(step.actions)
    return steps


def _event(body: bytes) -> object:
    event = parse(body)
    assert event.id.strip()
    _check_time(event.happened_at)
    return event


def _check_time(moment: datetime | None) -> None:
    if moment is not None:
        moment.astimezone(UTC)


def _error_body(text: str) -> object:
    message = error_message(502, text)
    assert message
    assert len(message) <= 501
    assert "\n" not in message
    return message


def _messages(body: bytes) -> object:
    reader = JsonMessages()
    found = [message for piece in pieces(body) for message in reader.feed(piece)]
    found += reader.end()
    for message in found:
        message.text.encode()
        _check_time(message.time)
    return found


def _text_messages(body: bytes) -> object:
    reader = TextMessages()
    found = [message for piece in pieces(body) for message in reader.feed(piece)]
    text = "".join(message.text for message in [*found, *reader.end()])
    assert text == body.decode("utf-8-sig", "replace")
    return found


def _shown_lines(text: str) -> object:
    lines = splitter(ansi=False)
    found = [line for at in range(0, len(text), PIECE) for line in lines.feed(text[at : at + PIECE])]
    found += lines.end()
    assert not any(set(line.text) & set("\x1b\b\r\n\0\x07") for line in found)
    return found


def _printed_lines(text: str) -> object:
    lines = splitter(ansi=True)
    found = [line for at in range(0, len(text), PIECE) for line in lines.feed(text[at : at + PIECE])]
    found += lines.end()
    assert "".join(line.with_newline for line in found).replace("\r", "") == text.replace("\r", "")
    return found


def _table(body: bytes, size: int) -> object:
    table = Table()
    rows = [row for piece in pieces(gzip.compress(body, 0), size) for batch in table.feed(piece) for row in batch]
    rows += table.end()
    assert len({tuple(row) for row in rows}) <= 1
    return rows


def _gzip(data: bytes) -> object:
    decoder = GzipDecoder(max_piece=PIECE)
    size = sum(len(piece) for given in pieces(data) for piece in decoder.feed(given))
    decoder.end()
    return size


DECODER = json.JSONDecoder()
PIPELINE = (
    '{"id":"5034460f","number":7,"project_slug":"gh/acme/api","state":"created","created_at":"2026-05-04T10:00:00.042Z",'
    '"trigger":{"type":"webhook","received-at":"2026-05-04T10:00:00Z","actor":{"login":"octo","avatar_url":null}},'
    '"errors":[],"vcs":null,"trigger_parameters":{"git":{"branch":"main"}}}'
)
EVENT = (
    '{"id":"e1","type":"workflow-completed","happened_at":"2026-05-04T10:00:00Z","webhook":{"id":"w1","name":"bot"},'
    '"project":{"id":"p1","slug":"github/acme/api"},"workflow":{"id":"f1","status":"success","stopped_at":null},'
    '"pipeline":{"id":"q1","number":7,"trigger":{"type":"webhook"},"vcs":{"revision":"abc","commit":{"author":null}}}}'
)
BUILD = (
    '{"lifecycle":"finished","status":"failed","stop_time":"2026-05-04T10:00:00Z","steps":[{"name":"make",'
    '"actions":[{"step":101,"index":0,"status":"failed","failed":true,"exit_code":2,"run_time_millis":5,'
    '"start_time":"2026-05-04T10:00:00.000Z","end_time":null,"output_url":"https://x/y?z"}]}]}'
)
MESSAGES = (
    '[{"message":"a\\u001b[31mred\\r\\n","time":"2026-05-04T10:00:00.000Z","type":"out"},{"message":"\\ud83d\\ude00"}]'
)
JSON_TOKENS = (
    '{ } [ ] , : " \\ \\u \\ud800 \\udc00 \\" null true false NaN Infinity -1 1e999 1e5 0.1 [] {} [{} '
    '{"a": "id": "items": {"items":['
)
DATES = (
    *(
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-W01-1",
        "20260504",
        "2026-05-04T10:00:00.123456789Z",
    ),
    *("2026-05-04T24:00:00Z", "2026-05-04T10:00:00+00:00:00.000001", "2026-05-04\ud8001", "0000-01-01"),
)
NESTED = ("[" * 20_000, '{"a":' * 10_000, "[" * 5_000 + "]" * 5_000)
NOT_JSON = (
    *(
        "",
        " ",
        "null",
        "[]",
        "0",
        '"text"',
        "nan",
        "NaN",
        "[1,]",
        "{} {}",
        '{"a" 1}',
        '{"a":1}x',
        "\ufeff{}",
        "9" * 5000,
    ),
    *("\ud800", '"\\ud800"', '{"items":[1,null,"x",[],{}],"next_page_token":7}', '{"items":{"id":1}}', "\0"),
    *('{"id":1e999}', '{"items":[],"next-page-token":"x","next_page_token":null}', *NESTED),
)

PARSERS = (
    Parser(
        name="page of pipelines",
        parse=_page,
        returns=tuple,
        errors=(DecodeError,),
        is_binary=True,
        seeds=(f'{{"items":[{PIPELINE}],"next_page_token":"abc"}}', f'{{"items":[{PIPELINE},{PIPELINE}]}}'),
        broke=(*NOT_JSON, *(f'{{"items":[{PIPELINE.replace("2026-05-04T10:00:00Z", date)}]}}' for date in DATES)),
        tokens=JSON_TOKENS,
        shapes=(
            ('{"items":[', f"{PIPELINE},", f"{PIPELINE}]}}"),
            ('{"items":[', "{},", "{}]}"),
            ('{"items":[', "null,", '0],"next_page_token":7}'),
            ('{"items":[{"', "-", '":1}]}'),
            ('{"items":[{', '"a-b":1,', '"id":1}]}'),
            ('{"items":[],"next_page_token":"', "\\u0041", '"}'),
        ),
    ),
    Parser(
        name="JSON in parts",
        parse=_json_in_parts,
        returns=list,
        size=48 * SIZE,
        repeats_tokens=False,
        seeds=('{"a":{"b":[1,2.5,"x",null,true]},"c-d":{}}', "[]"),
        broke=NOT_JSON,
        tokens="[ [[], {} \\ 7",
        shapes=(
            ("[", "1,", "2]"),
            ("[", '"a",', "]"),
            ('{"a":', '{"a":', ""),
            ("[" * 60, "7,", "7" + "]" * 60),
            ("{", '"a":7,', '"b":7}'),
            ('["', "\\", '"]'),
            ("[", " ", "]"),
        ),
    ),
    Parser(
        name="page of artifacts",
        parse=_artifacts,
        returns=tuple,
        errors=(DecodeError,),
        is_binary=True,
        seeds=('{"items":[{"path":"a/b.xml","node_index":0,"url":"https://x/y"}],"next_page_token":null}',),
        broke=(
            *NOT_JSON,
            '{"items":[{"path":"\\ud800","url":"","node_index":1e400}]}',
            '{"items":[{"path":"a","url":"b","node_index":9e999}]}',
        ),
        tokens=JSON_TOKENS,
        shapes=(('{"items":[{"path":"', "\\ud800", '"}]}'), ('{"items":[', '{"path":"a","url":"b"},', "7]}")),
    ),
    Parser(
        name="page of tests",
        parse=_tests,
        returns=tuple,
        errors=(DecodeError,),
        is_binary=True,
        seeds=(
            '{"items":[{"name":"t","classname":"C","result":"success","run_time":0.5,"source":"pytest","message":"\\u0000","file":null}]}',
        ),
        broke=(
            *NOT_JSON,
            '{"items":[{"name":"t","run_time":1e999}]}',
            '{"items":[{"name":"t","run_time":' + "9" * 400 + "}]}",
        ),
        tokens=JSON_TOKENS,
    ),
    Parser(
        name="free map",
        parse=_free_map,
        returns=dict,
        errors=(DecodeError,),
        is_binary=True,
        seeds=('{"a":{"b":[1,2.5,"x",null,true]},"c-d":{}}',),
        broke=NOT_JSON,
        tokens=JSON_TOKENS,
        shapes=(("{", '"a":1,', '"b":2}'), ("[", "[],", "[]]"), ('{"a":"', "\\\\", '"}')),
    ),
    Parser(
        name="job of API v1.1",
        parse=_build,
        returns=list,
        errors=(DecodeError,),
        is_binary=True,
        seeds=(BUILD,),
        broke=(
            *NOT_JSON,
            *('{"steps":[{}]}', '{"steps":[{"actions":[{}]}]}', '{"steps":[null]}', '{"steps":[{"name":7}]}'),
            '{"steps":[{"actions":[{"start_time":"0001-01-01T00:00:00+23:59"},{"start_time":"2026-05-04T10:00:00Z"}]}]}',
        ),
        tokens=JSON_TOKENS,
        shapes=(
            ('{"steps":[', '{"actions":[{"index":1}]},', "{}]}"),
            ('{"steps":[{"actions":[', '{"index":9},', "{}]}]}"),
        ),
    ),
    Parser(
        name="webhook body",
        parse=_event,
        returns=WebhookEvent,
        errors=(DecodeError,),
        is_binary=True,
        seeds=(EVENT, EVENT.replace("workflow-completed", "later-addition"), '{"id":"e2","type":"ping"}'),
        broke=(
            *NOT_JSON,
            *('{"id":"","type":"ping"}', '{"id":" ","type":"new","job":[]}', '{"id":"\\ud800","type":"\\ud800"}'),
            *(EVENT.replace("2026-05-04T10:00:00Z", date) for date in DATES),
        ),
        tokens=JSON_TOKENS,
        shapes=(
            ('{"id":"e","type":"new",', '"job":{"id":7},', '"a":1}'),
            ('{"id":"e","type":"new","job":{"id":"x","number":{', '"a":1,', '"b":1}}}'),
            ('{"id":"e","type":"ping","job":{"id":"', "\\ud83d", '"}}'),
        ),
    ),
    Parser(
        name="error body",
        parse=_error_body,
        returns=str,
        size=4 * SIZE,  # more than what is searched
        seeds=(
            '{"message":"Not found"}',
            '{"errors":[{"title":"Bad","detail":"worse"}],"error":""}',
            "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
            "<html><head><title>502 Bad &amp; Gateway</title><script>x()</script></head><h1 class=a>Sorry</h1></html>",
            "plain text",
        ),
        broke=(
            *NOT_JSON,
            *(
                "<",
                "<>",
                "</",
                "<title>",
                "<script>",
                "<Message></Message>",
                "<h1>&#x110000;&#xd800;</h1>",
                "&#" + "9" * 5000 + ";",
            ),
            *("<h1>&#" + "9" * 5000 + ";</h1>", '{"message":"\\ud800\\u001b[31m"}', '{"title":null,"detail":[]}'),
            '{"title":' * 500 + '""' + ',"detail":""}' * 500,
        ),
        tokens="<Message> </Message> <title> </title> <script> <style </script> <h1 < > &lt; &#9; &# ; "
        '{"message": "title": "errors":[ ] } , "',
        shapes=(
            ("<", "<title ", ""),
            ("<", "<title>", ""),
            ("<", "<script", ""),
            ("<", "&#9;", ""),
            ("[", '{"message":"a"},', '""]'),
            ('{"message":"', "\\u0020", '"}'),
            ('{"errors":[', '{"title":"a","detail":"b"},', "1]}"),
        ),
    ),
    Parser(
        name="log messages",
        parse=_messages,
        returns=list,
        errors=(MalformedOutput,),
        is_binary=True,
        size=2 * SIZE,
        seeds=(MESSAGES, "[]", ""),
        broke=(
            *NOT_JSON,
            *(
                '[{"message":"\\ud83d"},{"message":"\\ude00"}]',
                '[{"message":"a\\',
                '[{"message":"a\\u12',
                '[{"time":"\\"}]',
            ),
            *(f'[{{"message":"a","time":"{date}"}}]' for date in DATES),
            *(
                '[{"message":null}]',
                '[{"message":1}]',
                '[{"a":[,]}]',
                '[{"":{}}]',
                '[{"message":"\\q"}]',
                '[{"a":NaN}]',
            ),
        ),
        tokens=f'{JSON_TOKENS} "message":" "time":" "type":" [{{"message":"',
        shapes=(
            ("[", '{"message":"a"},', '{"message":"b"}]'),
            ('[{"message":"', "\\ud83d\\ude00", '"}]'),
            ('[{"message":"', "\\ud83d", '"}]'),
            ('[{"message":"', "\b", '"}]'),
            ("[", '{"message":"a","b":[,]},', '{"message":"b"}]'),
            ('[{"a":', "[", ""),
            ('[{"a":', '{"b":', ""),
            ('[{"message":"a",', '"message":"b",', '"c":1}]'),
            ('[{"a":"', "\\\\", '"}]'),
            ('[{"', "k", '":1}]'),
            ("[", "\n", "]"),
        ),
    ),
    Parser(
        name="plain log",
        parse=_text_messages,
        returns=list,
        is_binary=True,
        seeds=("a line\nanother\r\n", "é ≤ 😀"),
        broke=("\ud800", "\ufeff\ufeffx", "\0"),
        tokens="\n \r é",
    ),
    Parser(
        name="lines as a terminal shows them",
        parse=_shown_lines,
        returns=list,
        size=2 * SIZE,
        seeds=(
            "a\x1b[31mred\x1b[0m\n10%\r20%\r\n",
            "\x1b]0;title\x07text\b\bxt\n",
            "\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\\n",
        ),
        broke=(
            "a" * 200 + "\b" * 100 + "b\n",
            "\x1b",
            "\x1b[",
            "\x1b]",
            "\x1b]0;x\n",
            "\b\b\b",
            "\r\r\n",
            "\x1b[0;\x1b[1m",
            "\ud800\n",
        ),
        tokens="\b \r \n \x1b \x1b[ \x1b] \x1b[0;31m \x1b]0; \x07 \x1b\\ \x1b( 0; m a\b ab\b a\r \t",
        shapes=(
            ("a" * 30_000, "\b", "b\n"),
            ("a" * 30_000, "\bx", "\n"),
            ("a" * 30_000 + "\b" * 15_000, "x", "\n"),
            ("a" * 30_000, "\b\bx", "\n"),
            ("a" * 30_000, "b\b", "\n"),
            ("", "\x1b[0", "\n"),
            ("\x1b[", "0", "m\n"),
            ("\x1b[", "/", "\n"),
            ("\x1b", " ", ""),
            ("\x1b]", "x", ""),
            ("", "\x1b]x\x07", "\n"),
            ("", "\x1b]x\x1b\\", "\n"),
        ),
    ),
    Parser(
        name="lines as printed",
        parse=_printed_lines,
        returns=list,
        size=2 * SIZE,
        seeds=("a\x1b[31mred\x1b[0m\n10%\r20%\r\n", "no newline"),
        broke=("\r", "\r\n\r", "\n\n", "a" * 70_000, "\ud800\n"),
        tokens="\b \r \n \x1b[0m \t",
        shapes=(("", "a" * 1_000, "\n"),),
    ),
    Parser(
        name="part of a usage export",
        parse=lambda body: _table(body, PIECE),
        returns=list,
        errors=(MalformedTable, GzipError),
        is_binary=True,
        seeds=('"A","B"\n1,"x ""y""\nz"\n2,3\n', "A,B\r\n1,2\r\n"),
        broke=(
            "",
            "\n",
            "A,A\n",
            "A\n1,2\n",
            '"',
            'A\n"',
            'A\n"x"y\n',
            "A\n\0\n",
            "A\r1\r",
            "\ud800",
            "\ufeffA\n1",
            'A\n"' + "x" * 140_000,
        ),
        tokens='" "" , \n \r\n \r A,B \t \0',
        shapes=(
            ('A\n"', "\n", '"\n'),
            ('A\n"', '""', '"\n'),
            ("A,B\n", '"x","y"\n', ""),
            ("A", ",", "\n"),
            ("A,B\n1,", '"\n\n\n","', '"\n'),
        ),
    ),
    Parser(
        name="part of a usage export in small pieces",
        parse=lambda body: _table(body, 256),
        returns=list,
        errors=(MalformedTable, GzipError),
        is_binary=True,
        seeds=('"A","B"\n1,"x ""y""\nz"\n2,3\n',),
        broke=('A\n"',),
        tokens='" , \n',
        shapes=(('A\n"', "\n", '"\n'), ('A,B\n1,"', "x\n", '"\n'), ("A,B\n", '"x","y"\n', "")),
    ),
    Parser(
        name="gzip",
        parse=lambda data: _gzip(gzip.compress(data[:1]) + data),
        returns=int,
        errors=(GzipError,),
        is_binary=True,
        seeds=("", "\0\0\0"),
        broke=("\x1f", "\0a", "\x1f\x8b\x08", "\udc8b"),
        tokens="\x1f \x8b \x08 \0",
        shapes=(("", "\0", ""),),
    ),
    Parser(
        name="gzip members",
        parse=lambda data: _gzip(gzip.compress(b"a") * (len(data) // 20) + gzip.compress(data)),
        returns=int,
        is_binary=True,
        seeds=("abc",),
        tokens="a",
    ),
)
