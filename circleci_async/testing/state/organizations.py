"""Organizations and what belongs to them, and the repositories of projects."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import define, evolve, field, frozen

from .registry import Registry
from .usage import UsageExports

_RULE = re.compile(r'\benable_rule(?:\[\s*"([^"]+)"\s*\]|\s+contains\s+"([^"]+)")')


@define(eq=False)
class PolicyDocument:
    """A policy: Rego source under a name. `created_by` is a user's id."""

    name: str
    content: str = field(repr=False)
    created_at: datetime
    created_by: str

    @property
    def hash(self) -> str:
        """SHA-512 of the source, in hex."""
        return hashlib.sha512(self.content.encode()).hexdigest()


@frozen
class Verdict:
    """The decision of the policies; failures map the name of a rule to the reason."""

    status: str = "PASS"
    enabled_rules: tuple[str, ...] = ()
    hard_failures: Mapping[str, str] = field(factory=dict[str, str])
    soft_failures: Mapping[str, str] = field(factory=dict[str, str])
    reason: str = ""


@define(eq=False)
class DecisionRecord:
    """The log entry of a decision, with the policies at that time."""

    id: str
    created_at: datetime
    verdict: Verdict
    metadata: Mapping[str, Any]
    bundle: Mapping[str, PolicyDocument] = field(repr=False)
    time_taken_ms: int = 4


@define(eq=False)
class PolicyBook:
    """An organization's policies by name, whether they are enforced, and the decisions that were logged."""

    bundle: dict[str, PolicyDocument] = field(factory=dict[str, PolicyDocument])
    enabled: bool = False
    decisions: list[DecisionRecord] = field(factory=list[DecisionRecord])
    verdict: Verdict | None = None

    def decide(self, verdict: Verdict | None = None) -> Verdict:
        """Return this verdict, the one that was set, or a pass. The enabled rules default to the bundle's."""
        verdict = verdict or self.verdict or Verdict()
        return verdict if verdict.enabled_rules else evolve(verdict, enabled_rules=self._rules())

    def _rules(self) -> tuple[str, ...]:
        found = [match for document in self.bundle.values() for match in _RULE.findall(document.content)]
        return tuple(dict.fromkeys(old or new for old, new in found))


@define(eq=False)
class ContextVariable:
    """A variable of a context."""

    name: str
    value: str = field(repr=False)
    created_at: datetime
    updated_at: datetime


@define(eq=False)
class ContextRestriction:
    """A restriction of a context: `type` is `project`, `group` or `expression`, `value` an id or the expression."""

    id: str
    type: str
    value: str
    name: str | None
    """The name of the project or group, if known."""


@define(eq=False)
class Context:
    """A context of an organization."""

    world: Registry = field(repr=False)
    organization_id: str
    id: str
    name: str
    created_at: datetime
    variables: dict[str, ContextVariable] = field(factory=dict[str, ContextVariable], repr=False)
    restrictions: dict[str, ContextRestriction] = field(factory=dict[str, ContextRestriction], repr=False)

    def variable(self, name: str, value: str) -> ContextVariable:
        """Add a variable, or replace its value."""
        now = self.world.clock()
        variable = self.variables.setdefault(name, ContextVariable(name, value, now, now))
        variable.value, variable.updated_at = value, now
        return variable

    def restriction(self, type: str, value: str, *, name: str | None = None) -> ContextRestriction:
        """Restrict the context to a project or a group, or by an expression."""
        restriction = ContextRestriction(self.world.new_id(), type, value, name)
        self.restrictions[restriction.id] = restriction
        return restriction


@define(eq=False)
class DeployEnvironment:
    """An environment of an organization."""

    id: str
    name: str
    description: str
    labels: Mapping[str, str]
    created_at: datetime
    updated_at: datetime


@define(eq=False)
class OrganizationGroup:
    """A group of users."""

    id: str
    name: str
    description: str | None = None


@define(eq=False)
class OidcClaimSet:
    """The custom claims of an organization or a project, and the time of their last change; None if not set."""

    audience: Sequence[str] | None = None
    audience_updated_at: datetime | None = None
    ttl: str | None = None
    ttl_updated_at: datetime | None = None

    def set(self, name: str, value: object, at: datetime | None) -> None:
        """Set a claim, or remove it with None."""
        setattr(self, name, value)
        setattr(self, f"{name}_updated_at", at)


@define(eq=False)
class OtelExporter:
    """An exporter; the API masks the values of its `headers`.

    `issues.append("connection refused")` makes the API report an issue.
    """

    id: str
    endpoint: str
    protocol: str
    insecure: bool
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    issues: list[str] = field(factory=list[str])


@define(eq=False)
class AllowListEntry:
    """A prefix of URLs; `auth` is `github-oauth`, `github-app`, `bitbucket-oauth` or `none`."""

    id: str
    name: str
    prefix: str
    auth: str


VCS_TYPES = {"gh": "github", "bb": "bitbucket", "circleci": "circleci"}
"""The first part of a slug, and its name elsewhere in the API."""
CREATED_AT = datetime(2020, 1, 6, tzinfo=UTC)
"""When an organization and a project were created, unless another time is set."""


@define(eq=False)
class Organization:
    """An organization, with a `slug` such as `gh/acme`."""

    id: str
    slug: str
    name: str
    groups: dict[str, OrganizationGroup] = field(factory=dict[str, OrganizationGroup], repr=False)
    url_orb_allow_list: dict[str, AllowListEntry] = field(factory=dict[str, AllowListEntry], repr=False)
    oidc: OidcClaimSet = field(factory=OidcClaimSet, repr=False)
    exporters: dict[str, OtelExporter] = field(factory=dict[str, OtelExporter], repr=False)
    contexts: dict[str, Context] = field(factory=dict[str, Context], repr=False)
    deploy_environments: dict[str, DeployEnvironment] = field(factory=dict[str, DeployEnvironment], repr=False)
    policies: PolicyBook = field(factory=PolicyBook, repr=False)
    usage: UsageExports = field(factory=UsageExports, repr=False)
    created_at: datetime = field(default=CREATED_AT, repr=False)

    @property
    def vcs(self) -> str:
        """`github`, `bitbucket` or `circleci`."""
        return VCS_TYPES[self.slug.partition("/")[0]]

    def decide_with(
        self,
        status: str,
        *,
        hard_failures: Mapping[str, str] | None = None,
        soft_failures: Mapping[str, str] | None = None,
        enabled_rules: Sequence[str] = (),
        reason: str = "",
    ) -> None:
        """Set the decision of the policies from now on: `PASS` (the default), `HARD_FAIL` or another status.

        Failures map the name of a rule to the reason. `enabled_rules` defaults to the rules that the bundle enables.
        """
        verdict = Verdict(status, tuple(enabled_rules), hard_failures or {}, soft_failures or {}, reason)
        self.policies.verdict = verdict

    def fail_next_export(self, reason: str = "internal error") -> None:
        """Make the next usage export fail with this reason. Each further call makes one more export fail."""
        self.usage.failures.append(reason)


@define(eq=False)
class Repository:
    """The repository of a project, as pipelines and webhooks refer to it.

    The object behind `pipeline.project` is the `Project`, which adds settings and methods to this class.
    """

    world: Registry = field(repr=False)
    organization: Organization
    id: str
    slug: str
    name: str
    default_branch: str
    public: bool
    created_at: datetime = field(default=CREATED_AT, kw_only=True, repr=False)
    _numbered_jobs: int = field(default=0, init=False, repr=False)

    @property
    def vcs_url(self) -> str:
        """URL of the repository."""
        if self.organization.vcs == "circleci":
            return f"//circleci.com/{self.organization.id}/{self.id}"
        host = {"github": "github.com", "bitbucket": "bitbucket.org"}[self.organization.vcs]
        return f"https://{host}/{self.organization.name}/{self.name}"

    @property
    def provider(self) -> str:
        """`GitHub`, `Bitbucket` or `CircleCI`."""
        return {"github": "GitHub", "bitbucket": "Bitbucket", "circleci": "CircleCI"}[self.organization.vcs]

    def next_job_number(self) -> int:
        """Return the number of the next job."""
        self._numbered_jobs += 1
        return self._numbered_jobs
