"""Organizations."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from attrs import define, field

from .contexts import Context
from .deploy_environments import DeployEnvironment
from .groups import OrganizationGroup
from .oidc import OidcClaimSet
from .otel import OtelExporter
from .policies import PolicyBook, Verdict
from .url_orb_allow_list import AllowListEntry
from .usage import UsageExports

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
