"""Config policies: the bundle of an organization, and the decisions that were made by it."""

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

__all__ = [
    "Decision",
    "DecisionLog",
    "DecisionMetadata",
    "DecisionSettings",
    "DecisionVcs",
    "Policy",
    "PolicyBundleDiff",
    "RuleViolation",
]


@frozen(kw_only=True)
class RuleViolation:
    """A rule that a configuration breaks."""

    rule: str
    reason: str | None = None


@frozen(kw_only=True)
class Decision:
    """What the policies say of a configuration: `POST /owner/{ownerID}/context/{context}/decision`."""

    status: str
    """`PASS`, `SOFT_FAIL`, `HARD_FAIL` or `ERROR`, for example."""
    enabled_rules: tuple[str, ...] = ()
    hard_failures: tuple[RuleViolation, ...] = ()
    """Broken rules that stop the pipeline."""
    soft_failures: tuple[RuleViolation, ...] = ()
    """Broken rules that are noted only."""
    reason: str | None = None
    """Why no decision could be made."""


@frozen(kw_only=True)
class DecisionVcs:
    """The revision that a decision was made for."""

    branch: str | None = None
    origin_repository_url: str | None = None
    release_tag: str | None = None
    target_repository_url: str | None = None


@frozen(kw_only=True)
class DecisionMetadata:
    """What a decision was made for. `policies.decide` takes one, for policies that look at it."""

    build_number: int | None = None
    project_id: str | None = None
    ssh_rerun: bool | None = None
    vcs: DecisionVcs | None = None


@frozen(kw_only=True)
class DecisionLog:
    """The record of a decision: `GET /owner/{ownerID}/context/{context}/decision/{decisionID}`."""

    id: str = ""
    """Empty if the answer lacks it; the specification does not promise it."""
    created_at: datetime | None = None
    decision: Decision | None = None
    metadata: DecisionMetadata | None = None
    policies: Mapping[str, str] | None = field(default=None, hash=False)
    """The hash of each policy that took part, by its name; `policies.decision_bundle` gives the policies themselves."""
    time_taken_ms: int | None = None
    """Milliseconds."""


@frozen(kw_only=True)
class DecisionSettings:
    """Whether decisions are enforced: `GET /owner/{ownerID}/context/{context}/decision/settings`."""

    enabled: bool | None = None
    """Whether every pipeline of the organization is held to its policies."""


@frozen(kw_only=True)
class Policy:
    """One policy: `GET /owner/{ownerID}/context/{context}/policy-bundle/{policyName}`."""

    name: str = ""
    """Empty if the answer lacks it; the specification does not promise it."""
    content: str | None = None
    """Its source, in Rego."""
    created_at: datetime | None = None
    created_by: str | None = None
    """The id of a user."""


@frozen(kw_only=True)
class PolicyBundleDiff:
    """What a push changes, by names: `POST /owner/{ownerID}/context/{context}/policy-bundle`."""

    created: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
