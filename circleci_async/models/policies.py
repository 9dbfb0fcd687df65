"""Config policies: the policy bundle of an organization, and decisions."""

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
    """A rule that a configuration violates."""

    rule: str
    reason: str | None = None


@frozen(kw_only=True)
class Decision:
    """The result of evaluating a configuration: `POST /owner/{ownerID}/context/{context}/decision`."""

    status: str
    """For example `PASS`, `SOFT_FAIL`, `HARD_FAIL` or `ERROR`."""
    enabled_rules: tuple[str, ...] = ()
    hard_failures: tuple[RuleViolation, ...] = ()
    """Violations that stop the pipeline."""
    soft_failures: tuple[RuleViolation, ...] = ()
    """Violations that are only reported."""
    reason: str | None = None
    """The reason for an `ERROR`."""


@frozen(kw_only=True)
class DecisionVcs:
    """The revision of a decision."""

    branch: str | None = None
    origin_repository_url: str | None = None
    release_tag: str | None = None
    target_repository_url: str | None = None


@frozen(kw_only=True)
class DecisionMetadata:
    """Metadata for policies, in a decision log and as an argument of `policies.decide`."""

    build_number: int | None = None
    project_id: str | None = None
    ssh_rerun: bool | None = None
    vcs: DecisionVcs | None = None


@frozen(kw_only=True)
class DecisionLog:
    """An entry of the decision log: `GET /owner/{ownerID}/context/{context}/decision/{decisionID}`."""

    id: str = ""
    """Empty if the response lacks it."""
    created_at: datetime | None = None
    decision: Decision | None = None
    metadata: DecisionMetadata | None = None
    policies: Mapping[str, str] | None = field(default=None, hash=False)
    """The hash of each evaluated policy, by name. `policies.decision_bundle` returns the policies themselves."""
    time_taken_ms: int | None = None
    """In milliseconds."""


@frozen(kw_only=True)
class DecisionSettings:
    """Whether decisions are enforced: `GET /owner/{ownerID}/context/{context}/decision/settings`."""

    enabled: bool | None = None
    """Whether decisions are enforced on all pipelines of the organization."""


@frozen(kw_only=True)
class Policy:
    """A policy: `GET /owner/{ownerID}/context/{context}/policy-bundle/{policyName}`."""

    name: str = ""
    """Empty if the response lacks it."""
    content: str | None = None
    """The source, in Rego."""
    created_at: datetime | None = None
    created_by: str | None = None
    """The id of a user."""


@frozen(kw_only=True)
class PolicyBundleDiff:
    """The differences made by a push, as policy names: `POST /owner/{ownerID}/context/{context}/policy-bundle`."""

    created: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
