"""Find the artifacts of the newest successful pipeline, for which API v2 has no call."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import NamedTuple

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
from ..models.newest_workflows import newest_of_each_name, succeeded
from ..models.pipelines import Pipeline, PipelineState
from ..models.workflows import Workflow, WorkflowJob

__all__ = ["JobArtifacts", "LatestArtifacts"]

JOBS_AT_ONCE = 8
"""Jobs of a pipeline whose artifacts are listed concurrently."""


@frozen(kw_only=True)
class JobArtifacts:
    """The matching artifacts of one job; at least one."""

    workflow: Workflow
    job: WorkflowJob
    artifacts: tuple[Artifact, ...]


@frozen(kw_only=True)
class LatestArtifacts:
    """The artifacts of the newest successful pipeline, as `artifacts.latest` returns them."""

    pipeline: Pipeline
    jobs: tuple[JobArtifacts, ...] = field(repr=False)
    """The artifacts by job."""

    @property
    def artifacts(self) -> list[Artifact]:
        """All artifacts: job by job, each in the order of the API. Never empty."""
        return [artifact for job in self.jobs for artifact in job.artifacts]


class Search(NamedTuple):
    """The criteria of `artifacts.latest`. Names and `path` are globs; None matches all."""

    branch: str | None
    tag: str | None
    workflow: str | None
    job: str | None
    path: str | None
    look_back: int

    def check(self) -> None:
        """Raise `InvalidArgument` for criteria that are invalid."""
        for name in ("branch", "tag", "workflow", "job", "path"):
            check_glob(name, getattr(self, name))
        if self.branch is not None and self.tag is not None:
            raise InvalidArgument(f"branch and tag cannot be combined, got branch={self.branch!r}, tag={self.tag!r}")
        if type(self.look_back) is not int or self.look_back < 1:
            raise InvalidArgument(f"look_back must be a positive number of pipelines, got {self.look_back!r}")


async def find_latest(session: Session, project: ProjectRef, search: Search) -> LatestArtifacts | None:
    """Check pipelines, newest first, until one succeeded and has matching artifacts; None if there is none."""
    search.check()
    branch = search.branch if is_plain(search.branch) else None
    listed = Pipelines(session).list(project, branch=branch)
    left = search.look_back
    async with aclosing(listed.pages()) as pages:
        async for page in pages:
            for pipeline in page.items[:left]:
                if _is_candidate(pipeline, search, branch) and (jobs := await _matching(session, pipeline, search)):
                    return LatestArtifacts(pipeline=pipeline, jobs=jobs)
            left -= len(page.items)
            if left <= 0:
                return None
    return None


def _is_candidate(pipeline: Pipeline, search: Search, filtered_branch: str | None) -> bool:
    return (
        (filtered_branch is not None or matches(search.branch, pipeline.branch))
        and matches(search.tag, pipeline.tag)
        # A pipeline with an invalid configuration can lack workflows; with `workflow`, only the matching ones count.
        and (search.workflow is not None or pipeline.state != PipelineState.ERRORED)
    )


async def _matching(session: Session, pipeline: Pipeline, search: Search) -> tuple[JobArtifacts, ...]:
    """Return the matching artifacts of a pipeline by job, if all its workflows that count succeeded."""
    listed = await Pipelines(session).workflows(pipeline.id).empty_if_missing().collect()
    workflows = newest_of_each_name(each for each in listed if matches(search.workflow, each.name))
    if not succeeded(pipeline, workflows, is_all=search.workflow is None):
        return ()
    artifacts = Artifacts(session)

    async def find(candidate: "_Candidate") -> JobArtifacts:
        found = await artifacts.list(pipeline.project_slug, candidate.number).empty_if_missing().collect()
        matching = tuple(each for each in found if matches_path(search.path, each.path))
        return JobArtifacts(workflow=candidate.workflow, job=candidate.job, artifacts=matching)

    found: list[tuple[int, JobArtifacts]] = []
    candidates = _candidates(session, workflows, search.job)
    async with aclosing(fan_out(candidates, find, concurrency=JOBS_AT_ONCE)) as outcomes:
        async for candidate, outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
            if outcome.artifacts:
                found.append((candidate.position, outcome))
    return tuple(job for _, job in sorted(found, key=lambda each: each[0]))


class _Candidate(NamedTuple):
    position: int
    number: int
    workflow: Workflow
    job: WorkflowJob


async def _candidates(session: Session, workflows: Iterable[Workflow], glob: str | None) -> AsyncGenerator[_Candidate]:
    """Iterate the matching jobs that ran and succeeded."""
    position = 0
    for workflow in workflows:
        for job in await Workflows(session).jobs(workflow.id).empty_if_missing().collect():
            ran = job.job_number is not None and job.type != JobType.APPROVAL
            if ran and job.status == JobStatus.SUCCESS and matches(glob, job.name):
                yield _Candidate(position, job.job_number or 0, workflow, job)
                position += 1
