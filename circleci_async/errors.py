"""The exception tree. Every error this package raises of its own accord is a `CircleCIError`."""

from http import HTTPStatus
from typing import Any

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
    "RateLimited",
    "RequestTimeout",
    "ServerError",
    "SignatureError",
    "TransportError",
    "TruncatedListWarning",
    "Unprocessable",
    "UnsafePath",
    "WaitTimeout",
]


class CircleCIError(Exception):
    """Base of every error of this package."""

    hint: str | None = None
    """What to try, in one sentence, where there is something to say."""

    page_token: str | None = None
    """The page that failed, if the error ended an iteration: `pages(start=error.page_token)` goes on there."""

    export_id: str | None = None
    """The usage export, if the error ended waiting for it or reading it: `usage.wait` and `usage.rows` take it up."""

    pipeline_id: str | None = None
    """The pipeline, if the error ended waiting for it, after `trigger_and_wait` too: `pipelines.wait` takes it up."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.message = str(arguments[0]) if arguments else ""


class ConfigurationError(CircleCIError):
    """A setting (argument, environment variable, config file) is malformed or unsafe; the message says where.

    Or the client can't be used here: it is closed, or belongs to another event loop or process.
    """


class InvalidArgument(CircleCIError, ValueError):
    """An argument can't be right; nothing was sent. The message names the argument and what would be right."""


class TransportError(CircleCIError):
    """The request or its answer got lost: no connection, a reset, a body cut short.

    `sent` is False only when the request provably never left this machine.
    """

    def __init__(self, message: str, *, method: str = "", url: str = "", sent: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.method = method
        self.url = url
        self.sent = sent

    def __str__(self) -> str:
        return f"{self.message} ({self.method} {self.url})" if self.method else self.message


class RequestTimeout(TransportError):
    """No answer within the time allowed."""

    hint = "Raise `timeout` (seconds for one attempt) or the retry policy's `deadline` (for the whole call)."


class ApiError(CircleCIError):
    """The server answered with an error.

    `status` is the HTTP status, `message` what the server said (never empty), `url` the address asked (signatures and
    tokens removed), `request_id` the server's own id of the request or None, `body` the whole answer as text,
    `retry_after` the seconds the server asked to wait, or None; `redirected` says that another origin answered than the
    one that was asked (an artifact's storage).
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
        self.message = message
        self.method = method
        self.url = url
        self.request_id = request_id
        self.body = body
        self.retry_after = retry_after

    def __str__(self) -> str:
        try:
            reason = f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            reason = f"status {self.status}"
        where = ", ".join(
            part
            for part in (
                f"{self.method} {self.url}".strip(),
                f"request {self.request_id}" if self.request_id else "",
            )
            if part
        )
        said = reason if reason.endswith(self.message) else f"{reason}: {self.message}"
        return f"{said} ({where})" if where else said


class NotCreated(ApiError):
    """The server answered with a success, but created nothing; `message` says why.

    Raised by `pipelines.run`: a commit may ask to be skipped, for example. Nothing went wrong, and nothing is running.
    """


class BadRequest(ApiError):
    """400: the server did not accept the request."""


class AuthenticationError(ApiError):
    """401: no token, or one that the server does not accept."""

    hint = "Set CIRCLE_TOKEN to a personal API token that has not expired (app.circleci.com/settings/user/tokens)."


class PermissionDenied(ApiError):
    """403: the token is valid but may not do this."""

    hint = "Check that the token's user may do this, and that it is a personal token: API v2 takes no project tokens."


class NotFound(ApiError):
    """404: no such thing, or the token may not see it (CircleCI does not tell the two apart)."""

    hint = "Check the name, and that the token's user can see it: what a token may not see answers 404 too."


class Conflict(ApiError):
    """409: the request contradicts the present state."""


class Gone(ApiError):
    """410: this endpoint has been removed."""


class Unprocessable(ApiError):
    """422: understood, but not valid."""


class RateLimited(ApiError):
    """429: too many requests. `retry_after` is in seconds, or None if the server did not say.

    Raised when retries are used up, or at once when the wait asked for is longer than the retry policy allows.
    """

    hint = "Ask less often, lower `concurrency`, or allow longer waits: RetryPolicy(max_wait=...)."


class ServerError(ApiError):
    """5xx: the server failed."""

    hint = "CircleCI may be having trouble: see status.circleci.com."


class DecodeError(CircleCIError):
    """The server's answer is not what the model requires.

    `faults` names each faulty place and what is wrong there, such as `$.items[3].id: required, but absent`.
    """

    what: str = "the answer"
    """What can't be read."""

    def __init__(self, faults: tuple[str, ...], *, method: str = "", url: str = "", body: str = "") -> None:
        super().__init__(faults)
        self.message = "; ".join(faults)
        self.faults = faults
        self.method = method
        self.url = url
        self.body = body

    def __str__(self) -> str:
        where = f"{self.method} {self.url}".strip()
        return f"{self.what}{f' to {where}' if where else ''} can't be read: {'; '.join(self.faults)}"


class PagingError(CircleCIError):
    """The server repeated a page token, so that the list would never end."""


class TruncatedListWarning(UserWarning):
    """A warning: the list that was iterated is longer than what the API gives of it. The message says which."""


class PartialFailure(CircleCIError):
    """Of several variables, some could not be set; the others were.

    `done` maps the names of those that were set to what the API answered, `failed` those of the others to the error
    of each.
    """

    hint = "Set those of `failed` once more: setting a variable again is safe."

    def __init__(
        self, message: str, *, done: dict[str, Any] | None = None, failed: dict[str, Exception] | None = None
    ) -> None:
        super().__init__(message)
        self.done = done or {}
        self.failed = failed or {}


class DownloadError(CircleCIError):
    """An artifact could not be had whole, and nothing stands under its final name; or a part of a usage export."""


class DownloadInterrupted(DownloadError, TransportError):
    """What was downloaded broke off again and again, without getting on."""


class UnsafePath(DownloadError):
    """An artifact's path would leave the destination; nothing was sent or written."""


class LedgerError(CircleCIError):
    """The ledger of a harvest can't be used: it is damaged, of a newer version, or can't be written."""


class LedgerBusy(LedgerError):
    """Another harvest is at work in the same destination."""

    hint = "Wait until it has ended, or give another destination."


class SignatureError(CircleCIError):
    """A webhook's signature is missing or wrong: who sent it is unknown, and nothing in it must be believed."""

    hint = (
        "Give the signing secret that this webhook has in CircleCI, and the request's raw bytes: not a body that was "
        "parsed and written again."
    )


class WaitTimeout(CircleCIError, TimeoutError):
    """What was waited for did not happen in time.

    `last` is the last state that was seen, of the type that the wait would have returned, or None if nothing was seen.
    """

    hint = "It goes on: wait again, with a longer `timeout`."

    def __init__(self, message: str, *, last: Any = None) -> None:
        super().__init__(message)
        self.last = last


class BuildFailed(CircleCIError):
    """A pipeline or workflow did not succeed. `result` is what the wait for it returned."""

    def __init__(self, message: str, *, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class ExportFailed(CircleCIError):
    """A usage export came to nothing. `reason` is what CircleCI says of it, or None."""

    hint = "Ask for it again; a shorter time or fewer organizations may be less than what was too much."

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
