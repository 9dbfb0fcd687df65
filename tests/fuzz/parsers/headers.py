"""Headers of responses and of webhooks."""

import hmac
from collections.abc import Mapping
from math import isfinite
from typing import Any

from yarl import URL

from circleci_async import SignatureError
from circleci_async.config.trust import Origin, Trust
from circleci_async.core.deprecations import Deprecations
from circleci_async.core.error_bodies import request_id
from circleci_async.core.ranges import ContentRange, parse_content_range, strong_etag
from circleci_async.core.rate_limit import MAX_DELAY, RateLimitState, parse_rate_limit, parse_retry_after
from circleci_async.core.rate_limit_status import RateLimitStatus, parse_status
from circleci_async.core.response import Redirect, Response
from circleci_async.webhooks import verify

from ..parser import Parser

NOW = 1_700_000_000.0
API = "https://circleci.com/api/v2"


def _retry_after(text: str) -> object:
    seconds = parse_retry_after({"Retry-After": text}, now=NOW)
    assert seconds is None or 0 <= seconds <= MAX_DELAY
    return seconds


def _retry_after_date(text: str) -> object:
    seconds = parse_retry_after({"Retry-After": "Wed, 15 Nov 2023 06:13:20 GMT", "Date": text}, now=NOW)
    assert seconds is None or 0 <= seconds <= MAX_DELAY
    return seconds


def headers_of(text: str) -> Mapping[str, str]:
    """Return the headers in lines of `Name: value`."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.split("\n")) if name}


def _rate_limit(text: str) -> object:
    states = [parse_rate_limit(headers_of(text), refused=refused) for refused in (False, True)]
    for state in states:
        assert all(value is None or isfinite(value) for value in state)
        assert state.pause is None or state.pause >= 0
    return states[0]


def _rate_limit_status(text: str) -> object:
    status = parse_status(headers_of(text))
    assert all(value is None or value >= 0 for value in (status.limit, status.remaining, status.reset))
    return status


class _NoBody:
    length = 0


def _redirect(text: str) -> object:
    body: Any = _NoBody()
    target = Response(302, {"Location": text}, URL(f"{API}/me"), body).redirect
    if target is not None:
        origin = Origin.of(target.url.reveal())
        assert origin is not None
        assert target.is_downgrade == (origin.scheme == "http")
        assert target.is_cross_origin == (str(origin) != "https://circleci.com")
    return target


def _deprecation(text: str) -> object:
    deprecations = Deprecations()
    deprecations.log(API, "GET", f"{API}/me?a=b", headers_of(text), redact=str)
    return len(deprecations._logged)


def _request_id(text: str) -> object:
    return request_id({"X-Request-Id": text})


def _content_range(text: str) -> object:
    part = parse_content_range({"Content-Range": text})
    assert part is None or 0 <= part.first <= part.last
    assert part is None or part.size is None or part.last < part.size
    return part


def _etag(text: str) -> object:
    etag = strong_etag({"ETag": text})
    assert etag is None or etag.encode() == text.encode()
    return etag


def _signature(text: str) -> object:
    verify(b"{}", [("circleci-signature", text)], ["secret", "older"])
    return None


def _signature_bytes(text: str) -> object:
    verify(b"{}", [(b"circleci-signature", text.encode("utf-8", "surrogatepass"))], "secret")
    return None


def _trusted(text: str) -> object:
    trust = Trust("https://circleci.com", ("*.circle-artifacts.com", "[::1]:9000"))
    is_trusted = trust.trusts(text)
    assert not is_trusted or URL(text).host is not None
    return is_trusted


DATES = (
    "Wed, 15 Nov 2023 06:13:20 GMT",
    "Wednesday, 15-Nov-23 06:13:20 GMT",
    "Wed Nov 15 06:13:20 2023",
    "Wed, 15 Nov 2023 06:13:20 +0130",
)
DATE_TOKENS = "Wed, 15 Nov 2023 06:13:20 GMT + - , : . -0000 +9999 24:60:60 0000 99999999999999999999"
SIGNED = f"v1={hmac.digest(b'secret', b'{}', 'sha256').hex()}"
RATE_LIMITS = (
    "X-RateLimit-Limit: 60\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 17",
    "RateLimit-Limit-Minute: 60\nRateLimit-Remaining-Minute: 59.5\nX-RateLimit-Reset: 1735689600",
)
RATE_LIMIT_TOKENS = "X-RateLimit-Remaining: X-RateLimit-Reset: RateLimit-Limit: RateLimit- \n 0 1_0 - . , ; = w= 1e999"

PARSERS = (
    Parser(
        name="Retry-After",
        parse=_retry_after,
        returns=(float, type(None)),
        seeds=("7", "0.5", *DATES),
        broke=(
            *("1735689600", "-3", "1e400", "nan", "inf", "-inf", "1_0", "٣", "+7", "0x7", " ", "9" * 5000),
            *("Mon, 99 Foo 2026", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon,", ",", "-", ", , , , ,"),
            *("Sat, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "1 Jan 2023 00:00:00 +99999999999"),
        ),
        tokens=DATE_TOKENS,
    ),
    Parser(
        name="Date",
        parse=_retry_after_date,
        returns=(float, type(None)),
        seeds=DATES,
        broke=("Sat, 01 Jan 0001 00:00:00 +2359", "Thu, 01 Jan 1970 00:00:00 GMT", "-", ","),
        tokens=DATE_TOKENS,
    ),
    Parser(
        name="rate-limit headers",
        parse=_rate_limit,
        returns=RateLimitState,
        seeds=RATE_LIMITS,
        broke=("RateLimit-Remaining: nan", "RateLimit-Remaining: 0\nRateLimit-Reset: -1", "RateLimit-Reset: 1e308"),
        tokens=RATE_LIMIT_TOKENS,
        shapes=(
            ("RateLimit-Remaining: ", "9", ""),
            ("RateLimit-Remaining: 0.", "0", "1"),
            ("", "RateLimit-Reset-%: 1\n", ""),
        ),
    ),
    Parser(
        name="rate-limit status",
        parse=_rate_limit_status,
        returns=RateLimitStatus,
        seeds=RATE_LIMITS,
        broke=("RateLimit-Remaining: nan", "RateLimit-Limit: 1e308", "ratelimit-: 1", "X-RateLimit-Reset: -0"),
        tokens=RATE_LIMIT_TOKENS,
        shapes=(("RateLimit-Remaining: ", "9", ""), ("", "ratelimit-limit-", ": 1")),
    ),
    Parser(
        name="Content-Range",
        parse=_content_range,
        returns=(ContentRange, type(None)),
        seeds=("bytes 0-9/10", "bytes 5-9/*", "bytes 0-0/1"),
        broke=(
            "bytes 9-0/10",
            "bytes 0-10/10",
            "bytes */10",
            "bytes 0-9/10,",
            f"bytes 0-{'9' * 5000}/*",
            "bytes ٣-9/10",
        ),
        tokens="bytes 0 9 - / * , 99999999999999999999 = items",
        shapes=(("bytes 0-", "9", "/*"), ("bytes ", "0-9/", "10")),
    ),
    Parser(
        name="ETag",
        parse=_etag,
        returns=(str, type(None)),
        seeds=('"v1"', 'W/"v1"', '""'),
        broke=('"v\udcff"', '"v', 'v"', "w/", '"a", "b"'),
        tokens='" W/ a , \\ \x00 \x7f',
        shapes=(('"', "é", '"'),),
    ),
    Parser(
        name="Location",
        parse=_redirect,
        returns=(Redirect, type(None)),
        seeds=(
            "https://storage.example.com/bucket/a%20b?X-Amz-Signature=abc%2F&X-Amz-Expires=60#part",
            "/api/v2/me",
            "//circleci.com:443/x",
            "http://circleci.com/x",
            "https://[::1]:8443/x",
            "https://müller.example/ä",
        ),
        broke=(
            *(
                "https://[",
                "//[",
                "https://[::1",
                "https://host:99999/",
                "https://host:٣/",
                "https://:443/",
                "https://a@b@c/",
            ),
            *(
                "javascript:alert(1)",
                "https://\udcff/",
                "\udcff",
                "https://xn--/",
                "https://" + "ä" * 70 + "/",
                "?",
                "#",
                "..",
            ),
            *("https://circleci.com\\@evil.example/", "https://①②③.example/", "https://℀.example/", "https:///x"),
        ),
        tokens="https:// http:// // / ? # @ : [ ] :: % %2 %2F %FF . .. xn-- \\ & = circleci.com",
        shapes=(
            ("https://", "ä", ""),
            ("https://", "ä.", "/"),
            ("https://", "\u0660", "ä/"),
            ("https://[", ":", "]/"),
            ("", "../", ""),
            ("/", "./a/", ""),
            ("/?", "a=%2&", ""),
            ("https://u", ":", "@host/"),
        ),
    ),
    Parser(
        name="Deprecation, Sunset and Link",
        parse=_deprecation,
        returns=int,
        seeds=('Deprecation: true\nSunset: Wed, 15 Nov 2023 06:13:20 GMT\nLink: <https://x>; rel="sunset"',),
        broke=("Link: \x1b[31m\udcff", "Sunset:"),
        tokens='Deprecation: Sunset: Link: < > ; " = \n // [ ] % ?',
        shapes=(("Link: ", "\x1b", ""),),
    ),
    Parser(
        name="X-Request-Id",
        parse=_request_id,
        returns=(str, type(None)),
        seeds=("5034460f-c7c4-4c43-9457-de07e2029e7b",),
        broke=("\x1b]0;x\x07", "\udcff"),
        tokens="- \x1b \x07",
    ),
    Parser(
        name="circleci-signature",
        parse=_signature,
        returns=type(None),
        errors=(SignatureError,),
        seeds=(SIGNED, f"v2=ab, {SIGNED}", f"V1 = {SIGNED[3:].upper()} ,"),
        broke=("v1", "v1=", "v1=\udcff", "v1=ÿ", "=", ",,,", "v1==", "V1 = AB ,", "v1=\0", ""),
        tokens="v1= v2= = , ; 0123456789abcdef",
    ),
    Parser(
        name="circleci-signature as bytes",
        parse=_signature_bytes,
        returns=type(None),
        errors=(SignatureError,),
        seeds=(SIGNED,),
        broke=("v1=\udcff", ""),
        tokens="v1= = ,",
    ),
    Parser(
        name="trusted address",
        parse=_trusted,
        returns=bool,
        seeds=(
            "https://circleci.com/api/v2/me",
            "https://output.circle-artifacts.com/output/job/1",
            "http://127.0.0.1:8080/x",
            "https://[::1]:9000/",
        ),
        broke=(
            "https://[",
            "https://circleci.com\\@evil",
            "https://host:99999",
            "https://\udcff",
            "https://a:b:c",
            "::",
        ),
        tokens="https:// http:// // / ? # @ : [ ] :: % . .. \\ circleci.com .circle-artifacts.com",
        shapes=(("https://", "a.", "com/"), ("https://[", ":0", "]/"), ("https://", "ä", "/")),
    ),
)
