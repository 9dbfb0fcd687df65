"""Users: the token's user, other users, and collaborations."""

from ..models.users import Collaboration, User
from ..slug import segment
from .resource import Id, Resource


class Users(Resource):
    """Users: the token's user, other users, and collaborations."""

    async def me(self) -> User:
        """Return the token's user.

        `GET /me`

        Raises `AuthenticationError` without a valid token, and `PermissionDenied` for a project token.
        """
        return await self._session.request(User, "GET", "/me")

    async def get(self, user_id: Id) -> User:
        """Return a user.

        `GET /user/{id}`
        """
        return await self._session.request(User, "GET", f"/user/{segment(user_id)}")

    async def collaborations(self) -> list[Collaboration]:
        """Return the organizations that the token's user belongs to or collaborates with.

        `GET /me/collaborations`

        `id` is None for an organization that does not use CircleCI.
        """
        return await self._session.request(list[Collaboration], "GET", "/me/collaborations")
