"""What discovery walks through, and the lists of it as the ledger records them."""

from datetime import datetime
from typing import NamedTuple

from ..models.pipelines import Pipeline
from ..models.workflows import Workflow
from .layout import JobRef, PipelineRef
from .ledger.records import ListedJob, Listing
from .ledger.values import valid_text


class WorkflowRef(NamedTuple):
    """The properties of a workflow that discovery needs."""

    project: str
    pipeline: int
    id: str
    name: str
    is_finished: bool
    origin: PipelineRef = PipelineRef()


def pipeline_ref(pipeline: Pipeline) -> PipelineRef:
    """Return what files are described with, as text that the ledger accepts."""
    branch, tag, revision = (text and valid_text(text) for text in (pipeline.branch, pipeline.tag, pipeline.revision))
    return PipelineRef(valid_text(pipeline.id), pipeline.created_at, branch, tag, revision)


def pipelines_of(project: str, since: datetime | None) -> Listing:
    """Return the list of the pipelines of a project."""
    return Listing("pipelines", project, "", project, [since and since.isoformat()])


def begin_of(listing: Listing) -> datetime | None:
    """Return the start date of a list of pipelines; None if it has none, or the recorded one is invalid."""
    try:
        begin = datetime.fromisoformat(*listing.detail)
    except (TypeError, ValueError):
        return None
    return begin if begin.tzinfo else None


def workflows_listing(project: str, pipeline: Pipeline) -> Listing:
    """Return the list of the workflows of a pipeline."""
    return Listing("workflows", project, pipeline.id, f"pipeline {pipeline.number} of {project}", [pipeline.id])


def jobs_listing(workflow: WorkflowRef) -> Listing:
    """Return the list of the jobs of a workflow."""
    project, pipeline, id, name, *_ = workflow
    return Listing("jobs", project, id, f"workflow {name} of pipeline {pipeline} of {project}", [pipeline, id, name])


def files_listing(job: JobRef, *, is_finished: bool) -> Listing:
    """Return the list of the files of a job, of one kind."""
    name = f"job {job.number} ({job.job}) of {job.project}"
    return Listing(job.kind, job.project, str(job.number), name, [*job[1:5], is_finished])


def workflow_ref(project: str, pipeline: Pipeline, workflow: Workflow) -> WorkflowRef:
    """Return what is needed of a workflow."""
    return WorkflowRef(
        project, pipeline.number, workflow.id, workflow.name, workflow.is_finished, pipeline_ref(pipeline)
    )


def job_ref(workflow: WorkflowRef, job: ListedJob) -> JobRef:
    """Return what is needed of a job."""
    return JobRef(workflow.project, workflow.pipeline, workflow.name, job.name, job.number, workflow.origin)
