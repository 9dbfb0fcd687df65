"""The errors of obstore as `StoreError`. Their texts can contain the whole request, with its credentials."""

import os
import re
from typing import Final, NamedTuple

from ...errors import StoreError

_STATUS = re.compile(r"non-2xx status code: (\d{3}) ?([A-Za-z -]*)")
_CODE = re.compile(r"<Code>([\w.-]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,500})</Message>")
_OS_ERROR = re.compile(r'Os \{\s*code: \d+,\s*kind: \w+,\s*message: "([^"\\]{1,200})"')
_CERTIFICATE = re.compile(r"invalid peer certificate: (\w+)|InvalidCertificate\(\s*(\w+)")
_AFTER_REQUEST = re.compile(r"Error performing [A-Z]+ \S+ in \S+(?:, after \d+ retries, [^-]*?)? - (.*)")
_QUERY = re.compile(r"(https?://[^\s?\"]*)\?[^\s\"]*")
_CREDENTIAL = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,124}\b")
_METADATA_SERVICE = re.compile(r"/latest/(?:api/token|meta-data/)|/computeMetadata/|/metadata/identity/")
"""Addresses that obstore asks for credentials if there are none in the environment."""


_REFUSED: Final = frozenset(
    {
        "AccountIsDisabled",
        "AuthorizationHeaderMalformed",
        "ContainerNotFound",
        "ExpiredToken",
        "IllegalLocationConstraintException",
        "InvalidBucketName",
        "InvalidToken",
        "NoSuchBucket",
        "PermanentRedirect",
        "TokenRefreshRequired",
    }
)
"""Codes, besides those of 401 and 403, with which a store refuses every request."""

_SET_REGION: Final = "Set the region of the bucket (AWS_REGION)."

_CREDENTIALS: Final = re.compile(r"Signature|AccessKey|Token|Credential|Authenti")
"""Codes whose messages can quote what was sent."""

_SECRET_SETTINGS: Final = re.compile(r"(?:AWS|GOOGLE|AZURE)_\w*(?:KEY|SECRET|TOKEN|PASSWORD|SIGNATURE|SAS)\w*")


class _Reason(NamedTuple):
    text: str
    hint: str | None = None
    is_refused: bool = False


def store_error(error: BaseException, what: str) -> StoreError:
    """Return the `StoreError` for an error of obstore. `what`: what failed, as the start of the message."""
    text = str(error)
    status, code = _STATUS.search(text), _CODE.search(text)
    if _METADATA_SERVICE.search(text):
        reason = _Reason(
            "no credentials found",
            "Set the store's credentials, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            True,
        )
        status = code = None
    elif status is not None:
        reason = _refusal(text, status, code and code[1])
    else:
        reason = _connection(text) or _Reason(_first_line(text))
    failure = StoreError(
        f"{what}: {reason.text}",
        status=int(status[1]) if status else None,
        code=code[1] if code else None,
        is_refused=reason.is_refused,
    )
    failure.hint = reason.hint
    return failure


def failure_text(error: BaseException) -> str:
    """Return the text of an error that is not of a request, without secrets."""
    return _first_line(str(error))


def _refusal(text: str, status: re.Match[str], code: str | None) -> _Reason:
    """Return the reason for a response with an error."""
    number = int(status[1])
    message = None if code is None or _CREDENTIALS.search(code) else _MESSAGE.search(text)
    shown = ": ".join(filter(None, (f"{number} {status[2]}".strip(), code, message and _without_secrets(message[1]))))
    is_refused = number in {401, 403} or code in _REFUSED
    if code in {"NoSuchBucket", "ContainerNotFound", "InvalidBucketName"}:
        hint = "Create the bucket, or check its name and the endpoint."
    elif code in {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}:
        hint = _SET_REGION
    elif code == "RequestTimeTooSkewed":
        hint = "Set the clock of this machine."
    elif is_refused:
        hint = "Check the store's credentials (such as AWS_ACCESS_KEY_ID) and what its policy allows them."
    elif number in {429, 503}:
        hint = "The store limits the rate of requests: run the same command again later."
    elif number >= 500:
        hint = "The store may have an incident: run the same command again later."
    else:
        hint = None
    return _Reason(shown, hint, is_refused)


def _connection(text: str) -> _Reason | None:
    """Return the reason for a request without a response."""
    certificate = _CERTIFICATE.search(text)
    if certificate is not None:
        return _Reason(
            f"the certificate of the server is invalid: {certificate[1] or certificate[2]}",
            "Check the endpoint, or set SSL_CERT_FILE to the certificates of its authority.",
        )
    if "builder error" in text and "http://" in text:
        return _Reason(
            "the endpoint uses http://", "Set AWS_ALLOW_HTTP=true, or use an https:// endpoint.", is_refused=True
        )
    if "InvalidMessage" in text or "InvalidContentType" in text:
        return _Reason("the server does not use TLS", "Use an http:// endpoint, with AWS_ALLOW_HTTP=true.")
    if "dns error" in text or "failed to lookup address" in text:
        return _Reason("the name of the server is unknown", "Check the endpoint (AWS_ENDPOINT) and the region.")
    if "kind: Timeout" in text or "TimedOut" in text:
        return _Reason("no response within the timeout", "Set a longer one, such as AWS_TIMEOUT=600s.")
    if "Received redirect without LOCATION" in text:
        return _Reason(
            "the store redirects to another region", "Set the region of the bucket (AWS_REGION).", is_refused=True
        )
    system = _OS_ERROR.search(text)
    if system is not None:
        return _Reason(f"connection failed: {system[1]}", "Check the endpoint (AWS_ENDPOINT) and the network.")
    if "HTTP error: " in text or "error sending request" in text:
        return _Reason("the connection was lost", "Check the network, then run the same command again.")
    return None


def _first_line(text: str) -> str:
    line = text.partition("\n")[0].strip()
    after = _AFTER_REQUEST.search(line)
    return _without_secrets(after[1] if after else re.sub(r"^Generic \w+ error: ", "", line))


def _without_secrets(text: str) -> str:
    for name, value in os.environ.items():
        if len(value) > 4 and _SECRET_SETTINGS.fullmatch(name):
            text = text.replace(value, "***")
    return _CREDENTIAL.sub("***", _QUERY.sub(r"\1", text))


def is_of_store(error: BaseException) -> bool:
    """Return whether an error is obstore's; panics of its compiled code are not a subclass of `Exception`."""
    from obstore.exceptions import BaseError

    known = (BaseError, OSError, ValueError, NotImplementedError)
    return isinstance(error, known) or type(error).__name__ == "PanicException"
