"""The exception tree. Every error that this package raises is a `CircleCIError`."""

from http import HTTPStatus
from typing import Any

from .untrusted_text import MAX_ERROR, shown

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequest",
    "BuildFailed",
    "CircleCIError",
    "ConfigurationError",
    "Conflict",
    "DecodeError",
    "DownloadError",
    "DownloadInterrupted",
    "ExportFailed",
    "Gone",
    "InvalidArgument",
    "LedgerBusy",
    "LedgerError",
    "NotCreated",
    "NotFound",
    "PagingError",
    "PartialFailure",
    "PermissionDenied",
    "PoolTimeout",
    "RateLimited",
    "RequestTimeout",
    "ResponseTooLarge",
    "ServerError",
    "SignatureError",
    "StoreError",
    "TransportError",
    "TruncatedListWarning",
    "Unprocessable",
    "UnsafePath",
    "WaitTimeout",
    "WorkersError",
]


MAX_FAULTS = 10
"""Faults that a `DecodeError` lists."""


class CircleCIError(Exception):
    """Base of every error of this package.

    Its text is one line without control characters, of at most 2,000 characters: it quotes servers and builds.
    """

    hint: str | None = None
    """What to try, in one sentence, or None."""

    page_token: str | None = None
    """The page that failed, if the error ended an iteration: `pages(start=error.page_token)` resumes there."""

    export_id: str | None = None
    """The usage export, if the error ended waiting for it or reading it: `usage.wait` and `usage.rows` resume it."""

    pipeline_id: str | None = None
    """The pipeline, if the error ended waiting for it, also in `trigger_and_wait`: `pipelines.wait` resumes."""

    candidates: tuple[Any, ...] = ()
    """Pipelines that a trigger with `if_lost="find"` may have created, if the error lost its response."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(shown(each, MAX_ERROR) if isinstance(each, str) else each for each in arguments))
        self.message: str = str(self.args[0]) if arguments else ""

    @property
    def summary(self) -> str:
        """The text of the error without `request_line`."""
        return super().__str__()

    @property
    def request_line(self) -> str:
        """Method and address of the request, and its id if the server sent one; "" if the error is not of a request."""
        return ""

    def __str__(self) -> str:
        return f"{self.summary} ({self.request_line})" if self.request_line else self.summary


class ConfigurationError(CircleCIError):
    """A setting (argument, environment variable, config file) is malformed or unsafe; the message names it.

    Also raised by a client that is closed, or that belongs to another event loop or process.
    """


class InvalidArgument(CircleCIError, ValueError):
    """An argument is invalid; nothing was sent. The message names the argument and what is expected."""


class TransportError(CircleCIError):
    """The request or its response was lost: connection failure, reset, incomplete body.

    `sent` is False only if the request was certainly not sent.
    """

    def __init__(self, message: str, *, method: str = "", url: str = "", sent: bool = True) -> None:
        super().__init__(message)
        self.method = method
        self.url = url
        self.sent = sent

    @property
    def summary(self) -> str:
        """The text of the error without `request_line`."""
        return self.message

    @property
    def request_line(self) -> str:
        """Method and address of the request, or ""."""
        return f"{self.method} {shown(self.url)}" if self.method else ""


class RequestTimeout(TransportError):
    """No response within the timeout."""

    hint: str | None = (
        "Raise `timeout` (seconds for one attempt) or the retry policy's `deadline` (for the whole call)."
    )


class PoolTimeout(RequestTimeout):
    """The request was not sent: as many as `concurrency` allows are in flight, and none ended within the timeout.

    Not retried. Open streams count until they are closed.
    """

    hint: str | None = "Read or close open streams (`artifacts.open`) before other calls, or raise `concurrency`."


class ResponseTooLarge(TransportError):
    """The body of a response is larger than `max_response_bytes`, decompressed. It is not retried."""

    hint: str | None = "Raise `max_response_bytes`, or request fewer items."


class ApiError(CircleCIError):
    """The server responded with an error.

    `status` is the HTTP status, `message` the server's message (never empty), `url` the address (without signatures and
    tokens), `request_id` the server's id of the request or None, `body` the body of the response as text, `retry_after`
    the seconds the server asked to wait or None. `redirected`: the response came from another origin, to which the
    request was redirected (an artifact's storage).
    """

    redirected: bool = False

    def __init__(
        self,
        status: int,
        message: str,
        method: str = "",
        url: str = "",
        request_id: str | None = None,
        body: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message: str = str(self.args[1])
        self.method = method
        self.url = url
        self.request_id = request_id
        self.body = body
        self.retry_after = retry_after

    @property
    def summary(self) -> str:
        """The text of the error without `request_line`."""
        try:
            reason = f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            reason = f"status {self.status}"
        return reason if reason.endswith(self.message) else f"{reason}: {self.message}"

    @property
    def request_line(self) -> str:
        """Method and address of the request, and its id if the server sent one, or ""."""
        return ", ".join(
            part
            for part in (
                f"{self.method} {shown(self.url)}".strip(),
                f"request {self.request_id}" if self.request_id else "",
            )
            if part
        )


class NotCreated(ApiError):
    """The server responded with a success, but created nothing; `message` is its reason.

    Raised by `pipelines.run`, for example for a commit with `[skip ci]`.
    """


class BadRequest(ApiError):
    """400: the request is malformed."""


class AuthenticationError(ApiError):
    """401: the token is missing or invalid."""

    hint: str | None = (
        "Set CIRCLE_TOKEN to a personal API token that has not expired (app.circleci.com/settings/user/tokens)."
    )


class PermissionDenied(ApiError):
    """403: the token is valid, but lacks the permission."""

    hint: str | None = (
        "Check the permissions of the token's user, and that it is a personal token: API v2 rejects project tokens."
    )


class NotFound(ApiError):
    """404: the resource does not exist, or the token lacks access to it (CircleCI does not distinguish the two)."""

    hint: str | None = (
        "Check the name, and that the token's user has access: CircleCI also responds 404 without access."
    )


class Conflict(ApiError):
    """409: the request conflicts with the current state."""


class Gone(ApiError):
    """410: this endpoint has been removed."""


class Unprocessable(ApiError):
    """422: the request is well-formed, but invalid."""


class RateLimited(ApiError):
    """429: too many requests. `retry_after` is in seconds, or None if the server did not state it.

    Raised when the retries are exhausted, or at once if the pause is longer than the retry policy allows.
    """

    hint: str | None = "Send fewer requests, lower `concurrency`, or allow longer pauses: RetryPolicy(max_wait=...)."


class ServerError(ApiError):
    """5xx: the server failed."""

    hint: str | None = "CircleCI may have an incident: see status.circleci.com."


class DecodeError(CircleCIError):
    """The response does not match the model.

    `faults` lists the first `MAX_FAULTS` faulty fields, each with its fault, such as
    `$.items[3].id: required, but absent`. `body` is the start of the body as text.
    """

    what: str = "the response"
    """What cannot be decoded."""

    page: tuple[tuple[Any, ...], str | None] | None = None
    """The other items of a page of a list, and the token of the next page, if only some items are faulty."""

    def __init__(self, faults: tuple[str, ...], *, method: str = "", url: str = "", body: str = "") -> None:
        self.faults: tuple[str, ...] = tuple(map(shown, faults[:MAX_FAULTS]))
        super().__init__(self.faults)
        rest = "; and more faults" if len(faults) > MAX_FAULTS else ""
        self.message: str = shown("; ".join(self.faults) + rest, MAX_ERROR)
        self.method = method
        self.url = url
        self.body = body

    def __str__(self) -> str:
        where = f"{self.method} {shown(self.url)}".strip()
        return f"{self.what}{f' to {where}' if where else ''} cannot be decoded: {self.message}"


class PagingError(CircleCIError):
    """The iteration would not end: the server repeats a page token or a page, or sends only empty pages."""


class TruncatedListWarning(PagingError, UserWarning):
    """A list may have more items than the API returns. The message names it.

    Raised as an error by `if_truncated="raise"`.
    """


class PartialFailure(CircleCIError):
    """Some of several variables could not be set; the others were.

    `done` maps the names that were set to the API's responses, `failed` the other names to their errors.
    """

    hint: str | None = "Set the variables in `failed` again: setting a variable twice is safe."

    def __init__(
        self, message: str, *, done: dict[str, Any] | None = None, failed: dict[str, Exception] | None = None
    ) -> None:
        super().__init__(message)
        self.done: dict[str, Any] = done or {}
        self.failed: dict[str, Exception] = failed or {}


class DownloadError(CircleCIError):
    """A download is incomplete or cannot be written; no file exists under its final name."""


class DownloadInterrupted(DownloadError, TransportError):
    """A download was interrupted repeatedly without progress."""


class UnsafePath(DownloadError):
    """An artifact's path leads outside the destination; nothing was sent or written."""


class StoreError(CircleCIError):
    """A bucket refused a request, or did not answer it after the retries of obstore; the message names the object.

    `status`: the HTTP status, or None. `code`: the store's code of the error, such as `"AccessDenied"`, or None.
    `is_refused`: every further request would be refused too: wrong credentials, or no such bucket.
    """

    def __init__(
        self, message: str, *, status: int | None = None, code: str | None = None, is_refused: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.is_refused = is_refused


class LedgerError(CircleCIError):
    """The ledger of a harvest, or a file of a history, is damaged, of a newer version, or cannot be written."""


class LedgerBusy(LedgerError):
    """Another harvest is running in the same destination."""

    hint: str | None = "Wait until it has ended, or choose another destination."


class WorkersError(CircleCIError):
    """The Dask workers of a harvest cannot be used: none joined, another version, or the scheduler was lost."""


class SignatureError(CircleCIError):
    """The signature of a webhook is missing or wrong: its sender is unknown and its content is not trustworthy."""

    hint: str | None = (
        "Use the signing secret of this webhook in CircleCI, and the raw bytes of the request: not a body that was "
        "parsed and serialized again."
    )


class WaitTimeout(CircleCIError, TimeoutError):
    """The wait reached its timeout.

    `last` is the state at the last poll, of the type that the wait returns, or None if no poll succeeded.
    """

    hint: str | None = "The build continues: wait again, with a longer `timeout`."

    def __init__(self, message: str, *, last: Any = None) -> None:
        super().__init__(message)
        self.last = last


class BuildFailed(CircleCIError):
    """A pipeline or workflow did not succeed. `result` is the result of the wait."""

    def __init__(self, message: str, *, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class ExportFailed(CircleCIError):
    """A usage export failed. `reason` is CircleCI's reason, or None."""

    hint: str | None = "Create the export again; a shorter period or fewer organizations may succeed."

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Unprocessable,
    429: RateLimited,
}


def api_error_type(status: int) -> type[ApiError]:
    """Return the class for an HTTP status: the closest one, or `ApiError` itself."""
    if status < 300:
        return NotCreated
    return _BY_STATUS.get(status) or (ServerError if status >= 500 else ApiError)
