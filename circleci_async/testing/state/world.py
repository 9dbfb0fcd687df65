"""The state of an embedded CircleCI: its users, organizations, projects and builds."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from ...errors import InvalidArgument
from .builds import Job, Pipeline, Workflow
from .generate import PROJECT_NAMES, populate
from .history import Regression, populate_history
from .organizations import VCS_TYPES, Context, DeployEnvironment, Organization, PolicyDocument
from .project_records import PipelineIndex
from .projects import Project
from .registry import Registry, User, utc_now
from .usage import UsageExport
from .usage_rows import usage_rows
from .webhooks import event_type, is_completion

_SHORT = {"github": "gh", "bitbucket": "bb"}
_OPAQUE = re.compile(r"[0-9A-Za-z]{21,22}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class World(Registry):
    """The state of an embedded CircleCI.

    It is created record by record, by `World.generate`, by `World.history` or by `example_world`.

    Every method that creates a record returns it, and each record creates the ones that belong to it:
    `world.project("gh/acme/api").pipeline(branch="main").workflow("build").job("test").artifact("a.txt", b"...")`.
    Records can be changed at any time, also between requests. Ids depend only on `seed` and the order of the calls.

    `clock` returns the current time as an aware datetime; replace it to test waits without delays.
    """

    def __init__(self, *, seed: int = 0, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(seed=seed, clock=clock)
        self.organizations: dict[str, Organization] = {}
        self.projects: dict[str, Project] = {}
        self.pipelines: PipelineIndex = PipelineIndex()
        self.organization_pipelines: defaultdict[str, PipelineIndex] = defaultdict(PipelineIndex)
        """The pipelines of each organization, by its id."""
        self.pipelines_by_id: dict[str, Pipeline] = {}
        self.continuations: dict[str | None, Pipeline] = {}
        self.workflows: dict[str, Workflow] = {}
        self.jobs: dict[str, Job] = {}
        self.regression: Regression | None = None
        """What became worse in the world of `World.history`."""

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
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Create a realistic world: some weeks of work of one organization.

        It has `projects` projects of `gh/acme` with `pipelines` pipelines each. Their workflows have jobs that
        succeeded, failed, were canceled or wait for approval, and flaky tests. The newest pipeline of each project is
        on the default branch, and its jobs have `artifacts` artifacts of `artifact_sizes` (minimum and maximum bytes);
        older pipelines have a few. Most contents are generated while they are read.

        The same seed and numbers create the same world, ids and bytes included. Dates end at `now`, which defaults to
        the clock's time.
        """
        world = cls(seed=seed, clock=clock)
        people, created = world._populated(projects)
        populate(created, people, pipelines, artifacts, artifact_sizes, now or clock())
        return world

    @classmethod
    def history(
        cls,
        *,
        seed: int = 0,
        projects: int = 4,
        days: int = 90,
        runs: int = 2_000,
        regression: bool = True,
        now: datetime | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Create the history of an organization for insights and usage exports.

        It has `projects` projects of `gh/acme` with about `runs` runs of workflows in `days` days, the most in the
        first project. Weekdays are busy, from 7 to 19 o'clock UTC. Each project has the workflows `build-and-test`,
        `deploy` and `nightly` on the default branch and feature branches, flaky tests, and jobs of several resource
        classes. The job `e2e` of the few runs of `nightly` uses the most credits. Jobs of the class `large` wait for
        minutes at nine o'clock on weekdays, and use less than half of their CPU and memory.

        With `regression=True`, a workflow fails more often and a job takes longer in the last 30 days; see the
        attribute `regression`. Insights drop runs after 90 days; see `insights_retention`.

        The same seed, numbers and `now` create the same world, ids included. Dates end at `now`, which defaults to the
        clock's time.
        """
        for name, value, minimum in (("projects", projects, 0), ("days", days, 1), ("runs", runs, 0)):
            if value < minimum:
                raise InvalidArgument(f"{name} must be an integer of at least {minimum}, got {value}")
        end = now or clock()
        if end.tzinfo is None:
            raise InvalidArgument(f"now must be an aware datetime, got {end!r}")
        world = cls(seed=seed, clock=clock)
        people, created = world._populated(projects)
        world.insights_retention = timedelta(days=90)
        world.regression = populate_history(created, people, days, runs, end, regression=regression)
        return world

    def _populated(self, projects: int) -> tuple[list[User], list[Project]]:
        """Create the people and the projects of a generated world."""
        people = [self.me, self.user("ada", name="Ada"), self.user("grace", name="Grace"), self.user("release-bot")]
        names = [PROJECT_NAMES[n] if n < len(PROJECT_NAMES) else f"service-{n}" for n in range(projects)]
        return people, [self.project(f"gh/acme/{name}") for name in names]

    def add(self, record: object) -> None:
        """Index a record."""
        match record:
            case Pipeline():
                self.pipelines_by_id[record.id] = record
                self.pipelines.add(record)
                self.organization_pipelines[record.project.organization.id].add(record)
                if record.continuation_key is not None:
                    self.continuations[record.continuation_key] = record
            case Workflow():
                self.workflows[record.id] = record
            case Job():
                if (project := self._project_of(record)) is not None:
                    self.jobs[record.id] = record
                    if record.number is not None:
                        project.jobs[record.number] = record
            case _:
                raise TypeError(f"record must be a Pipeline, Workflow or Job, got {type(record).__name__}")

    def changed(self, record: object, status: str) -> None:
        """Queue the webhook events of a changed status, if a server runs."""
        if not self.listeners or not isinstance(record, Workflow | Job) or not is_completion(record, status):
            return
        if (project := self._project_of(record)) is not None:
            for webhook in project.webhooks.values():
                if event_type(record) in webhook.events:
                    webhook.enqueue(record, status)

    def _project_of(self, record: Workflow | Job) -> Project | None:
        """Return the project of a record; None if it was deleted, even if another one has its slug now."""
        project = self.projects.get(record.project.slug)
        return project if project is record.project else None

    def organization(self, slug: str) -> Organization:
        """Return the organization with a slug such as `gh/acme`, created if missing."""
        slug = canonical(slug, parts=2)
        if slug not in self.organizations:
            self.organizations[slug] = Organization(self.new_id(), slug, slug.partition("/")[2])
        return self.organizations[slug]

    def project(
        self, slug: str, *, name: str | None = None, default_branch: str = "main", public: bool = False
    ) -> Project:
        """Create a project, and its organization if missing: `gh/acme/api`, `bb/…`, `circleci/<opaque>/<opaque>`.

        `name` defaults to the last part of the slug. A `public` project can be read without a token.
        """
        slug = canonical(slug, parts=3)
        if slug in self.projects:
            raise InvalidArgument(f"slug: project {slug!r} already exists: use World.projects[{slug!r}]")
        org_slug, _, last = slug.rpartition("/")
        organization = self.organization(org_slug)
        project = Project(self, organization, self.new_id(), slug, name or last, default_branch, public)
        self.projects[slug] = project
        return project

    def projects_of(self, organization: Organization) -> Sequence[Project]:
        """Return the projects of an organization."""
        return [project for project in self.projects.values() if project.organization is organization]

    def delete_organization(self, organization: Organization) -> None:
        """Delete an organization and its projects."""
        for project in self.projects_of(organization):
            self.delete_project(project)
        del self.organizations[organization.slug]

    def delete_project(self, project: Project) -> None:
        """Delete a project and its builds."""
        del self.projects[project.slug]
        for pipeline in project.pipelines.all:
            del self.pipelines_by_id[pipeline.id]
            self.continuations.pop(pipeline.continuation_key, None)
            for workflow in pipeline.workflows:
                del self.workflows[workflow.id]
                for job in workflow.jobs:
                    self.jobs.pop(job.id, None)  # a rerun lists the jobs that it kept a second time
        for index in (self.pipelines, self.organization_pipelines[project.organization.id]):
            index.remove(project)

    def context(self, organization: str, name: str) -> Context:
        """Create a context of an organization, given by its slug and created if missing."""
        owner = self.organization(organization)
        context = Context(self, owner.id, self.new_id(), name, self.clock())
        owner.contexts[context.id] = context
        return context

    def deploy_environment(
        self, organization: str, name: str, *, description: str = "", labels: Mapping[str, str] | None = None
    ) -> DeployEnvironment:
        """Create an environment of an organization, given by its slug and created if missing.

        `Project.deploy_component` creates the components to deploy.
        """
        now = self.clock()
        environment = DeployEnvironment(self.new_id(), name, description, dict(labels or {}), now, now)
        self.organization(organization).deploy_environments[environment.id] = environment
        return environment

    def policy(self, organization: str, name: str, content: str) -> PolicyDocument:
        """Add a config policy to the bundle of an organization, given by its slug."""
        document = PolicyDocument(name, content, self.clock(), self.me.id)
        self.organization(organization).policies.bundle[name] = document
        return document

    def export_usage(self, organizations: Sequence[Organization], start: datetime, end: datetime) -> UsageExport:
        """Start a usage export of the first organization, which includes the others."""

        def rows() -> Sequence[Mapping[str, object]]:
            indexes = (self.organization_pipelines[organization.id] for organization in organizations)
            return usage_rows((pipeline for index in indexes for pipeline in index.all), start, end)

        return organizations[0].usage.create(self.new_id(), rows, start, end, self.clock())

    def organization_by_id(self, id: str) -> Organization | None:
        """Return an organization, or None."""
        return next((each for each in self.organizations.values() if each.id == id), None)

    def project_by_id(self, id: str) -> Project | None:
        """Return a project, or None."""
        return next((each for each in self.projects.values() if each.id == id), None)


def canonical(slug: str, *, parts: int) -> str:
    """Return a slug in the form that the API reports (`gh/…` for `github/…`). Raises InvalidArgument."""
    kind, *names = slug.split("/")
    kind = _SHORT.get(kind, kind)
    if kind not in VCS_TYPES or len(names) != parts - 1 or not all(names) or {".", ".."} & set(names):
        example = "/".join(("gh", "acme", "api")[:parts])
        raise InvalidArgument(f"slug {slug!r} is invalid: expected a slug such as {example!r}")
    return "/".join((kind, *names))


def is_opaque(slug: str) -> bool:
    """Return whether the parts of a `circleci/…` slug are ids."""
    return all(_OPAQUE.fullmatch(part) for part in slug.split("/")[1:])
