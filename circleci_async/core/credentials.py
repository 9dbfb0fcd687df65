"""The token of a client: decide which requests carry it, and redact it in texts, bodies, headers and addresses."""

import asyncio
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from typing import Literal, get_args

from multidict import CIMultiDict, istr
from yarl import URL

from ..config.redacted import NotPicklable, Redacted
from ..config.tokens import Token, call_token
from ..config.trust import Trust
from ..errors import ConfigurationError
from .arguments import check_word
from .response import Response

__all__ = ["Auth"]

Auth = Literal["circle-token", "bearer", "basic"]
"""How the token is sent: the header `Circle-Token`, `Authorization: Bearer`, or basic authentication as user name."""

MAX_SECRETS = 64
"""Tokens, plain and encoded, that are remembered for redaction: a token function may return many."""

_CIRCLE_TOKEN, _AUTHORIZATION = istr("Circle-Token"), istr("Authorization")


class Credentials(NotPicklable):
    """A token, how it is sent, and the origins that it may be sent to. `source`: why there is none."""

    def __init__(
        self, token: Redacted[Token | None], trust: Trust, auth: Auth = "circle-token", source: str = ""
    ) -> None:
        check_word("auth", auth, get_args(Auth), required=True, error=ConfigurationError)
        self._token = token.reveal()
        self.why_anonymous: str = "" if self._token else source
        """Why requests carry no token; "" if they carry one, or a function returns it."""
        self._trust = trust
        self._auth: Auth = auth
        self._secrets: deque[str] = deque(maxlen=MAX_SECRETS)
        self.static_header: tuple[str, str] | None = None
        """Name and value of the header that carries the token, unless a function returns the token."""
        if self._token and isinstance(self._token, str):
            self.static_header = self._header(self._token)

    def with_token(self, token: Redacted[Token | None], source: str) -> "Credentials":
        """Return the credentials of another token, which is sent to the same origins in the same way."""
        return Credentials(token, self._trust, self._auth, source)

    def trusts(self, url: str | URL) -> bool:
        """Return whether the token may be sent to this address. Rate limits stated by other addresses are ignored."""
        return self._trust.trusts(url)

    async def new_header(self) -> tuple[tuple[str, str], int] | None:
        """Call the token function; return the header that carries its token, and the token's fingerprint."""
        if callable(self._token) and (token := await call_token(self._token)) is not None:
            return self._header(token), hash(token)
        return None

    async def current_token(self) -> Redacted[str | None]:
        """Return the token, of a function its current one. Raises `ConfigurationError` for an invalid one."""
        return Redacted(await call_token(self._token) if callable(self._token) else self._token or None)

    async def has_new_token(self, response: Response) -> bool:
        """Return whether the token has changed since the request of this response was sent."""
        if response.token_fingerprint is None or self._token is None or isinstance(self._token, str):
            return False
        try:
            token = await call_token(self._token)
        except asyncio.CancelledError:
            response.close()
            raise
        except Exception:  # noqa: BLE001  # the error response is raised instead; the next request raises this one
            return False
        return token is not None and hash(token) != response.token_fingerprint

    def redact(self, text: str) -> str:
        """Replace the token in a text of the server."""
        for secret in self._secrets:
            text = text.replace(secret, "[token]")
        return text

    def redact_bytes(self, body: bytes) -> bytes:
        """Replace the token in a body of the server."""
        for secret in self._secrets:
            body = body.replace(secret.encode(), b"[token]")
        return body

    def public_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers of a response without the token, and a `Location` as `public_url` returns it."""
        public = CIMultiDict((name, self.redact(value)) for name, value in headers.items())
        if "Location" in public:
            try:
                public["Location"] = self.public_url(public["Location"])
            except ValueError:  # not an address
                public["Location"] = public["Location"].partition("?")[0]
        return public

    def public_url(self, url: str) -> str:
        """Return an address without user, and without the query if it is signed or of an untrusted origin."""
        shown = URL(url, encoded=True).with_user(None).with_fragment(None)
        if not self._trust.trusts(url) or any(name.lower().endswith(("signature", "sig")) for name in shown.query):
            shown = shown.with_query(None)
        elif "circle-token" in shown.query:
            shown = shown.without_query_params("circle-token")
        return self.redact(str(shown))

    def _header(self, token: str) -> tuple[str, str]:
        """Return the header that carries the token, and remember the token for redaction."""
        basic = b64encode(f"{token}:".encode()).decode()
        if token not in self._secrets:
            self._secrets.extend((token, basic))
        match self._auth:
            case "circle-token":
                return _CIRCLE_TOKEN, token
            case "bearer":
                return _AUTHORIZATION, f"Bearer {token}"
            case _:
                return _AUTHORIZATION, f"Basic {basic}"
