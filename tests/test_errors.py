"""The exception hierarchy: types, attributes and messages."""

import copy
import pickle
from collections.abc import Iterator

import pytest

from circleci_async import errors
from circleci_async.core.error_bodies import error_message
from circleci_async.errors import (
    ApiError,
    CircleCIError,
    DecodeError,
    DownloadError,
    InvalidArgument,
    NotFound,
    RateLimited,
    RequestTimeout,
    ServerError,
    StoreError,
    TransportError,
    UnsafePath,
    api_error_type,
)


def every_class(root: type[CircleCIError] = CircleCIError) -> Iterator[type[CircleCIError]]:
    yield root
    for child in root.__subclasses__():
        if (
            child.__module__ == errors.__name__ and child.__bases__[0] is root
        ):  # a class with two parents is listed once
            yield from every_class(child)


def make(kind: type[CircleCIError]) -> CircleCIError:
    """Return an error with all attributes of its class set."""
    if issubclass(kind, ApiError):
        error: CircleCIError = kind(
            418, "said", method="GET", url="https://h/x", request_id="r-1", body="{}", retry_after=1.5
        )
    elif issubclass(kind, TransportError):
        error = kind("broke", method="GET", url="https://h/x", sent=False)
    elif issubclass(kind, DecodeError):
        error = kind(("$.id: required, but absent", "$.n: wrong"), method="GET", url="https://h/x", body="{}")
    elif issubclass(kind, StoreError):
        error = kind("said", status=403, code="AccessDenied", is_refused=True)
    else:
        error = kind("said")
    error.page_token = "next"
    return error


def test_the_exception_hierarchy() -> None:
    parents = {kind.__name__: kind.__mro__[1].__name__ for kind in every_class() if kind is not CircleCIError}
    fixed = {
        "ConfigurationError": "CircleCIError",
        "InvalidArgument": "CircleCIError",
        "TransportError": "CircleCIError",
        "RequestTimeout": "TransportError",
        "PoolTimeout": "RequestTimeout",
        "ApiError": "CircleCIError",
        "BadRequest": "ApiError",
        "AuthenticationError": "ApiError",
        "PermissionDenied": "ApiError",
        "NotFound": "ApiError",
        "Conflict": "ApiError",
        "Gone": "ApiError",
        "Unprocessable": "ApiError",
        "RateLimited": "ApiError",
        "ServerError": "ApiError",
        "DecodeError": "CircleCIError",
        "PagingError": "CircleCIError",
        "DownloadError": "CircleCIError",
        "UnsafePath": "DownloadError",
        "SignatureError": "CircleCIError",
        "StoreError": "CircleCIError",
        "WaitTimeout": "CircleCIError",
    }
    assert fixed.items() <= parents.items()
    assert issubclass(InvalidArgument, ValueError)
    assert issubclass(UnsafePath, DownloadError)


@pytest.mark.parametrize("kind", list(every_class()), ids=lambda kind: kind.__name__)
def test_errors_can_be_pickled_and_copied(kind: type[CircleCIError]) -> None:
    error = make(kind)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))
        assert twin.page_token == "next"


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "BadRequest"),
        (401, "AuthenticationError"),
        (403, "PermissionDenied"),
        (404, "NotFound"),
        (409, "Conflict"),
        (410, "Gone"),
        (422, "Unprocessable"),
        (429, "RateLimited"),
        (500, "ServerError"),
        (503, "ServerError"),
        (599, "ServerError"),
        (302, "ApiError"),
        (402, "ApiError"),
        (418, "ApiError"),
    ],
)
def test_each_status_has_its_class(status: int, name: str) -> None:
    assert api_error_type(status).__name__ == name


def test_an_api_error_shows_message_request_and_request_id() -> None:
    error = NotFound(404, "Project not found", method="GET", url="https://circleci.com/api/v2/x", request_id="r-9")
    assert str(error) == "404 Not Found: Project not found (GET https://circleci.com/api/v2/x, request r-9)"
    assert (error.status, error.message, error.request_id) == (404, "Project not found", "r-9")


def test_an_api_error_requires_only_status_and_message() -> None:
    assert str(ServerError(503, "down")) == "503 Service Unavailable: down"
    assert str(ServerError(599, "down")) == "status 599: down"
    assert ServerError(500, "x").retry_after is None
    assert str(RateLimited(429, "slow", request_id="r")) == "429 Too Many Requests: slow (request r)"


@pytest.mark.parametrize(("status", "text"), [(503, "503 Service Unavailable"), (599, "status 599")])
def test_an_api_error_does_not_repeat_the_reason_phrase(status: int, text: str) -> None:
    assert str(ServerError(status, error_message(status, ""))) == text


def test_transport_errors_show_the_request() -> None:
    assert str(TransportError("broke", method="GET", url="https://h/x")) == "broke (GET https://h/x)"
    assert str(RequestTimeout("late")) == "late"
    assert TransportError("broke").sent, "who does not know must assume that it was sent"


def test_a_decode_error_lists_every_fault() -> None:
    error = DecodeError(("$.a: wrong", "$.b: absent"), method="GET", url="https://h/x")
    assert str(error) == "the response to GET https://h/x cannot be decoded: $.a: wrong; $.b: absent"
    assert str(DecodeError(("bad",))) == "the response cannot be decoded: bad"


def test_hints_are_sentences() -> None:
    hints = {kind: kind.hint for kind in every_class() if kind.hint}
    assert {"AuthenticationError", "NotFound", "RateLimited"} <= {kind.__name__ for kind in hints}
    assert all(hint.endswith((".", ").")) for hint in hints.values() if hint)
