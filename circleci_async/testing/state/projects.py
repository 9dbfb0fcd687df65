"""Projects: settings, and the methods that create pipelines and webhooks."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import Factory, define, field

from ...errors import InvalidArgument
from .builds import Job, Pipeline
from .organizations import DecisionRecord, OidcClaimSet, Repository, Verdict
from .project_records import (
    CheckoutKey,
    DeployComponent,
    EnvironmentVariable,
    PipelineDefinition,
    PipelineIndex,
    Schedule,
    make_key,
)
from .registry import User
from .results import PipelineError
from .script import DEFAULT, Recipe, as_yaml, recipe
from .steps import Printed
from .webhooks import EVENTS, MAX_WEBHOOKS, Webhook

# The default age of a pipeline that `Project.pipeline` creates: its jobs have ended by now.
_AGE = timedelta(hours=1)


def _settings(project: Repository) -> dict[str, bool | list[str]]:
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
class Project(Repository):
    """A project. `on_trigger` sets what a triggered pipeline does."""

    pipelines: PipelineIndex = field(default=Factory(PipelineIndex), repr=False)
    jobs: dict[int, Job] = field(factory=dict[int, Job], repr=False)
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
    def workflow_names(self) -> set[str]:
        """The names of all workflows that ran."""
        return {workflow.name for pipeline in self.pipelines.all for workflow in pipeline.workflows}

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
        """Create a pipeline without running it. It becomes the newest one, independent of its date.

        Without branch and tag it is on the default branch. `created_at` defaults to an hour ago, `actor` to the user of
        the token. `errors` are pairs of type and message, and set the state to `errored`. With `setup=True` its state
        is `setup` until `POST /pipeline/continue` with its `continuation_key`.
        """
        if branch is not None and tag is not None:
            raise InvalidArgument("branch and tag cannot be combined")
        world = self.world
        at = created_at or world.clock() - _AGE
        if at.tzinfo is None:
            raise InvalidArgument(f"created_at must be an aware datetime, got {at!r}")
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
        self.pipelines.add(pipeline)
        world.add(pipeline)
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
        """Create an outbound webhook; a running server delivers its events. A project has at most five.

        `url` is an `https` or `http` URL. Deliveries are signed if there is a `secret`. `events` are one or both of
        `workflow-completed` and `job-completed`. Each event is sent `duplicates` more times after it was accepted.
        """
        if len(self.webhooks) >= MAX_WEBHOOKS:
            raise InvalidArgument(f"a project can have at most {MAX_WEBHOOKS} webhooks: delete one first")
        if duplicates < 0:
            raise InvalidArgument(f"duplicates must be 0 or more, got {duplicates}")
        if not url.lower().startswith(("http://", "https://")):
            raise InvalidArgument("url must start with https:// or http://")
        if isinstance(events, str) or not events or not set(events) <= set(EVENTS):
            raise InvalidArgument(f"events must be one or more of {', '.join(EVENTS)}, got {events!r}")
        now = self.world.clock()
        webhook = Webhook(
            world=self.world,
            project_id=self.id,
            id=self.world.new_id(),
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
        """Add a webhook, which receives the events from now on."""
        self.webhooks[webhook.id] = webhook
        self.world.notify()

    def environment_variable(self, name: str, value: str) -> EnvironmentVariable:
        """Set an environment variable."""
        variable = EnvironmentVariable(name, value, self.world.clock())
        self.environment_variables[name] = variable
        return variable

    def checkout_key(self, type: str = "deploy-key") -> CheckoutKey:
        """Create a checkout key, a `deploy-key` or a `user-key`. The newest key is the preferred one."""
        kind = f"{self.organization.vcs}-user-key" if type == "user-key" else type
        key = make_key(kind, self.world.clock(), self.world.random)
        self.checkout_keys.append(key)
        return key

    def deploy_component(self, name: str, *, labels: Mapping[str, str] | None = None) -> DeployComponent:
        """Create a component. Its method `version` deploys it."""
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

        `verdict` defaults to the one set by `Organization.decide_with`, `created_at` to now.
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
        """The workflows of a triggered pipeline, its setup excluded."""
        return tuple(each for each in self.recipes.values() if not each.setup) or (DEFAULT,)

    @property
    def setup_recipe(self) -> Sequence[Recipe]:
        """The setup workflows of a triggered pipeline."""
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
        """Set what a triggered pipeline does. Each further workflow name adds a workflow.

        `jobs` run in parallel and succeed. `"hold:approval"` is an approval: it waits for all jobs before it, and all
        jobs after it wait for it. `"test:failed"` ends with that status (`failed`, `timedout`, `infrastructure_fail`,
        `canceled`, `unauthorized`). Each build job uploads `artifacts`: bytes, or a number of bytes to generate.
        `output` maps job names to the output of their main step: text, or pairs of `out` or `err` and text; it defaults
        to generated text. With `error` the config is invalid: the pipeline ends in state `errored`, with this message
        and without workflows.

        `setup=True`: this workflow is the pipeline's setup. The pipeline changes from `setup-pending` to `setup`. When
        the setup has succeeded, the other workflows start without a call, and take `run_time` again. Without other
        workflows, the pipeline waits for `POST /pipeline/continue` with its `continuation_key`.

        `workflow_delay` and `creation_lag` are seconds of the world's clock: this workflow is created `workflow_delay`
        after the pipeline (or after the end of its setup); the id and number of the pipeline answer 404 until
        `creation_lag` after the trigger.

        By default, a project runs one workflow `build` of two jobs, `lint` and `test`, which succeed and upload one
        artifact each. Jobs whose name contains `test` have test results.
        """
        self.recipes[workflow] = recipe(
            workflow, jobs, artifacts, output, setup=setup, delay=workflow_delay, lag=creation_lag
        )
        if setup:
            self.setup_error = error
        else:
            self.config_error = error

    def skip_next_run(self, message: str = "The commit asks to be skipped.") -> None:
        """Make the next `POST .../pipeline/run` create no pipeline, as for a commit with `[skip ci]`.

        The answer is this message with status 200 instead of 201.
        """
        self.skipped = message
