"""Checkout keys: the SSH keys used to check out a project's code."""

from ..core.arguments import check_word
from ..core.paging import Paged
from ..errors import InvalidArgument
from ..models.checkout_keys import CheckoutKey, CheckoutKeyType, KeyDigest
from ..models.messages import Message
from ..slug import project_path, segment
from .resource import ProjectRef, Resource


class CheckoutKeys(Resource):
    """Checkout keys: the SSH keys used to check out a project's code.

    A key is identified by its MD5 or SHA256 fingerprint.
    """

    def list(self, project: ProjectRef, *, digest: KeyDigest | str | None = None) -> Paged[CheckoutKey]:
        """Iterate over the checkout keys of a project.

        `GET /project/{project-slug}/checkout-key`

        `digest`: the hash of the listed fingerprints, MD5 by default.
        """
        check_word("digest", digest, KeyDigest)
        return self._session.paged(
            CheckoutKey, f"/project/{project_path(project)}/checkout-key", query={"digest": digest}
        )

    async def create(self, project: ProjectRef, type: CheckoutKeyType | str) -> CheckoutKey:
        """Create a checkout key: a `deploy-key` of the repository, or a `user-key` of the token's user.

        `POST /project/{project-slug}/checkout-key`

        A `user-key` is returned as `github-user-key` or `bitbucket-user-key`. Not available for projects whose slug
        starts with `circleci/`.
        """
        if type in (CheckoutKeyType.BITBUCKET_USER_KEY, CheckoutKeyType.GITHUB_USER_KEY):
            raise InvalidArgument(
                f"type must be 'deploy-key' or 'user-key', got {str(type)!r}: create a 'user-key' instead"
            )
        check_word("type", type, (CheckoutKeyType.DEPLOY_KEY, CheckoutKeyType.USER_KEY), required=True)
        return await self._session.request(
            CheckoutKey, "POST", f"/project/{project_path(project)}/checkout-key", json={"type": type}
        )

    async def get(self, project: ProjectRef, fingerprint: str) -> CheckoutKey:
        """Return the checkout key with this MD5 or SHA256 fingerprint.

        `GET /project/{project-slug}/checkout-key/{fingerprint}`
        """
        return await self._session.request(
            CheckoutKey, "GET", f"/project/{project_path(project)}/checkout-key/{segment(fingerprint)}"
        )

    async def delete(self, project: ProjectRef, fingerprint: str) -> Message:
        """Delete the checkout key with this MD5 or SHA256 fingerprint.

        `DELETE /project/{project-slug}/checkout-key/{fingerprint}`
        """
        return await self._session.request(
            Message, "DELETE", f"/project/{project_path(project)}/checkout-key/{segment(fingerprint)}"
        )
