"""Config policies: bundles, decisions, settings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..core.encoding import omit_none
from ..core.paging import Paged
from ..errors import InvalidArgument
from ..models.policies import Decision, DecisionLog, DecisionMetadata, DecisionSettings, Policy, PolicyBundleDiff
from ..slug import segment
from .resource import Id, Resource, moment


class Policies(Resource):
    """Config policies: bundles, decisions, settings.

    `owner_id` is the id of an organization, not its slug. Of contexts there is only `config` so far.
    """

    async def bundle(self, owner_id: Id, *, context: str = "config") -> dict[str, Policy]:
        """Return the policies of an organization, by name.

        `GET /owner/{ownerID}/context/{context}/policy-bundle`
        """
        return await self._session.request(
            dict[str, Policy], "GET", f"/owner/{segment(owner_id)}/context/{segment(context)}/policy-bundle"
        )

    async def push_bundle(
        self, owner_id: Id, policies: Mapping[str, str], *, context: str = "config", dry: bool = False
    ) -> PolicyBundleDiff:
        """Replace ALL policies of an organization, and return what that changes.

        `POST /owner/{ownerID}/context/{context}/policy-bundle`

        `policies` is the whole bundle, Rego source by name: a policy that is not in it is DELETED, so an empty mapping
        deletes every policy. With `dry=True` nothing is changed: look at that first.
        """
        if not isinstance(policies, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # who does not check types would delete what is there
            raise InvalidArgument(f"policies={policies!r}: give a mapping of each policy's name to its source")
        return await self._session.request(
            PolicyBundleDiff,
            "POST",
            f"/owner/{segment(owner_id)}/context/{segment(context)}/policy-bundle",
            query={"dry": dry or None},
            json={"policies": policies},
        )

    async def document(self, owner_id: Id, name: str, *, context: str = "config") -> Policy:
        """Return one policy.

        `GET /owner/{ownerID}/context/{context}/policy-bundle/{policyName}`
        """
        return await self._session.request(
            Policy, "GET", f"/owner/{segment(owner_id)}/context/{segment(context)}/policy-bundle/{segment(name)}"
        )

    def decisions(
        self,
        owner_id: Id,
        *,
        context: str = "config",
        status: str | None = None,
        after: datetime | str | None = None,
        before: datetime | str | None = None,
        branch: str | None = None,
        project_id: Id | None = None,
        build_number: int | str | None = None,
    ) -> Paged[DecisionLog]:
        """Iterate the records of decisions that were made.

        `GET /owner/{ownerID}/context/{context}/decision`

        `status`: `PASS`, `SOFT_FAIL`, `HARD_FAIL` or `ERROR`, for example. The list is paged by offset, so a decision
        made during a walk may shift it and let one come twice; `before` holds it still.
        """
        return self._session.paged_by_offset(
            DecisionLog,
            f"/owner/{segment(owner_id)}/context/{segment(context)}/decision",
            query={
                "status": status,
                "after": moment("after", after),
                "before": moment("before", before),
                "branch": branch,
                "project_id": project_id,
                "build_number": build_number,
            },
        )

    async def decision(self, owner_id: Id, decision_id: Id, *, context: str = "config") -> DecisionLog:
        """Return the record of a decision.

        `GET /owner/{ownerID}/context/{context}/decision/{decisionID}`
        """
        return await self._session.request(
            DecisionLog, "GET", f"/owner/{segment(owner_id)}/context/{segment(context)}/decision/{segment(decision_id)}"
        )

    async def decision_bundle(self, owner_id: Id, decision_id: Id, *, context: str = "config") -> dict[str, Policy]:
        """Return the policies by which a decision was made, by name, as they were then.

        `GET /owner/{ownerID}/context/{context}/decision/{decisionID}/policy-bundle`
        """
        decision = f"/owner/{segment(owner_id)}/context/{segment(context)}/decision/{segment(decision_id)}"
        return await self._session.request(dict[str, Policy], "GET", f"{decision}/policy-bundle")

    async def decide(
        self,
        owner_id: Id,
        input: str,
        *,
        context: str = "config",
        metadata: DecisionMetadata | Mapping[str, Any] | None = None,
    ) -> Decision:
        """Judge a configuration by the organization's policies; nothing is run.

        `POST /owner/{ownerID}/context/{context}/decision`

        `input` is the configuration itself (YAML), not the name of its file. `metadata` is what the policies see of the
        circumstances, such as the project and the branch.
        """
        return await self._session.request(
            Decision,
            "POST",
            f"/owner/{segment(owner_id)}/context/{segment(context)}/decision",
            json={"input": input, **omit_none(metadata=metadata)},
        )

    async def settings(self, owner_id: Id, *, context: str = "config") -> DecisionSettings:
        """Return whether decisions are enforced.

        `GET /owner/{ownerID}/context/{context}/decision/settings`
        """
        return await self._session.request(
            DecisionSettings, "GET", f"/owner/{segment(owner_id)}/context/{segment(context)}/decision/settings"
        )

    async def update_settings(self, owner_id: Id, *, enabled: bool, context: str = "config") -> DecisionSettings:
        """Enforce the decisions on every pipeline of the organization, or stop doing so.

        `PATCH /owner/{ownerID}/context/{context}/decision/settings`
        """
        return await self._session.request(
            DecisionSettings,
            "PATCH",
            f"/owner/{segment(owner_id)}/context/{segment(context)}/decision/settings",
            json={"enabled": enabled},
        )
