"""Config policies: bundles, decisions, settings."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..core.encoding import omit_none
from ..core.paging import Paged
from ..core.when import When, parse_datetime
from ..errors import InvalidArgument
from ..models.policies import Decision, DecisionLog, DecisionMetadata, DecisionSettings, Policy, PolicyBundleDiff
from ..slug import segment
from .resource import Id, Resource, require


class Policies(Resource):
    """Config policies: bundles, decisions, settings.

    `owner_id` is the id of an organization, not its slug. The only `context` so far is `config`.
    """

    async def bundle(self, owner_id: Id, *, context: str = "config") -> dict[str, Policy]:
        """Return the policies of an organization, by name.

        `GET /owner/{ownerID}/context/{context}/policy-bundle`
        """
        return await self._session.request(
            dict[str, Policy], "GET", f"/owner/{segment(owner_id)}/context/{segment(context)}/policy-bundle"
        )

    async def push_bundle(
        self, owner_id: Id, policies: Mapping[str, str | Policy], *, context: str = "config", dry: bool = False
    ) -> PolicyBundleDiff:
        """Replace ALL policies of an organization, and return the differences.

        `POST /owner/{ownerID}/context/{context}/policy-bundle`

        `policies`: the complete bundle, Rego source by name, or as `bundle` returns it. Policies that are not in it are
        DELETED; an empty mapping deletes all. `dry=True` returns the differences without changing anything.
        """
        if not isinstance(policies, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # an empty list would delete all policies
            raise InvalidArgument(f"policies must be a mapping of names to Rego sources, got {policies!r}")
        return await self._session.request(
            PolicyBundleDiff,
            "POST",
            f"/owner/{segment(owner_id)}/context/{segment(context)}/policy-bundle",
            query={"dry": dry or None},
            json={"policies": {name: _source(name, policy) for name, policy in policies.items()}},
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
        after: When | None = None,
        before: When | None = None,
        branch: str | None = None,
        project_id: Id | None = None,
        build_number: int | str | None = None,
    ) -> Paged[DecisionLog]:
        """Iterate over the decision log.

        `GET /owner/{ownerID}/context/{context}/decision`

        `after` and `before`: datetimes, dates, text such as `7d`, and so on: see `When`.
        `status`: for example `PASS`, `SOFT_FAIL`, `HARD_FAIL` or `ERROR`. The list is paged by offset: a decision made
        during the iteration can cause a duplicate. `before` prevents that.
        """
        now = datetime.now(UTC)
        first, last = parse_datetime("after", after, now), parse_datetime("before", before, now)
        if first is not None and last is not None and first >= last:
            raise InvalidArgument(f"after must be earlier than before={last}, got {first}")
        return self._session.paged_by_offset(
            DecisionLog,
            f"/owner/{segment(owner_id)}/context/{segment(context)}/decision",
            query={
                "status": status,
                "after": first,
                "before": last,
                "branch": branch,
                "project_id": project_id,
                "build_number": build_number,
            },
        )

    async def decision(self, owner_id: Id, decision_id: Id, *, context: str = "config") -> DecisionLog:
        """Return an entry of the decision log.

        `GET /owner/{ownerID}/context/{context}/decision/{decisionID}`
        """
        return await self._session.request(
            DecisionLog, "GET", f"/owner/{segment(owner_id)}/context/{segment(context)}/decision/{segment(decision_id)}"
        )

    async def decision_bundle(self, owner_id: Id, decision_id: Id, *, context: str = "config") -> dict[str, Policy]:
        """Return the policies at the time of a decision, by name.

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
        """Evaluate a configuration against the organization's policies, without running it.

        `POST /owner/{ownerID}/context/{context}/decision`

        `input`: the text of the configuration (YAML), not a file name. `metadata`: data for the policies, such as the
        project and the branch.
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
        """Turn the enforcement of decisions on or off, for all pipelines of the organization.

        `PATCH /owner/{ownerID}/context/{context}/decision/settings`
        """
        return await self._session.request(
            DecisionSettings,
            "PATCH",
            f"/owner/{segment(owner_id)}/context/{segment(context)}/decision/settings",
            json={"enabled": enabled},
        )


def _source(name: str, policy: str | Policy) -> str:
    return require(f"the content of policy {name!r}", policy.content) if isinstance(policy, Policy) else policy
