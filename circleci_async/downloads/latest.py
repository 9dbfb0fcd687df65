"""The artifacts of the newest pipeline that succeeded: API v2 has no call for that."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any, NamedTuple, cast

from attrs import field, frozen

from ..core.fan_out import fan_out
from ..core.session import Session
from ..endpoints.artifacts import Artifacts
from ..endpoints.pipelines import Pipelines
from ..endpoints.resource import ProjectRef
from ..endpoints.workflows import Workflows
from ..errors import InvalidArgument
from ..globs import check_glob, is_plain, matches, matches_path
from ..models.artifacts import Artifact
from ..models.jobs import JobStatus, JobType
from ..models.newest_workflows import is_setup_finished, newest_of_each_name
from ..models.pipelines import Pipeline, PipelineState
from ..models.workflows import Workflow, WorkflowJob, WorkflowStatus

JOBS_AT_ONCE = 8
"""Jobs of a pipeline whose artifacts are listed at once."""


@frozen(kw_only=True)
class JobArtifacts:
    """What one job left, of what was asked for; at least one artifact."""

    workflow: Workflow
    job: WorkflowJob
    artifacts: tuple[Artifact, ...]


@frozen(kw_only=True)
class LatestArtifacts:
    """The artifacts of the newest pipeline that succeeded, as `artifacts.latest` finds them."""

    pipeline: Pipeline
    jobs: tuple[JobArtifacts, ...] = field(repr=False)
    """Which job left which artifacts."""

    @property
    def artifacts(self) -> list[Artifact]:
        """All of them: job by job, each in the order in which the API lists them. Never empty."""
        return [artifact for job in self.jobs for artifact in job.artifacts]


class Search(NamedTuple):
    """What is looked for; names and `path` are globs, and None asks for all."""

    branch: str | None
    tag: str | None
    workflow: str | None
    job: str | None
    path: str | None
    look_back: int

    def check(self) -> None:
        """Raise `InvalidArgument` for what can't be meant."""
        for name in ("branch", "tag", "workflow", "job", "path"):
            check_glob(name, getattr(self, name))
        if self.branch is not None and self.tag is not None:
            raise InvalidArgument(f"branch={self.branch!r}, tag={self.tag!r}: a pipeline has one of the two, not both")
        if type(self.look_back) is not int or self.look_back < 1:
            raise InvalidArgument(f"look_back={self.look_back!r}: give a number of pipelines, from 1")


async def find_latest(session: Session, project: ProjectRef, search: Search) -> LatestArtifacts | None:
    """Look at pipelines, newest first, until one succeeded and has what is looked for; None if none of them has."""
    search.check()
    branch = search.branch if is_plain(search.branch) else None
    listed = Pipelines(session).list(project, branch=branch)
    left = search.look_back
    async with aclosing(listed.pages()) as pages:
        async for page in pages:
            for pipeline in page.items[:left]:
                if _is_of_interest(pipeline, search, branch) and (jobs := await _found_in(session, pipeline, search)):
                    return LatestArtifacts(pipeline=pipeline, jobs=jobs)
            left -= len(page.items)
            if left <= 0:
                return None
    return None


def _is_of_interest(pipeline: Pipeline, search: Search, asked_for: str | None) -> bool:
    return (
        (asked_for is not None or matches(search.branch, revision(pipeline, "branch")))
        and matches(search.tag, revision(pipeline, "tag"))
        # What is left of a configuration that could not be used is half of a build; a workflow asked for stands alone.
        and (search.workflow is not None or pipeline.state != PipelineState.ERRORED)
    )


async def _found_in(session: Session, pipeline: Pipeline, search: Search) -> tuple[JobArtifacts, ...]:
    """Return what is looked for, if all that counts of this pipeline succeeded."""
    listed = await Pipelines(session).workflows(pipeline.id).empty_if_missing().collect()
    workflows = newest_of_each_name(each for each in listed if matches(search.workflow, each.name))
    if not succeeded(pipeline, workflows, is_all=search.workflow is None):
        return ()
    artifacts = Artifacts(session)

    async def find(at: "_Place") -> JobArtifacts:
        found = await artifacts.list(pipeline.project_slug, at.number).empty_if_missing().collect()
        wanted = tuple(each for each in found if matches_path(search.path, each.path))
        return JobArtifacts(workflow=at.workflow, job=at.job, artifacts=wanted)

    found: list[tuple[int, JobArtifacts]] = []
    places = _jobs_of(session, workflows, search.job)
    async with aclosing(fan_out(places, find, concurrency=JOBS_AT_ONCE)) as outcomes:
        async for at, outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
            if outcome.artifacts:
                found.append((at.order, outcome))
    return tuple(job for _, job in sorted(found, key=lambda each: each[0]))


class _Place(NamedTuple):
    order: int
    number: int
    workflow: Workflow
    job: WorkflowJob


async def _jobs_of(session: Session, workflows: Iterable[Workflow], glob: str | None) -> AsyncGenerator[_Place]:
    """Iterate the jobs that ran, and succeeded, and fit."""
    order = 0
    for workflow in workflows:
        for job in await Workflows(session).jobs(workflow.id).empty_if_missing().collect():
            ran = job.job_number is not None and job.type != JobType.APPROVAL
            if ran and job.status == JobStatus.SUCCESS and matches(glob, job.name):
                yield _Place(order, job.job_number or 0, workflow, job)
                order += 1


def succeeded(pipeline: Pipeline, newest: Iterable[Workflow], *, is_all: bool) -> bool:
    """Say whether these workflows, each the newest of its name, are there and succeeded.

    `is_all`: whether they are all of the pipeline. Then a setup workflow alone is not enough while its continuation is
    still to come; a setup configuration has just one workflow.
    """
    workflows = list(newest)
    if is_all and (
        pipeline.state == PipelineState.ERRORED or (not is_setup_finished(pipeline) and len(workflows) == 1)
    ):
        return False
    return bool(workflows) and all(each.status == WorkflowStatus.SUCCESS for each in workflows)


def revision(pipeline: Pipeline, kind: str) -> str | None:
    """Return the `branch` or the `tag` of a pipeline; where there is no `vcs`, the provider's own words tell."""
    if pipeline.vcs is not None:
        found: object = getattr(pipeline.vcs, kind)
        return found if isinstance(found, str) else None
    for parameters in (pipeline.trigger_parameters or {}).values():
        found = cast(dict[str, Any], parameters).get(kind) if isinstance(parameters, dict) else None
        if isinstance(found, str) and found:
            return found
    return None
