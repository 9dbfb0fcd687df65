"""Checkout keys: the SSH keys that a project's code is checked out with."""

from ..core.paging import Paged
from ..errors import InvalidArgument
from ..models.checkout_keys import CheckoutKey, CheckoutKeyType, KeyDigest
from ..models.messages import Message
from ..slug import project_path, segment
from .resource import ProjectRef, Resource


class CheckoutKeys(Resource):
    """Checkout keys: the SSH keys that a project's code is checked out with.

    A key is known by its fingerprint, in MD5 or SHA256.
    """

    def list(self, project: ProjectRef, *, digest: KeyDigest | str | None = None) -> Paged[CheckoutKey]:
        """Iterate the checkout keys of a project.

        `GET /project/{project-slug}/checkout-key`

        `digest`: how fingerprints are written, by default in MD5.
        """
        return self._session.paged(
            CheckoutKey, f"/project/{project_path(project)}/checkout-key", query={"digest": digest}
        )

    async def create(self, project: ProjectRef, type: CheckoutKeyType | str) -> CheckoutKey:
        """Create a checkout key: `deploy-key`, the repository's own, or `user-key`, of the token's user.

        `POST /project/{project-slug}/checkout-key`

        A `user-key` is reported as `github-user-key` or `bitbucket-user-key`. Does not work for projects whose slug
        begins with `circleci/`.
        """
        if type in (CheckoutKeyType.BITBUCKET_USER_KEY, CheckoutKeyType.GITHUB_USER_KEY):
            raise InvalidArgument(f"type={str(type)!r}: give 'user-key'; that is only how such a key is reported")
        return await self._session.request(
            CheckoutKey, "POST", f"/project/{project_path(project)}/checkout-key", json={"type": type}
        )

    async def get(self, project: ProjectRef, fingerprint: str) -> CheckoutKey:
        """Return a checkout key, by its fingerprint in MD5 or SHA256.

        `GET /project/{project-slug}/checkout-key/{fingerprint}`
        """
        return await self._session.request(
            CheckoutKey, "GET", f"/project/{project_path(project)}/checkout-key/{segment(fingerprint)}"
        )

    async def delete(self, project: ProjectRef, fingerprint: str) -> Message:
        """Delete a checkout key, by its fingerprint in MD5 or SHA256.

        `DELETE /project/{project-slug}/checkout-key/{fingerprint}`
        """
        return await self._session.request(
            Message, "DELETE", f"/project/{project_path(project)}/checkout-key/{segment(fingerprint)}"
        )
