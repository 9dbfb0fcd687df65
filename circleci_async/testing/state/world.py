"""The state of an embedded CircleCI: what its users, projects and builds are."""

import re
import string
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Self
from uuid import UUID

from ...errors import InvalidArgument
from .accounts import VCS_TYPES, Organization, PipelineIndex, User
from .builds import Pipeline, Workflow
from .contexts import Context
from .deploys import DeployEnvironment
from .jobs import Job
from .policies import PolicyDocument
from .projects import Project

_SHORT = {"github": "gh", "bitbucket": "bb"}
_OPAQUE = re.compile(r"[0-9A-Za-z]{21,22}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class World:
    """What there is on an embedded CircleCI; built by hand, or made by `World.generate`.

    Every method that makes something returns it, and what it returns makes what belongs to it:
    `world.project("gh/acme/api").pipeline(branch="main").workflow("build").job("test").artifact("a.txt", b"...")`.
    Records may be changed at any time, between requests too. Ids depend only on `seed` and the order of the calls.

    `clock` tells the time, as an aware datetime; give your own to make time pass without waiting for it.
    """

    def __init__(self, *, seed: int = 0, clock: Callable[[], datetime] = _utc_now) -> None:
        self.random = Random(seed)
        self.clock = clock
        self.users: dict[str, User] = {}
        self.organizations: dict[str, Organization] = {}
        self.projects: dict[str, Project] = {}
        self.pipelines = PipelineIndex()
        self.pipelines_by_id: dict[str, Pipeline] = {}
        self.continuations: dict[str | None, Pipeline] = {}
        self.workflows: dict[str, Workflow] = {}
        self.jobs: dict[str, Job] = {}
        self.deliverers: list[Callable[[], None]] = []
        """Called when there may be something to tell a webhook, now or later; empty while no server runs."""
        self.me = self.user("octo-dev", name="Octo Dev")
        """The user whom the token belongs to."""

    @classmethod
    def generate(
        cls,
        *,
        seed: int = 0,
        projects: int = 3,
        pipelines: int = 25,
        artifacts: int = 40,
        artifact_sizes: tuple[int, int] = (256, 256 * 1024),
        now: datetime | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> Self:
        """Make a plausible world: some weeks of one organization's work.

        `projects` projects of `gh/acme` with `pipelines` pipelines each, of several workflows with jobs that succeeded,
        failed, were canceled or wait for approval, flaky tests, and a newest pipeline on the default branch whose jobs
        left `artifacts` files of `artifact_sizes` (least and most bytes) between them; older ones left a few.
        Most files are generated while they are read.

        The same seed and numbers make the same world, ids and bytes included. Dates end at `now`: the clock's time
        unless given.
        """
        from .generate import populate

        world = cls(seed=seed, clock=clock)
        populate(world, projects, pipelines, artifacts, artifact_sizes, now or clock())
        return world

    def user(self, login: str, *, name: str | None = None) -> User:
        """Make a user."""
        user = User(self.new_id(), login, name)
        self.users[user.id] = user
        return user

    def organization(self, slug: str) -> Organization:
        """Make an organization such as `gh/acme`, or give the one there is."""
        slug = canonical(slug, parts=2)
        if slug not in self.organizations:
            self.organizations[slug] = Organization(self.new_id(), slug, slug.partition("/")[2])
        return self.organizations[slug]

    def project(
        self, slug: str, *, name: str | None = None, default_branch: str = "main", public: bool = False
    ) -> Project:
        """Make a project, and its organization if there is none: `gh/acme/api`, `bb/…`, `circleci/<opaque>/<opaque>`.

        `name` is the slug's last part unless given. `public=True`: anybody may read it without a token.
        """
        slug = canonical(slug, parts=3)
        if slug in self.projects:
            raise InvalidArgument(f"slug: there is a project {slug} already; it is World.projects[{slug!r}]")
        org_slug, _, last = slug.rpartition("/")
        organization = self.organization(org_slug)
        project = Project(self, organization, self.new_id(), slug, name or last, default_branch, public)
        self.projects[slug] = organization.projects[slug] = project
        return project

    def delete_organization(self, organization: Organization) -> None:
        """Take an organization away, and its projects."""
        for project in list(organization.projects.values()):
            self.delete_project(project)
        del self.organizations[organization.slug]

    def delete_project(self, project: Project) -> None:
        """Take a project away, and all that was built in it."""
        del self.projects[project.slug], project.organization.projects[project.slug]
        for pipeline in project.pipelines.all:
            del self.pipelines_by_id[pipeline.id]
            self.continuations.pop(pipeline.continuation_key, None)
            for workflow in pipeline.workflows:
                del self.workflows[workflow.id]
                for job in workflow.jobs:
                    self.jobs.pop(job.id, None)  # a rerun may have taken it over, and be gone
        for index in (self.pipelines, project.organization.pipelines):
            index.remove(project)

    def context(self, organization: str, name: str) -> Context:
        """Make a context of an organization, which is given by its slug and made if there is none."""
        owner = self.organization(organization)
        context = Context(self, owner, self.new_id(), name, self.clock())
        owner.contexts[context.id] = context
        return context

    def deploy_environment(
        self, organization: str, name: str, *, description: str = "", labels: Mapping[str, str] | None = None
    ) -> DeployEnvironment:
        """Make an environment to deploy to, of an organization, which is given by its slug and made if there is none.

        `Project.deploy_component` makes what is deployed there.
        """
        now = self.clock()
        environment = DeployEnvironment(self.new_id(), name, description, dict(labels or {}), now, now)
        self.organization(organization).deploy_environments[environment.id] = environment
        return environment

    def policy(self, organization: str, name: str, content: str) -> PolicyDocument:
        """Put a config policy into the bundle of an organization, which is given by its slug."""
        document = PolicyDocument(name, content, self.clock(), self.me.id)
        self.organization(organization).policies.bundle[name] = document
        return document

    def context_by_id(self, id: str) -> Context | None:
        """Find a context."""
        found = (each.contexts[id] for each in self.organizations.values() if id in each.contexts)
        return next(found, None)

    def organization_by_id(self, id: str) -> Organization | None:
        """Find an organization."""
        return next((each for each in self.organizations.values() if each.id == id), None)

    def project_by_id(self, id: str) -> Project | None:
        """Find a project."""
        return next((each for each in self.projects.values() if each.id == id), None)

    def new_id(self) -> str:
        """Make an id, the next of the seed's row."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def new_opaque(self) -> str:
        """Make an id as it stands in the slugs of `circleci/...` organizations and projects."""
        return "".join(self.random.choices(string.ascii_letters + string.digits, k=22))

    def new_revision(self) -> str:
        """Make a commit's SHA."""
        return f"{self.random.getrandbits(160):040x}"


def canonical(slug: str, *, parts: int) -> str:
    """Write a slug as the API reports it (`github/…` is `gh/…`), or raise InvalidArgument."""
    kind, *names = slug.split("/")
    kind = _SHORT.get(kind, kind)
    if kind not in VCS_TYPES or len(names) != parts - 1 or not all(names) or {".", ".."} & set(names):
        raise InvalidArgument(f"slug: expected {'/'.join(('gh', 'acme', 'api')[:parts])} or the like, not {slug!r}")
    return "/".join((kind, *names))


def is_opaque(slug: str) -> bool:
    """Tell whether the parts of a `circleci/…` slug are ids, as they must be."""
    return all(_OPAQUE.fullmatch(part) for part in slug.split("/")[1:])
