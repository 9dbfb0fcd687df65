"""Whether a delivery is CircleCI's: its signature over the raw body. Everything that is in doubt is refused."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, cast

from ..errors import InvalidArgument, SignatureError

__all__ = ["Body", "Headers", "Secret", "raw_bytes", "secrets_of", "verify", "verify_with"]

HEADER = "circleci-signature"

_VERSION = "v1"
"""The latest version there is. When there is another, only that one is to be looked at, lest it be left out."""

Body = bytes | bytearray | memoryview
Secret = str | bytes | Iterable[str | bytes]


class HeaderMap(Protocol):
    """Anything with `items()`: a dict, the headers of a request in aiohttp, Starlette, Django or Flask."""

    def items(self) -> Iterable[tuple[Any, Any]]: ...


Headers = HeaderMap | Iterable[tuple[str, str] | tuple[bytes, bytes]]


def verify(body: Body, headers: Headers, secret: Secret) -> None:
    """Return if the body is signed with the secret, or with one of several; raise `SignatureError` otherwise.

    `body` are the raw bytes as they arrived. `headers` are the request's: a mapping or pairs, with names in any case.
    `secret` is the webhook's signing secret, or several of them while one replaces another.

    Raises `InvalidArgument` for a secret that is empty or missing, and for a body that is not bytes.
    """
    verify_with(secrets_of(secret), raw_bytes(body), headers)


def verify_with(secrets: tuple[bytes, ...], body: bytes, headers: Headers) -> None:
    """Do as `verify` does, with what `secrets_of` and `raw_bytes` return."""
    given = _signatures(headers)
    right = False
    for secret in secrets:
        expected = hmac.digest(secret, body, "sha256").hex().encode()
        for signature in given:  # all of them, always: how long it takes says nothing
            right |= hmac.compare_digest(signature, expected)
    if not right:
        raise SignatureError(
            "the webhook's signature is wrong: the body was not signed with this secret, or changed since"
        )


def secrets_of(secret: Secret) -> tuple[bytes, ...]:
    """Return each secret as bytes. Raises `InvalidArgument`, which shows none of them."""
    if isinstance(secret, str | bytes):
        return (_secret_bytes(secret, "secret"),)
    kind = type(secret).__name__
    given: Any = secret  # whatever a caller without a type checker may give
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise InvalidArgument(f"secret is of type {kind}: give the webhook's signing secret, or several")
    secrets = tuple(_secret_bytes(each, f"secret[{index}]") for index, each in enumerate(secret))
    if not secrets:
        raise InvalidArgument("secret is an empty list: give the webhook's signing secret")
    return secrets


def raw_bytes(body: object) -> bytes:
    """Return the body as bytes. Raises `InvalidArgument` for what has been decoded or parsed."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, bytearray):
        return bytes(body)
    if isinstance(body, memoryview):
        return body.tobytes()
    raise InvalidArgument(
        f"body is of type {type(body).__name__}: give the raw bytes of the request, as they arrived. The signature is "
        "made over them, and what has been decoded or parsed can't be turned back into the same bytes"
    )


def _secret_bytes(secret: object, name: str) -> bytes:
    if not isinstance(secret, str | bytes):
        raise InvalidArgument(f"{name} is of type {type(secret).__name__}: give text or bytes")
    if not secret.strip():
        raise InvalidArgument(f"{name} is empty: anybody could sign with it. Give the webhook's signing secret")
    try:
        return secret.encode() if isinstance(secret, str) else secret
    except UnicodeEncodeError:
        raise InvalidArgument(f"{name} is not whole text: it can't be written in UTF-8") from None


def _signatures(headers: Headers) -> list[bytes]:
    """Return the signatures of the version that is understood. Raises `SignatureError` if there are none."""
    values = list(_values(headers))
    if not values:
        raise SignatureError(f"the webhook is not signed: there is no header `{HEADER}`")
    pairs: list[tuple[str, bytes]] = []
    for part in ",".join(values).split(","):  # a header that is there twice means the same as one with a comma
        version, _, signature = part.partition("=")  # the first `=`: a signature may hold others
        if version.strip() and signature.strip():
            pairs.append((version.strip().lower(), signature.strip().encode(errors="replace").lower()))
    if not pairs:
        raise SignatureError(f"the header `{HEADER}` is malformed: it must be a list such as `v1=<signature>`")
    signatures = [signature for version, signature in pairs if version == _VERSION]
    if not signatures:
        raise SignatureError(f"the header `{HEADER}` has no signature of a version that is understood (`{_VERSION}`)")
    return signatures


def _values(headers: Headers) -> Iterator[str]:
    """Yield each value of the header; names and values may be bytes, as ASGI has them."""
    kind = type(headers).__name__
    given: Any = headers
    try:
        pairs: Iterable[tuple[object, object]] = given.items() if hasattr(given, "items") else given
        for name, value in pairs:
            if _text(name).lower() != HEADER or value is None:
                continue
            for each in cast(list[object], value) if isinstance(value, list | tuple) else (value,):
                yield _text(each)
    except (TypeError, ValueError):
        raise InvalidArgument(
            f"headers of type {kind}: give the request's headers, a mapping or pairs of name and value"
        ) from None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise TypeError
