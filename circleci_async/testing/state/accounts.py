"""Who there is: users and organizations."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import Factory, define, field

from .contexts import Context
from .deploys import DeployEnvironment
from .groups import OrganizationGroup
from .oidc import OidcClaimSet
from .otel import OtelExporter
from .policies import PolicyBook, Verdict
from .url_orb_allow_list import AllowListEntry
from .usage import UsageExports

if TYPE_CHECKING:
    from .builds import Pipeline
    from .projects import Project

VCS_TYPES = {"gh": "github", "bb": "bitbucket", "circleci": "circleci"}
"""The first part of a slug, and what the API calls it elsewhere."""


class PipelineIndex:
    """Pipelines in the order in which they were made, and the same by branch and by who started them.

    Each list only ever grows at its end, so that a page token can be a place in it, until a project is deleted.
    """

    def __init__(self) -> None:
        self.all: list[Pipeline] = []
        self._by_branch: defaultdict[str | None, list[Pipeline]] = defaultdict(list)
        self._by_actor: defaultdict[str, list[Pipeline]] = defaultdict(list)

    def add(self, pipeline: "Pipeline") -> None:
        """Add the newest pipeline."""
        self.all.append(pipeline)
        self._by_branch[pipeline.branch].append(pipeline)
        self._by_actor[pipeline.actor.id].append(pipeline)

    def remove(self, project: "Project") -> None:
        """Take away the pipelines of a project."""
        for pipelines in (self.all, *self._by_branch.values(), *self._by_actor.values()):
            pipelines[:] = [pipeline for pipeline in pipelines if pipeline.project is not project]

    def of_branch(self, branch: str) -> Sequence["Pipeline"]:
        """Give the pipelines of one branch, oldest first."""
        return self._by_branch.get(branch, ())

    def of_actor(self, user: "User") -> Sequence["Pipeline"]:
        """Give the pipelines that one user started, oldest first."""
        return self._by_actor.get(user.id, ())


@define(eq=False)
class User:
    """A user of CircleCI."""

    id: str
    login: str
    name: str | None

    @property
    def avatar_url(self) -> str:
        """Where the picture would be."""
        return f"https://avatars.githubusercontent.com/{self.login}"


@define(eq=False)
class Organization:
    """An organization; `slug` is such as `gh/acme`."""

    id: str
    slug: str
    name: str
    projects: dict[str, "Project"] = field(factory=dict["str", "Project"], repr=False)
    pipelines: PipelineIndex = field(default=Factory(PipelineIndex), repr=False)
    groups: dict[str, OrganizationGroup] = field(factory=dict[str, OrganizationGroup], repr=False)
    url_orb_allow_list: dict[str, AllowListEntry] = field(factory=dict[str, AllowListEntry], repr=False)
    oidc: OidcClaimSet = field(factory=OidcClaimSet, repr=False)
    exporters: dict[str, OtelExporter] = field(factory=dict[str, OtelExporter], repr=False)
    contexts: dict[str, Context] = field(factory=dict[str, Context], repr=False)
    deploy_environments: dict[str, DeployEnvironment] = field(factory=dict[str, DeployEnvironment], repr=False)
    policies: PolicyBook = field(factory=PolicyBook, repr=False)
    usage: UsageExports = field(factory=UsageExports, repr=False)

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
        """Say what the policies decide from now on: `PASS`, which they do by themselves, `HARD_FAIL` or another word.

        Failures are reasons by the name of the rule. The rules are those that the bundle enables, unless given.
        """
        verdict = Verdict(status, tuple(enabled_rules), hard_failures or {}, soft_failures or {}, reason)
        self.policies.verdict = verdict

    def fail_next_export(self, reason: str = "internal error") -> None:
        """Let the next usage export that is asked for fail, for this reason; each further call, one more."""
        self.usage.failures.append(reason)
