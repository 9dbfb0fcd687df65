"""Users: who is asking, and who is who."""

from ..models.users import Collaboration, User
from ..slug import segment
from .resource import Id, Resource


class Users(Resource):
    """Users: who is asking, and who is who."""

    async def me(self) -> User:
        """Return the user whose token this is.

        `GET /me`

        Raises `AuthenticationError` without a valid token; 403 for a token that is not a user's.
        """
        return await self._session.request(User, "GET", "/me")

    async def get(self, user_id: Id) -> User:
        """Return a user.

        `GET /user/{id}`
        """
        return await self._session.request(User, "GET", f"/user/{segment(user_id)}")

    async def collaborations(self) -> list[Collaboration]:
        """Return the organizations that the user belongs to or works with.

        `GET /me/collaborations`

        Never paged. `id` is None for an organization that CircleCI does not know.
        """
        return await self._session.request(list[Collaboration], "GET", "/me/collaborations")
