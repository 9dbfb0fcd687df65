"""Settings: hosts, tokens, config files, arguments of the command line."""

from contextlib import suppress

import typer
from yarl import URL

from circleci_async import ConfigurationError, InvalidArgument
from circleci_async.cli.api import _read_json, _read_query
from circleci_async.cli.arguments import polling
from circleci_async.cli.harvest import parse_size
from circleci_async.cli.trigger import parameters
from circleci_async.config.redacted import Redacted
from circleci_async.config.settings import _flat_entries, _root, _yaml_entries
from circleci_async.config.tokens import clean_token
from circleci_async.config.trust import Origin, Trust
from circleci_async.core.encoding import checked_headers, query_string, split_query
from circleci_async.core.redaction import redact_errors
from circleci_async.core.user_agent import user_agent_header
from circleci_async.untrusted_text import MAX_SHOWN, named, printable, quoted, shown

from ..parser import SIZE, Parser


def _host(text: str) -> object:
    root = _root(Redacted(text), "CIRCLE_HOST")
    assert Origin.of(root) is not None
    assert URL(root).user is None
    return root


def _config(text: str) -> object:
    entries, fault = _yaml_entries(text)
    assert not (entries and fault)
    assert "s3cret" not in fault
    return entries, fault


def _flat_config(text: str) -> object:
    entries, fault = _flat_entries(text)
    assert "s3cret" not in fault
    expected, _ = _yaml_entries(text)
    if expected and not fault and "\x85" not in text:
        assert {name: entries.get(name, "") for name in expected} == expected
    return entries, fault


def _token(text: str) -> object:
    return clean_token(text, "CIRCLE_TOKEN")


def _artifact_host(text: str) -> object:
    return Trust("https://circleci.com", [text])


def _query(text: str) -> object:
    path, query = split_query(text, None)
    return path + query_string(query)


def _header(text: str) -> object:
    name, _, value = text.partition(":")
    return checked_headers(Redacted({name: value})).reveal()


def _user_agent(text: str) -> object:
    return user_agent_header(text, is_set=False)


def _redacted(text: str) -> object:
    error = InvalidArgument("refused")
    with suppress(InvalidArgument), redact_errors(Redacted(text)):
        raise error
    return text


def _shown(text: str) -> object:
    for shown_text in (printable(text), shown(text), quoted(text), named(text)):
        assert shown_text.replace("\u200d", "").isprintable()
        shown_text.encode()
    assert len(shown(text)) <= MAX_SHOWN
    return printable(text)


HOST_TOKENS = "https:// http:// / // : @ ? # [ ] :: . .. \\ % :443 circleci.com * /api/v2"
CONFIG = "host: https://circleci.com\nendpoint: graphql-unstable\ntoken: s3cret\nrest_endpoint: 'api/v2'\n# end\n"

PARSERS = (
    Parser(
        name="host",
        parse=_host,
        returns=str,
        errors=(ConfigurationError,),
        seeds=("https://circleci.com", "ci.example.com:8443/base", "[::1]:80", "HTTP://127.0.0.1"),
        broke=(
            "",
            "https://",
            "https://[",
            "[",
            "https://a:99999",
            "https://u:p@h",
            "https://h/api/v2",
            "https://℀",
            "\udcff",
            "a:٣",
            "..",
            "https://h/%zz",
        ),
        tokens=HOST_TOKENS,
        shapes=(
            ("https://h", "/api", ""),
            ("https://", "a.", ""),
            ("https://h/", "api/v", "x"),
            ("[", ":", "]"),
            ("", "@", "?"),
            ("", "ä", ""),
        ),
    ),
    Parser(
        name="artifact host",
        parse=_artifact_host,
        returns=Trust,
        errors=(ConfigurationError,),
        seeds=("*.circle-artifacts.com", "minio.ci.example.com:9000", "[::1]:*", "127.0.0.1:80", "10.0.*.?"),
        broke=("", "*", "*.com", "**.a.b", ":", "a:0", "a:99999", "[", "[]", "a:*:*", "1.2.3.4.5", "\udcff", "a.b:٣"),
        tokens="* ? . : [ ] - _ :80 .com 127. 0",
        shapes=(("", "*a", ""), ("", "?.", ""), ("*.", "a.", ""), ("*", "a-", "!"), ("", "*.a", "!"), ("[", "0:", "]")),
    ),
    Parser(
        name="config file",
        parse=_config,
        returns=tuple,
        seeds=(CONFIG, '{"token": "s3cret"}', "---\ntoken: |\n  s3cret\n"),
        broke=(
            *(
                "",
                "\0",
                "token: [",
                "token: 7",
                "token: null",
                "- a",
                "{",
                "[" * 1000,
                "a: &a [*a]",
                "*a",
                "!!python/object:os.system x",
            ),
            *(
                "token: !!binary s3cret",
                "? [a]\n: b",
                "token: 2026-01-01",
                "\ud800",
                "\t",
                "%YAML 9.9\n---\na",
                "<<: x",
                "{a: b}: c",
                "\x85",
            ),
            *("token: 1__0", "token: 0x" + "f" * 5000, "token: " + "9" * 5000, "[]: 1", "host: 2026-13-45T99:99:99Z"),
        ),
        tokens=": - ? { } [ ] , & * ! | > ' \" # % @ ` --- ... << !!str token: host: \t &a *a",
        size=512,  # PyYAML is slow, and quadratic in nested lists
    ),
    Parser(
        name="config file without PyYAML",
        parse=_flat_config,
        returns=tuple,
        seeds=(CONFIG, '---\ntoken: "s3cret" # c\n', "token: 'it''s'\n"),
        broke=(
            "",
            "token:",
            "token: ~",
            "token:  a   # b",
            "token: a#b",
            "token: a :",
            "token: a: b",
            "token: a  ",
            "token: 'a'b",
            "tok en: a",
        ),
        tokens=": ' \" # : ~ -- null token: host:",
        shapes=(
            ("token: a", " ", ":"),
            ("token: a", " ", ": b"),
            ("token: '", "''", ""),
            ("token: a", " #", ": b"),
            ("", "a: b\n", ""),
            ("token: a", ":a", ""),
            ("token: a", " a", ": b"),
        ),
    ),
    Parser(
        name="token",
        parse=_token,
        returns=(str, type(None)),
        errors=(ConfigurationError,),
        seeds=("s3cret", " s3cret\n"),
        broke=("", " ", "a b", "a\nb", "é", "\udcff", "\0"),
        tokens="\n \t é",
    ),
    Parser(
        name="path of a request",
        parse=_query,
        returns=str,
        errors=(InvalidArgument,),
        seeds=("/project/gh%2Facme/x?branch=main&tag=", "me"),
        broke=("https://x", "//x", "/a/../b", "/a#b", "/\0", "?", "/?%FF=\udcff", "/?a=\ud800", "/?&&&==", "/?a;b"),
        tokens="/ // . .. ? & = % %2F %FF # ; +",
        shapes=(("/?", "a&", ""), ("/?", "a=b;", ""), ("/?", "%41=", "")),
    ),
    Parser(
        name="header of a request",
        parse=_header,
        returns=dict,
        errors=(InvalidArgument,),
        seeds=("X-Trace-Id:abc", "Accept:*/*"),
        broke=(":", "Circle-Token:x", "a\r\nb:c", "a:b\r\nc", "é:x", "a:é"),
        tokens=": \r\n - é",
    ),
    Parser(
        name="User-Agent",
        parse=_user_agent,
        returns=dict,
        errors=(InvalidArgument,),
        seeds=("my-bot/1.2",),
        broke=("", " ", "a\nb", "é", "\udcff"),
        tokens="/ \n",
    ),
    Parser(
        name="redacted value",
        parse=_redacted,
        returns=str,
        seeds=("s3cret-value", 'a "b" <c>'),
        broke=("\ud800aaaa", "((((((", "[a-", "\\" * 10, "\0\0\0\0\0"),
        tokens="( [ \\ < & \" ' /",
        size=SIZE // 8,
    ),
    Parser(
        name="text shown in messages",
        parse=_shown,
        returns=str,
        seeds=("a\tb\x1b[31m", "😀\u200d😀"),
        broke=("\ud800", "\u202e", "\0", "\x9b"),
        tokens="\x1b \t \u202e",
    ),
    Parser(
        name="--interval",
        parse=polling,
        returns=dict,
        errors=(InvalidArgument,),
        seeds=("2", "2,30"),
        broke=("", ",", "1,2,3", "nan", "inf", "-1", "2,1", "1_0", "1e400"),
        tokens=", . - e nan inf",
    ),
    Parser(
        name="--max-bytes",
        parse=parse_size,
        returns=int,
        errors=(typer.BadParameter,),
        seeds=("500000", "2GiB", "1.5 MB"),
        broke=("", "9" * 400, "9" * 5000 + "TiB", "1.", "-1", "٣", "1e9", "0." + "0" * 400, "1ib", "5i"),
        tokens=". k m g t i b",
    ),
    Parser(
        name="--param",
        parse=lambda text: parameters([text], []),
        returns=dict,
        errors=(InvalidArgument,),
        seeds=("n=1", "run=true", "name=a=b"),
        broke=("", "=", "=1", "n=", "n=" + "9" * 5000, "n=-0", "n=٣", "n=1_0"),
        tokens="= - true",
        shapes=(("n=", "9", ""),),
    ),
    Parser(
        name="--query",
        parse=lambda text: _read_query([text]),
        returns=dict,
        errors=(InvalidArgument,),
        seeds=("branch=main",),
        broke=("", "=", "a"),
        tokens="=",
    ),
    Parser(
        name="--body",
        parse=lambda text: _read_json(text.removeprefix("@")),
        returns=object,
        errors=(InvalidArgument,),
        seeds=('{"a": [1]}', "null"),
        broke=("", "[" * 20_000, '{"a":' * 20_000, "9" * 5000, "\ud800", '"\\ud800"', "NaN"),
        tokens='{ } [ ] , : "',
    ),
)
