"""The valid tokens and their users, and the token of a request, in the three ways that the API accepts."""

import base64
import binascii
from collections.abc import Mapping

from attrs import frozen

from ...errors import InvalidArgument
from ..state.registry import Registry, User


@frozen
class Accounts:
    """The valid tokens: the keys of `users`, and `token`, which belongs to `world.me` unless `users` has it."""

    world: Registry
    token: str
    users: Mapping[str, User]

    @classmethod
    def of(cls, world: Registry, token: str | None, tokens: Mapping[str, User] | None) -> "Accounts":
        """Return the accounts for the arguments of `FakeCircleCI`. Raises `InvalidArgument`."""
        if tokens is not None and not isinstance(tokens, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may have no types
            raise InvalidArgument(f"tokens must map each token to a User, got {type(tokens).__name__}")
        users = dict(tokens or {})
        if tokens is not None and not users:
            raise InvalidArgument("tokens must have at least one token")
        for user in users.values():
            if not isinstance(user, User):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may have no types
                raise InvalidArgument(f"tokens must map each token to a User, such as world.user('ada'), got {user!r}")
            world.users.setdefault(user.id, user)
        default = next(iter(users), "fake-token") if token is None else token
        if not all(each.strip() for each in (*users, default)):
            raise InvalidArgument("token must not be blank")
        return cls(world, default, users)

    def user_of(self, token: str) -> User | None:
        """Return the user of a token, or None for an invalid one."""
        return self.users.get(token) or (self.world.me if token == self.token else None)


def sent_token(headers: Mapping[str, str]) -> str | None:
    """Return the token of a request: blank if the header has none, None without a header.

    `Circle-Token` takes precedence over `Authorization`, which is `Bearer` or the user name of `Basic`. A token in the
    query is ignored.
    """
    if (token := headers.get("Circle-Token")) is not None:
        return token.strip()
    if (authorization := headers.get("Authorization")) is None:
        return None
    scheme, _, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    match scheme.lower():
        case "bearer":
            return rest
        case "basic":
            try:
                return base64.b64decode(rest, validate=True).decode().partition(":")[0]
            except (binascii.Error, ValueError):
                return ""
        case _:
            return ""
