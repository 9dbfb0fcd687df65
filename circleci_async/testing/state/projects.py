"""Projects: where pipelines are made."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from attrs import Factory, define, field

from ...errors import InvalidArgument
from .accounts import Organization, PipelineIndex, User
from .builds import Pipeline, PipelineError
from .checkout_keys import CheckoutKey, make_key
from .deploys import DeployComponent
from .environment_variables import EnvironmentVariable
from .events import EVENTS
from .jobs import Job
from .oidc import OidcClaimSet
from .pipeline_definitions import PipelineDefinition
from .policies import DecisionRecord, Verdict
from .recipes import DEFAULT, Recipe, as_yaml, recipe
from .schedules import Schedule
from .steps import Printed
from .webhooks import MOST, Webhook

if TYPE_CHECKING:
    from .world import World

# Pipelines made by hand are an hour old unless told otherwise, so that their jobs have ended by now.
_AGE = timedelta(hours=1)


def _settings(project: "Project") -> dict[str, bool | list[str]]:
    return {
        "autocancel_builds": True,
        "build_fork_prs": False,
        "build_prs_only": False,
        "disable_ssh": False,
        "forks_receive_secret_env_vars": False,
        "oss": False,
        "set_github_status": True,
        "setup_workflows": True,
        "write_settings_requires_admin": True,
        "pr_only_branch_overrides": [project.default_branch],
    }


@define(eq=False)
class Project:
    """A project; what it does when a pipeline is triggered is set with `on_trigger`."""

    world: "World" = field(repr=False)
    organization: Organization
    id: str
    slug: str
    name: str
    default_branch: str
    public: bool
    pipelines: PipelineIndex = field(default=Factory(PipelineIndex), repr=False)
    jobs: dict[int, Job] = field(factory=dict[int, Job], repr=False)
    workflow_names: set[str] = field(factory=set[str], repr=False)
    recipes: dict[str, Recipe] = field(factory=dict[str, Recipe], repr=False)
    config_error: str | None = None
    setup_error: str | None = None
    skipped: str | None = None
    settings: dict[str, bool | list[str]] = field(default=Factory(_settings, takes_self=True), repr=False)
    """The advanced settings, by name."""
    oidc: OidcClaimSet = field(factory=OidcClaimSet, repr=False)
    schedules: dict[str, Schedule] = field(factory=dict[str, Schedule], repr=False)
    webhooks: dict[str, Webhook] = field(factory=dict[str, Webhook], repr=False)
    definitions: dict[str, PipelineDefinition] = field(factory=dict[str, PipelineDefinition], repr=False)
    """The pipeline definitions, by id."""
    environment_variables: dict[str, EnvironmentVariable] = field(factory=dict[str, EnvironmentVariable], repr=False)
    checkout_keys: list[CheckoutKey] = field(factory=list[CheckoutKey], repr=False)
    deploy_components: dict[str, DeployComponent] = field(factory=dict[str, DeployComponent], repr=False)

    @property
    def vcs_url(self) -> str:
        """Where the repository would be."""
        if self.organization.vcs == "circleci":
            return f"//circleci.com/{self.organization.id}/{self.id}"
        host = {"github": "github.com", "bitbucket": "bitbucket.org"}[self.organization.vcs]
        return f"https://{host}/{self.organization.name}/{self.name}"

    @property
    def provider(self) -> str:
        """`GitHub`, `Bitbucket` or `CircleCI`."""
        return {"github": "GitHub", "bitbucket": "Bitbucket", "circleci": "CircleCI"}[self.organization.vcs]

    def next_job_number(self) -> int:
        """Give the number of the next job."""
        return len(self.jobs) + 1

    def pipeline(
        self,
        *,
        branch: str | None = None,
        tag: str | None = None,
        state: str = "created",
        created_at: datetime | None = None,
        actor: User | None = None,
        trigger_type: str = "webhook",
        revision: str | None = None,
        subject: str = "Change what had to be changed",
        parameters: Mapping[str, str | int | bool] | None = None,
        config: str | None = None,
        errors: Sequence[tuple[str, str]] = (),
        setup: bool = False,
    ) -> Pipeline:
        """Make a pipeline by hand; it counts as the newest, whatever its date.

        Without branch and tag it is on the default branch. `created_at` is an hour ago unless given. `actor` is who
        started it: the token's own user unless given. `errors` are pairs of type and message and make the state
        `errored`. With `setup=True` it waits in state `setup` for `POST /pipeline/continue` with its
        `continuation_key`.
        """
        if branch is not None and tag is not None:
            raise InvalidArgument("branch, tag: a pipeline has one of them, not both")
        world = self.world
        at = created_at or world.clock() - _AGE
        if at.tzinfo is None:
            raise InvalidArgument("created_at: expected an aware datetime")
        source = config if config is not None else as_yaml(self.recipe)
        pipeline = Pipeline(
            project=self,
            id=world.new_id(),
            number=len(self.pipelines.all) + 1,
            state="errored" if errors else "setup" if setup else state,
            branch=branch if branch or tag else self.default_branch,
            tag=tag,
            revision=revision or world.new_revision(),
            created_at=at,
            updated_at=at,
            trigger_type=trigger_type,
            actor=actor or world.me,
            subject=subject,
            parameters=dict(parameters or {}),
            config=source,
            setup_config=source if setup else None,
            continuation_key=world.new_id() if setup else None,
            errors=[PipelineError(*error) for error in errors],
        )
        for index in (self.pipelines, self.organization.pipelines, world.pipelines):
            index.add(pipeline)
        world.pipelines_by_id[pipeline.id] = pipeline
        if setup:
            world.continuations[pipeline.continuation_key] = pipeline
        return pipeline

    def webhook(
        self,
        url: str,
        *,
        secret: str = "",
        events: Sequence[str] = EVENTS,
        name: str = "by hand",
        verify_tls: bool = True,
        duplicates: int = 0,
    ) -> Webhook:
        """Make an outbound webhook, which a running server delivers to; `http` will do. A project has at most five.

        Deliveries are signed if there is a `secret`. `events` are some of `workflow-completed` and `job-completed`.
        Each event is sent `duplicates` more times after it was accepted.
        """
        if len(self.webhooks) >= MOST:
            raise InvalidArgument(f"webhook(): a project can't have more than {MOST}")
        if duplicates < 0:
            raise InvalidArgument(f"duplicates: expected a number of times, not {duplicates}")
        if not url.lower().startswith(("http://", "https://")):
            raise InvalidArgument("url: expected an address that begins with https:// or http://")
        if isinstance(events, str) or not events or not set(events) <= set(EVENTS):
            raise InvalidArgument(f"events: expected some of {', '.join(EVENTS)}, not {events!r}")
        now = self.world.clock()
        webhook = Webhook(
            id=self.world.new_id(),
            project=self,
            name=name,
            url=url,
            events=tuple(events),
            verify_tls=verify_tls,
            signing_secret=secret,
            created_at=now,
            updated_at=now,
            by_hand=True,
            duplicates=duplicates,
        )
        self.add_webhook(webhook)
        return webhook

    def add_webhook(self, webhook: Webhook) -> None:
        """Let a webhook be told of what ends from now on."""
        self.webhooks[webhook.id] = webhook
        for wake in self.world.deliverers:
            wake()

    def environment_variable(self, name: str, value: str) -> EnvironmentVariable:
        """Set an environment variable."""
        variable = EnvironmentVariable(name, value, self.world.clock())
        self.environment_variables[name] = variable
        return variable

    def checkout_key(self, type: str = "deploy-key") -> CheckoutKey:
        """Make a checkout key, a `deploy-key` or a `user-key`; code is checked out with the newest."""
        kind = f"{self.organization.vcs}-user-key" if type == "user-key" else type
        key = make_key(kind, self.world.clock(), self.world.random)
        self.checkout_keys.append(key)
        return key

    def deploy_component(self, name: str, *, labels: Mapping[str, str] | None = None) -> DeployComponent:
        """Make a component, which `version` deploys."""
        now = self.world.clock()
        component = DeployComponent(self, self.world.new_id(), name, dict(labels or {}), now, now)
        self.deploy_components[component.id] = component
        return component

    def decision(
        self,
        verdict: Verdict | None = None,
        *,
        branch: str | None = None,
        build_number: int | None = None,
        ssh_rerun: bool = False,
        created_at: datetime | None = None,
    ) -> DecisionRecord:
        """Log a decision of the organization's policies, as a pipeline of this project would.

        It is what `Organization.decide_with` says, unless a `verdict` is given. `created_at` is now unless given.
        """
        policies = self.organization.policies
        number = len(policies.decisions) + 1 if build_number is None else build_number
        vcs = {
            "branch": branch or self.default_branch,
            "origin_repository_url": self.vcs_url,
            "target_repository_url": self.vcs_url,
        }
        record = DecisionRecord(
            self.world.new_id(),
            created_at or self.world.clock(),
            policies.decide(verdict),
            {"build_number": number, "project_id": self.id, "ssh_rerun": ssh_rerun, "vcs": vcs},
            dict(policies.bundle),
        )
        policies.decisions.append(record)
        return record

    @property
    def recipe(self) -> Sequence[Recipe]:
        """What a triggered pipeline does, after its setup if it has one."""
        return tuple(each for each in self.recipes.values() if not each.setup) or (DEFAULT,)

    @property
    def setup_recipe(self) -> Sequence[Recipe]:
        """What a triggered pipeline does for its setup; nothing if it has none."""
        return tuple(each for each in self.recipes.values() if each.setup)

    def on_trigger(
        self,
        workflow: str = "build",
        jobs: Iterable[str] = ("lint", "test"),
        *,
        artifacts: Mapping[str, bytes | int] | None = None,
        output: Mapping[str, Printed] | None = None,
        error: str | None = None,
        setup: bool = False,
        workflow_delay: float = 0.0,
        creation_lag: float = 0.0,
    ) -> None:
        """Say what a triggered pipeline does; each further workflow name adds a workflow.

        `jobs` run side by side and succeed. `"hold:approval"` is an approval: it waits for all jobs before it, and all
        after it wait for it. `"test:failed"` ends with that status (`failed`, `timedout`, `infrastructure_fail`,
        `canceled`, `unauthorized`). Each build job leaves `artifacts`: bytes, or a number of bytes to generate.
        `output` is what jobs print in the step that does their work, by their names: text, or pairs of `out` or `err`
        and text; the others print something plausible.
        With `error` the config can't be used: the pipeline ends in state `errored`, with this message and no workflow.

        `setup=True`: this workflow is the pipeline's setup. The pipeline goes from `setup-pending` to `setup`; when the
        setup has succeeded it goes on by itself, after a while, with the other workflows, and takes `run_time` once
        more. If there is no other one, it waits for `POST /pipeline/continue` with its `continuation_key`.

        In seconds of the world's clock: `workflow_delay` passes between the creation of the pipeline (the end of its
        setup) and this workflow's appearance, `creation_lag` between the trigger and the time from which the pipeline
        is found by its id or number; before, it is 404.

        A project that was told nothing runs a workflow `build` of two jobs, `lint` and `test`, that succeed and leave
        one artifact each. Jobs whose name contains `test` have test results.
        """
        self.recipes[workflow] = recipe(
            workflow, jobs, artifacts, output, setup=setup, delay=workflow_delay, lag=creation_lag
        )
        if setup:
            self.setup_error = error
        else:
            self.config_error = error

    def skip_next_run(self, message: str = "The commit asks to be skipped.") -> None:
        """Let the next `POST .../pipeline/run` make no pipeline, as it does for a commit with `[skip ci]`.

        It is answered with this message and 200, where 201 would tell of a pipeline.
        """
        self.skipped = message
