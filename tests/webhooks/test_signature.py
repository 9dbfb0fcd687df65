"""A delivery is accepted only if its raw body is signed with the secret."""

import hashlib
import hmac
import traceback
from collections import ChainMap
from collections.abc import Mapping
from email.message import Message as EmailMessage
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from starlette.datastructures import Headers

import circleci_async as ca
from circleci_async.webhooks import unwrap, verify

from .deliveries import SECRET, WORKFLOW_COMPLETED, body_of, digest, signed

BODY = body_of(WORKFLOW_COMPLETED)
RIGHT = f"v1={digest(BODY)}"

# What CircleCI publishes, so that receivers can be checked.
VECTORS = [
    (b"hello world", "secret", "734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"),
    (b"foo", "secret", "773ba44693c7553d6ee20f61ea5d2757a9a4f4a44d2841ae4e95b52e4cd62db4"),
]


def is_accepted(value: str | None, body: bytes = BODY, secret: Any = SECRET) -> bool:
    try:
        verify(body, {} if value is None else {"circleci-signature": value}, secret)
    except ca.SignatureError:
        return False
    return True


@pytest.mark.parametrize(("body", "secret", "signature"), VECTORS)
def test_the_published_vectors_are_accepted(body: bytes, secret: str, signature: str) -> None:
    assert is_accepted(f"v1={signature}", body, secret)
    assert not is_accepted(f"v1={signature}", body, f"{secret}s")
    assert not is_accepted(f"v1={signature}", body + b" ", secret)


def test_verify_returns_nothing() -> None:
    verify(BODY, signed(BODY), SECRET)  # or raises
    assert unwrap(BODY, signed(BODY), SECRET).raw == WORKFLOW_COMPLETED


def test_a_body_with_one_modified_byte_is_refused() -> None:
    for place in range(0, len(BODY), 37):
        changed = bytearray(BODY)
        changed[place] ^= 1
        assert not is_accepted(RIGHT, bytes(changed)), place


def test_a_body_that_was_parsed_and_serialized_again_is_refused() -> None:
    assert not is_accepted(RIGHT, BODY.replace(b": ", b":"))


@pytest.mark.parametrize(
    "value",
    [
        RIGHT,
        f" {RIGHT} ",
        f"v1 = {digest(BODY)}",
        f"v1={digest(BODY).upper()}",
        f"V1={digest(BODY)}",
        f"{RIGHT},v2=5d41402abc4b2a76",
        f"v2=aGVsbG8gd29ybGQ=, {RIGHT}",
        f"v0=ab=cd==,v2==,{RIGHT}",
        f"v1=an-older-one,{RIGHT}",
        f"{RIGHT},",
        f"nonsense,{RIGHT}",
    ],
)
def test_the_signature_is_found_among_other_versions_and_values_with_equals_signs(value: str) -> None:
    assert is_accepted(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "not signed: header `circleci-signature` is missing"),
        ("", "malformed"),
        (",", "malformed"),
        ("v1", "malformed"),
        ("v1=", "malformed"),
        ("=", "malformed"),
        (digest(BODY), "malformed"),
        (f"={digest(BODY)}", "malformed"),
        (f"v2={digest(BODY)}", "no signature of a supported version"),
        (f"v10={digest(BODY)}", "no signature of a supported version"),
        (f"sha256={digest(BODY)}", "no signature of a supported version"),
        (f"{RIGHT}=", "is wrong"),
        (f"v1=={digest(BODY)}", "is wrong"),
        (RIGHT[:-1], "is wrong"),
        (f"{RIGHT}0", "is wrong"),
        (f"v1=v1={digest(BODY)}", "is wrong"),
        (f"v1={hashlib.sha256(BODY).hexdigest()}", "is wrong"),
        (f"v1={hmac.new(SECRET.encode(), BODY, 'sha1').hexdigest()}", "is wrong"),
        ("v1=é", "is wrong"),
        ("v1=\udcff", "is wrong"),
        ("v1=ﬀ", "is wrong"),
    ],
    ids=ascii,
)
def test_a_wrong_signature_is_refused_with_the_reason(value: str | None, message: str) -> None:
    with pytest.raises(ca.SignatureError, match=message):
        verify(BODY, {} if value is None else {"circleci-signature": value}, SECRET)


def test_the_error_has_a_hint() -> None:
    with pytest.raises(ca.SignatureError) as raised:
        verify(BODY, {}, SECRET)
    assert raised.value.hint is not None
    assert "raw bytes" in raised.value.hint


def test_any_of_several_secrets_is_accepted() -> None:
    for value in (f"v1={digest(BODY, 'old')}", f"v1={digest(BODY, 'new')}"):
        assert is_accepted(value, secret=["new", "old"])
        assert is_accepted(value, secret=("old", b"new"))
        assert is_accepted(value, secret={"new", "old"})
        assert is_accepted(value, secret=iter(["new", "old"]))
        assert not is_accepted(value, secret=["newer", "older"])
    assert is_accepted(f"v1={digest(BODY, 'päss')}", secret="päss".encode())


def test_the_name_of_the_secret_that_matched_is_returned() -> None:
    secrets: dict[str, str | bytes] = {"old": "first", "new": b"second", "same": "first"}
    for kind in (secrets, ChainMap({}, secrets), MappingProxyType(secrets)):
        for key, name in (("first", "old"), ("second", "new")):
            assert verify(BODY, signed(BODY, key), kind) == name
            assert verify(BODY, signed(BODY, key), kind, max_age=1e12) == name
            assert unwrap(BODY, signed(BODY, key), kind).secret_name == name
        both = f"v1={digest(BODY, 'second')},v1={digest(BODY, 'first')}"
        assert verify(BODY, {"circleci-signature": both}, kind) == "old"  # the first of the mapping
        with pytest.raises(ca.SignatureError, match="is wrong"):
            verify(BODY, signed(BODY, "third"), kind)
    assert verify(BODY, signed(BODY, "first"), list(map(str, ("first", "second")))) is None


def test_a_payload_cannot_set_the_name_of_the_secret() -> None:
    for extra in ({"secret_name": "new"}, {"secret-name": "new"}, {"secret_name": 7}):
        for kind in ("ping", "a-new-type"):
            body = body_of({**WORKFLOW_COMPLETED, **extra, "type": kind})
            assert unwrap(body, signed(body), SECRET).secret_name is None
            assert unwrap(body, signed(body), {"old": SECRET}).secret_name == "old"


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("", "secret must be .*, got an empty one"),
        (b"", "secret must be .*, got an empty one"),
        (" \n", "secret must be .*, got an empty one"),
        ([], "secret must be .*, got an empty list"),
        ((), "secret must be .*, got an empty list"),
        (["right", ""], r"secret\[1\] must be .*, got an empty one"),
        ([b"", "right"], r"secret\[0\] must be .*, got an empty one"),
        (["right", None], r"secret\[1\] must be text or bytes, got NoneType"),
        (None, "secret must be .*, got NoneType"),
        (7, "secret must be .*, got int"),
        ({}, "secret must be .*, got an empty mapping"),
        ({"new": 1}, "value 1 of secret must be text or bytes, got int"),
        ({"old": "right", "new": " "}, "value 2 of secret must be .*, got an empty one"),
        ({"": "right"}, "secret must map names to signing secrets, got an empty name"),
        ({1: "right"}, "secret must map names to signing secrets, got a name of type int"),
        ("\udc80", "secret must be valid Unicode text"),
    ],
    ids=repr,
)
def test_an_invalid_secret_is_refused_even_with_a_matching_signature(secret: Any, message: str) -> None:
    for key in ("", "right"):
        with pytest.raises(ca.InvalidArgument, match=message):
            verify(BODY, signed(BODY, key), secret)


class Wsgi(EmailMessage):
    """Return headers as in Python's http.server."""


def http_server_headers(value: str) -> EmailMessage:
    headers = Wsgi()
    headers["Circleci-Signature"] = value
    return headers


@pytest.mark.parametrize(
    "headers",
    [
        {"circleci-signature": RIGHT},
        {"Circleci-Signature": RIGHT},
        {"CIRCLECI-SIGNATURE": RIGHT, "Host": "example.com"},
        {"circleci-signature": RIGHT.encode()},
        {"circleci-signature": [f"v2={RIGHT}", RIGHT]},
        {b"Circleci-Signature": RIGHT.encode(), "x": None},
        ChainMap({"a": "b"}, {"Circleci-Signature": RIGHT}),
        CIMultiDict({"circleci-SIGNATURE": RIGHT}),
        CIMultiDictProxy(CIMultiDict([("Circleci-Signature", "v2=x"), ("Circleci-Signature", RIGHT)])),
        Headers({"Circleci-Signature": RIGHT}),
        Headers(raw=[(b"circleci-signature", b"v2=x"), (b"circleci-signature", RIGHT.encode())]),
        http_server_headers(RIGHT),
        [("Circleci-Signature", RIGHT)],
        [(b"circleci-signature", RIGHT.encode()), (b"x", b"\xff")],
        iter([(b"circleci-signature", RIGHT.encode())]),
    ],
)
def test_headers_of_any_type_and_case_are_accepted(headers: Any) -> None:
    verify(BODY, headers, SECRET)
    if not hasattr(headers, "__next__"):  # one that can be read again
        with pytest.raises(ca.SignatureError, match="is wrong"):
            verify(BODY + b" ", headers, SECRET)


@pytest.mark.parametrize("headers", [{"circleci-signature": None}, {}, [], {"x-circleci-signature": RIGHT}], ids=repr)
def test_headers_without_a_signature_are_not_signed(headers: Any) -> None:
    with pytest.raises(ca.SignatureError, match="not signed"):
        verify(BODY, headers, SECRET)


@pytest.mark.parametrize("headers", [None, 7, RIGHT, [RIGHT], {7: RIGHT}, {"circleci-signature": 7}], ids=repr)
def test_invalid_headers_are_an_invalid_argument(headers: Any) -> None:
    with pytest.raises(ca.InvalidArgument, match="headers must be the request's headers"):
        verify(BODY, headers, SECRET)


@pytest.mark.parametrize("body", [BODY.decode(), WORKFLOW_COMPLETED, None, list(BODY)], ids=lambda b: type(b).__name__)
def test_a_body_that_is_not_raw_is_an_invalid_argument(body: Any) -> None:
    for call in (lambda: verify(body, signed(BODY), SECRET), lambda: unwrap(body, signed(BODY), SECRET)):
        with pytest.raises(ca.InvalidArgument, match=r"body must be the raw bytes of the request, got \w+"):
            call()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_raw_bytes_can_be_of_any_type(kind: Any) -> None:
    verify(kind(BODY), signed(BODY), SECRET)
    assert unwrap(kind(BODY), signed(BODY), SECRET).id == WORKFLOW_COMPLETED["id"]


def test_an_event_is_not_parsed_before_its_signature_is_verified() -> None:
    with pytest.raises(ca.SignatureError):
        unwrap(b"{not even JSON", signed(b"something else"), SECRET)


def test_no_secret_is_in_an_error_or_its_traceback() -> None:
    calls: list[tuple[Any, Any]] = [
        (signed(BODY + b"x"), ("first-s3cret", "second-s3cret")),
        ({}, "first-s3cret"),
        (signed(BODY), ["first-s3cret", 7]),
        (signed(BODY), {"a": "first-s3cret", "b": "second-s3cret"}),
        (signed(BODY), {"a": "first-s3cret", "b": 7}),
        (signed(BODY), ["first-s3cret", ""]),
        (signed(BODY), "s3cret\udc80"),
    ]
    for headers, secret in calls:
        with pytest.raises(ca.CircleCIError) as raised:
            verify(BODY, headers, secret)
        assert "s3cret" not in "".join(traceback.format_exception(raised.value))
        assert raised.value.__context__ is None or raised.value.__suppress_context__


SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
ANY_TEXT = st.text(st.characters())


@given(body=st.binary(), secret=SECRETS, other=SECRETS)
def test_any_body_is_accepted_with_its_own_secret_only(body: bytes, secret: str, other: str) -> None:
    assert is_accepted(f"v1={digest(body, secret)}", body, secret)
    assume(hmac.digest(other.encode(), b"", "sha256") != hmac.digest(secret.encode(), b"", "sha256"))
    assert not is_accepted(f"v1={digest(body, secret)}", body, other)


@given(value=ANY_TEXT | st.lists(st.tuples(ANY_TEXT, ANY_TEXT)).map(lambda ps: ",".join(f"{k}={v}" for k, v in ps)))
def test_arbitrary_text_is_never_a_valid_signature(value: str) -> None:
    assert not is_accepted(value)


@given(before=st.lists(ANY_TEXT), after=st.lists(ANY_TEXT))
def test_the_signature_is_found_among_arbitrary_others(before: list[str], after: list[str]) -> None:
    assert is_accepted(",".join([*before, RIGHT, *after]))


@given(headers=st.dictionaries(ANY_TEXT, ANY_TEXT))
def test_other_headers_are_not_signatures(headers: Mapping[str, str]) -> None:
    assume(all(name.lower() != "circleci-signature" for name in headers))
    with pytest.raises(ca.SignatureError, match="not signed"):
        verify(BODY, headers, SECRET)
