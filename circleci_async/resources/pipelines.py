"""The pipelines API, with waiting for the end of a pipeline and watching its changes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..core.paging import Page, Paged
from ..core.polling import Interval
from ..endpoints.pipelines import Parameters
from ..endpoints.pipelines import Pipelines as Endpoints
from ..endpoints.resource import Id, ProjectRef
from ..errors import InvalidArgument
from ..models.pipelines import PipelineCreated, Ref
from ..watching.arguments import GRACE, INTERVAL, HoldCallback, IfLost, OnHold, WaitOptions

if TYPE_CHECKING:
    from ..logs.failures import JobFailure
    from ..watching.canceling import PipelineCancellation
    from ..watching.results import PipelineResult, WorkflowResult
    from ..watching.wait import Wait
    from ..watching.watch import Watch


class Pipelines(Endpoints):
    """Pipelines: what a push, a schedule or an API call starts.

    The `state` of a pipeline describes its creation, not its builds: their result is in its workflows, which `wait` and
    `watch` evaluate.
    """

    async def trigger(
        self,
        project: ProjectRef,
        *,
        branch: str | None = None,
        tag: str | None = None,
        parameters: Parameters | None = None,
        if_lost: IfLost = "raise",
    ) -> PipelineCreated:
        """Start a pipeline for a branch or a tag, by default for the default branch.

        `POST /project/{project-slug}/pipeline`

        Not available for GitHub App, GitLab and Bitbucket Data Center projects; `run` works for all projects.
        `parameters` must be declared in the project's configuration. Not retried once the server may have received it,
        except after a 429.

        `if_lost="find"`: if the response is lost (connection cut, timeout, 5xx, unreadable body), poll `mine` for up to
        30 seconds, and return the pipeline that the API has triggered since for this user and branch or tag. The error
        is raised if there is none or more than one: its `candidates` has them. Takes one call more, before the trigger,
        which is never sent again. A pipeline that another program of the same user triggers at the same time cannot be
        distinguished.
        """
        from ..watching import lost_trigger  # only now: it loads the models of other groups

        return await lost_trigger.trigger(
            self._session, project, branch=branch, tag=tag, parameters=parameters, if_lost=if_lost
        )

    async def run(
        self,
        project: ProjectRef,
        *,
        definition_id: Id | None = None,
        config: Ref | Mapping[str, Any] | None = None,
        checkout: Ref | Mapping[str, Any] | None = None,
        parameters: Parameters | None = None,
        if_lost: IfLost = "raise",
    ) -> PipelineCreated:
        """Start a pipeline, in a project of any kind. Replaces `trigger`.

        `POST /project/{provider}/{organization}/{project}/pipeline/run`

        `definition_id`: a pipeline definition of the project. `config`, `checkout`: the revisions of the configuration
        and of the code, `Ref(branch=...)` or `Ref(tag=...)`. `parameters` must be declared in the configuration. Not
        retried once the server may have received it, except after a 429. `if_lost` is as in `trigger`; without
        `checkout`, pipelines of every branch and tag are candidates.

        Raises `NotCreated` if the server accepted the request without creating a pipeline, for example because the
        commit message contains `[skip ci]`.
        """
        from ..watching import lost_trigger  # only now: it loads the models of other groups

        return await lost_trigger.run(
            self._session,
            project,
            definition_id=definition_id,
            config=config,
            checkout=checkout,
            parameters=parameters,
            if_lost=if_lost,
        )

    async def wait(
        self,
        pipeline_id: Id,
        *,
        timeout: float | None = None,
        on_hold: OnHold | HoldCallback = "return",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
    ) -> "PipelineResult":
        """Wait until a pipeline has ended, and return its result: that of the newest workflow of each name.

        - `timeout`: seconds; None waits without a limit.
        - `on_hold`: "return" the result when only approvals are left, or "wait" for them. Or an async function that is
          called once with each job on hold, a `HeldJob` with `approve()`, while the wait continues. Its error ends the
          wait. At the end of the pipeline it has `grace` seconds to return, then it is cancelled.
        - `interval`: seconds to the second poll, and at most between polls.
        - `grace`: seconds for which the pipeline may be missing, may have no workflows before it counts as `not_run`,
          and may have only its setup workflow.

        All callers that wait for the same pipeline share its polls; an event passed to `CircleCI.notify` triggers one.
        A final state is confirmed by a second poll. Transient failures (no connection, 5xx, 429) are tolerated for two
        minutes.

        Raises `WaitTimeout`, whose `last` is the latest `PipelineResult`, and `NotFound` if the pipeline is missing
        after `grace`.
        """
        options = WaitOptions(timeout, interval, grace, on_hold)
        return await self._wait(pipeline_id, options).result()

    def watch(
        self,
        pipeline_id: Id,
        *,
        timeout: float | None = None,
        on_hold: OnHold = "wait",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
        jobs: bool = True,
    ) -> "Watch[PipelineResult]":
        """Iterate the changes of a pipeline until it has ended: its current state first, then each change once.

        A change concerns the pipeline, a workflow, or a job; `jobs=False` leaves out the jobs and the calls that they
        take. A pipeline on hold has not ended, unless `on_hold="return"`. The other arguments and the errors are those
        of `wait`. After the loop, `Watch.result` is the `PipelineResult`.

        To leave the loop early and stop the polling at once, wrap this in `contextlib.aclosing`.
        """
        options = WaitOptions(timeout, interval, grace, on_hold, jobs=jobs)
        from ..watching.watch import Watch  # only now: it loads the models of other groups

        return Watch(self._wait(pipeline_id, options))

    async def trigger_and_wait(
        self,
        project: ProjectRef,
        *,
        branch: str | None = None,
        tag: str | None = None,
        parameters: Parameters | None = None,
        definition_id: Id | None = None,
        if_lost: IfLost = "raise",
        timeout: float | None = None,
        on_hold: OnHold | HoldCallback = "return",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
    ) -> "PipelineResult":
        """Trigger a pipeline, wait until it has ended, and return its result.

        The pipeline is triggered by `trigger`, or by `run` if `definition_id` names one of the project's pipeline
        definitions; the branch or tag then selects both the configuration and the code. `timeout` starts with the call,
        but never interrupts the trigger itself, whose outcome would be unknown. `if_lost` is as in `trigger`, and the
        other arguments as in `wait`.

        Raises the errors of these methods, and `RateLimited` before anything is sent if a rate-limit pause outlasts
        `timeout`. An error during the wait carries `pipeline_id`; the pipeline itself continues.
        """
        options = WaitOptions(timeout, interval, grace, on_hold)
        from ..watching.triggering import trigger_and_wait  # only now: it loads the models of other groups

        return await trigger_and_wait(
            self._session,
            project,
            options,
            branch=branch,
            tag=tag,
            parameters=parameters,
            definition_id=definition_id,
            if_lost=if_lost,
        )

    async def cancel(
        self,
        pipeline_id: Id,
        *,
        timeout: float | None = None,
        interval: Interval = INTERVAL,
        grace: float = GRACE,
    ) -> "PipelineCancellation":
        """Cancel all workflows of a pipeline, including later ones, and wait until it has ended.

        The workflows that exist, on hold or not, are canceled at once, and later ones when a poll finds them, such as
        the continuation of a setup workflow. Each is canceled once. A workflow that ends meanwhile is not an error; a
        pipeline that had ended is returned unchanged, with nothing in `canceled`.

        It returns when all workflows have ended and no other one is expected: if it canceled any, 5 s after the last
        one (or `grace`, if that is less). `grace`: seconds for which the pipeline may be missing (at most 10), may have
        no workflows, and may have only its successful setup workflow. The other arguments, and how polls are shared and
        failures tolerated, are those of `wait`. Run it in a task to continue at once.

        Raises `NotFound` for an unknown id, and `WaitTimeout`, whose `last` is the latest `PipelineCancellation`; what
        was canceled stays canceled.
        """
        options = WaitOptions(timeout, interval, grace, "wait")
        from ..watching.canceling import cancel_pipeline  # only now: it loads the models of other groups

        return await cancel_pipeline(self._session, pipeline_id, options)

    def failures(
        self, result: "PipelineResult | WorkflowResult | Id", *, tail: int | None = 20, ansi: bool = False
    ) -> "Paged[JobFailure]":
        """Iterate `(workflow, job, output)` of each failed step of a pipeline: the last `tail` lines (None: all).

        `result` is the result of a wait, or the id of a pipeline, which can still be running. The newest workflow of
        each name counts. A step that failed on several nodes is yielded for each node.

        No failed job is left out: one without a failed step, because it failed before its first step or was not allowed
        to run, is yielded once, with its own name and status and no text. If an output or the steps of a job cannot be
        read, the item has the `error`; the others are not affected. Canceled jobs and approvals have not failed.

        The items come in one page: all outputs are read, several at once, before the first one is yielded. This makes
        the requests of `workflows.jobs` and `jobs.failed_output`.
        """
        from ..logs.failures import job_failures  # only now: it loads the models of other groups
        from ..logs.output import check_tail
        from ..models.newest_workflows import newest_of_each_name
        from ..watching.results import PipelineResult, WorkflowResult
        from ..watching.snapshot import in_order

        tail = check_tail("tail", tail)
        given: Any = result
        if not isinstance(given, PipelineResult | WorkflowResult | str | UUID):
            kind = type(given).__name__
            raise InvalidArgument(f"result must be the result of a wait, or the id of a pipeline, got {kind}")

        async def fetch(_: str | None) -> "Page[JobFailure]":
            if isinstance(result, PipelineResult):
                workflows = result.workflows
            elif isinstance(result, WorkflowResult):
                workflows = (result.workflow,)
            else:
                workflows = newest_of_each_name(in_order(await self.workflows(result).collect()))
            return Page(tuple(await job_failures(self._session, workflows, tail=tail, ansi=ansi)), None)

        return Paged(fetch)

    def _wait(self, pipeline_id: Id, options: WaitOptions) -> "Wait[PipelineResult]":
        from ..watching.wait import wait_for_pipeline  # only now: it loads the models of other groups

        return wait_for_pipeline(self._session, pipeline_id, options)
