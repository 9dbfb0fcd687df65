"""Verify the signature of a delivery over its raw body. Ambiguous input is refused."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

from ..config.redacted import Redacted
from ..errors import InvalidArgument, SignatureError

__all__ = ["Body", "Headers", "Secret", "raw_bytes", "secrets_of", "verify_with"]

HEADER = "circleci-signature"

_VERSION = "v1"
"""The latest version. A newer one must replace it, not be added: an attacker could leave the newer one out."""

Body: TypeAlias = bytes | bytearray | memoryview
Secret: TypeAlias = str | bytes | Iterable[str | bytes] | Mapping[str, str | bytes]


class HeaderMap(Protocol):
    """Anything with `items()`: a dict, the headers of a request in aiohttp, Starlette, Django or Flask."""

    def items(self) -> Iterable[tuple[Any, Any]]: ...


Headers: TypeAlias = HeaderMap | Iterable[tuple[str, str] | tuple[bytes, bytes]]


class NamedSecret(NamedTuple):
    """A signing secret. `name` is None unless the secrets were given with names."""

    name: str | None
    key: Redacted[bytes]


def verify_with(secrets: tuple[NamedSecret, ...], body: bytes, headers: Headers) -> str | None:
    """Check that the body is signed with a secret, and return the secret's name.

    Takes the results of `secrets_of` and `raw_bytes`. Raises `SignatureError`.
    """
    signatures = _signatures(headers)
    matching: list[NamedSecret] = []
    for secret in secrets:
        expected = Redacted(hmac.digest(secret.key.reveal(), body, "sha256").hex().encode())
        for signature in signatures:  # compare all, so that the time reveals nothing
            matching += [secret] * hmac.compare_digest(signature, expected.reveal())
    if not matching:
        raise SignatureError(
            "the webhook's signature is wrong: the body was signed with another secret, or has been modified"
        )
    return matching[0].name


def secrets_of(secret: Redacted[Any]) -> tuple[NamedSecret, ...]:
    """Return each secret as bytes. Raises `InvalidArgument`, without the secrets in its message."""
    if isinstance(secret.reveal(), str | bytes):
        return (NamedSecret(None, _secret_bytes(secret, "secret")),)
    if not isinstance(secret.reveal(), Iterable):
        kind = type(secret.reveal()).__name__
        raise InvalidArgument(f"secret must be the webhook's signing secret, or several, got {kind}")
    if isinstance(secret.reveal(), Mapping):
        pairs = ((Redacted(name), Redacted(key)) for name, key in secret.reveal().items())
        secrets = tuple(
            NamedSecret(_checked_name(name), _secret_bytes(key, f"value {n} of secret"))
            for n, (name, key) in enumerate(pairs, 1)
        )
    else:
        given = map(Redacted, secret.reveal())
        secrets = tuple(NamedSecret(None, _secret_bytes(each, f"secret[{n}]")) for n, each in enumerate(given))
    if not secrets:
        kind = "mapping" if isinstance(secret.reveal(), Mapping) else "list"
        raise InvalidArgument(f"secret must be the webhook's signing secret, or several, got an empty {kind}")
    return secrets


def _checked_name(name: Redacted[Any]) -> str:
    """Return the name of a secret. An error does not show it, since the mapping may be the wrong way round."""
    if not isinstance(name.reveal(), str) or not name.reveal().strip():
        kind = "an empty name" if isinstance(name.reveal(), str) else f"a name of type {type(name.reveal()).__name__}"
        raise InvalidArgument(f"secret must map names to signing secrets, got {kind}")
    return str(name.reveal())


def raw_bytes(body: object) -> bytes:
    """Return the body as bytes. Raises `InvalidArgument` for a decoded or parsed body."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, bytearray):
        return bytes(body)
    if isinstance(body, memoryview):
        return body.tobytes()
    raise InvalidArgument(
        f"body must be the raw bytes of the request, got {type(body).__name__}: the signature covers these bytes, which"
        " a decoded or parsed body does not preserve"
    )


def _secret_bytes(secret: Redacted[Any], name: str) -> Redacted[bytes]:
    if not isinstance(secret.reveal(), str | bytes):
        raise InvalidArgument(f"{name} must be text or bytes, got {type(secret.reveal()).__name__}")
    if not secret.reveal().strip():
        raise InvalidArgument(f"{name} must be the webhook's signing secret, got an empty one, which anyone could use")
    if isinstance(secret.reveal(), bytes):
        return secret
    try:
        return Redacted(secret.reveal().encode())
    except UnicodeEncodeError:
        pass
    # raised here, since the context would be an error whose attributes contain the secret
    raise InvalidArgument(f"{name} must be valid Unicode text, but cannot be encoded as UTF-8")


def _signatures(headers: Headers) -> list[bytes]:
    """Return the signatures of the supported version. Raises `SignatureError` if there are none."""
    values = list(_values(headers))
    if not values:
        raise SignatureError(f"the webhook is not signed: header `{HEADER}` is missing")
    pairs: list[tuple[str, bytes]] = []
    for part in ",".join(values).split(","):  # repeated headers are equivalent to a comma-separated one
        version, _, signature = part.partition("=")  # the first `=`: signatures can contain others
        if version.strip() and signature.strip():
            pairs.append((version.strip().lower(), signature.strip().encode(errors="replace").lower()))
    if not pairs:
        raise SignatureError(f"header `{HEADER}` is malformed: expected a list such as `v1=<signature>`")
    signatures = [signature for version, signature in pairs if version == _VERSION]
    if not signatures:
        raise SignatureError(f"header `{HEADER}` has no signature of a supported version (`{_VERSION}`)")
    return signatures


def _values(headers: Headers) -> Iterator[str]:
    """Yield each value of the header; names and values can be bytes, as in ASGI."""
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
            f"headers must be the request's headers, a mapping or pairs of name and value, got {kind}"
        ) from None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise TypeError
