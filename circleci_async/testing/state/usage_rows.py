"""The rows of usage exports: one for each job, with the columns of the real export."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from .builds import Job, Pipeline, Workflow
from .insights import job_runs
from .organizations import Repository
from .results import MIN_MEASURED, Utilization, operating_system, plausible_utilization
from .usage import Row

_NULL = r"\N"
_UNUSED = (
    *("DLC_CREDITS", "USER_CREDITS", "STORAGE_CREDITS", "NETWORK_CREDITS"),
    *("LEASE_CREDITS", "LEASE_OVERAGE_CREDITS", "IPRANGES_CREDITS"),
)
_SCHEDULED = "scheduled_pipeline"


def usage_rows(pipelines: Iterable[Pipeline], start: datetime, end: datetime) -> list[Row]:
    """Return a row for each ended job that started between `start` and `end`, oldest first."""
    pipelines = list(pipelines)
    last = _last_ends(pipelines)
    rows: list[tuple[datetime, str, Row]] = []
    projects: dict[str, Row] = {}
    for pipeline in pipelines:
        for workflow in pipeline.workflows:
            jobs = job_runs([workflow])
            selected = [(job.started_at, job) for job in jobs if job.started_at and start <= job.started_at <= end]
            if not selected:
                continue
            project = pipeline.project
            if project.id not in projects:
                projects[project.id] = _project(project, last[project.id])
            shared = {**projects[project.id], **_pipeline(pipeline), **_workflow(workflow, jobs)}
            rows += [(started_at, job.id, {**shared, **_job(job)}) for started_at, job in selected]
    return [row for _, _, row in sorted(rows, key=lambda each: each[:2])]


def _last_ends(pipelines: Sequence[Pipeline]) -> dict[str, datetime]:
    """Return the time at which the last job of each project ended, by its id."""
    last: dict[str, datetime] = {}
    for pipeline in pipelines:
        ends = [job.stopped_at for workflow in pipeline.workflows for job in workflow.jobs if job.stopped_at]
        if ends:
            id = pipeline.project.id
            last[id] = max(*ends, last.get(id, ends[0]))
    return last


def _project(project: Repository, last_end: datetime) -> Row:
    organization = project.organization
    return {
        "ORGANIZATION_ID": organization.id,
        "ORGANIZATION_NAME": organization.name,
        "ORGANIZATION_CREATED_DATE": _date(organization.created_at),
        "PROJECT_ID": project.id,
        "PROJECT_NAME": project.name,
        "PROJECT_CREATED_DATE": _date(project.created_at),
        "LAST_BUILD_FINISHED_AT": _time(last_end),
        "VCS_NAME": organization.vcs,
        "VCS_URL": project.vcs_url,
    }


def _pipeline(pipeline: Pipeline) -> Row:
    return {
        "VCS_BRANCH": pipeline.branch or _NULL,
        "PIPELINE_ID": pipeline.id,
        "PIPELINE_CREATED_AT": _time(pipeline.created_at),
        "PIPELINE_NUMBER": pipeline.number,
        "IS_UNREGISTERED_USER": "false",
        "PIPELINE_TRIGGER_SOURCE": pipeline.trigger_type,
        "PIPELINE_TRIGGER_USER_ID": _NULL if pipeline.trigger_type == _SCHEDULED else pipeline.actor.id,
    }


def _workflow(workflow: Workflow, jobs: Sequence[Job]) -> Row:
    return {
        "WORKFLOW_ID": workflow.id,
        "WORKFLOW_NAME": workflow.name,
        "WORKFLOW_FIRST_JOB_QUEUED_AT": _time(min((job.queued_at for job in jobs if job.queued_at), default=None)),
        "WORKFLOW_FIRST_JOB_STARTED_AT": _time(min(job.started_at for job in jobs if job.started_at)),
        "WORKFLOW_STOPPED_AT": _time(workflow.stopped_at),
        "IS_WORKFLOW_SUCCESSFUL": str(workflow.status == "success").lower() if workflow.ended else _NULL,
    }


def _job(job: Job) -> Row:
    cpu, ram = _utilization(job)
    return {
        "JOB_NAME": job.name,
        "JOB_RUN_NUMBER": _NULL if job.number is None else job.number,
        "JOB_ID": job.id,
        "JOB_RUN_DATE": _date(job.started_at),
        "JOB_RUN_QUEUED_AT": _time(job.queued_at),
        "JOB_RUN_STARTED_AT": _time(job.started_at),
        "JOB_RUN_STOPPED_AT": _time(job.stopped_at),
        "JOB_BUILD_STATUS": job.status,
        "RESOURCE_CLASS": job.resource_class,
        "OPERATING_SYSTEM": operating_system(job.executor),
        "EXECUTOR": job.executor,
        "PARALLELISM": job.parallelism,
        "JOB_RUN_SECONDS": round(job.duration or 0),
        "MEDIAN_CPU_UTILIZATION_PCT": cpu[0],
        "MAX_CPU_UTILIZATION_PCT": cpu[1],
        "MEDIAN_RAM_UTILIZATION_PCT": ram[0],
        "MAX_RAM_UTILIZATION_PCT": ram[1],
        "COMPUTE_CREDITS": job.credits,
        **dict.fromkeys(_UNUSED, 0),
        "TOTAL_CREDITS": job.credits,
    }


def _utilization(job: Job) -> tuple[Utilization | tuple[str, str], Utilization | tuple[str, str]]:
    """Return the CPU and the memory use of a job; null for one that ended before it was measured."""
    if job.cpu is None or job.ram is None:
        if (job.duration or 0) < MIN_MEASURED:
            unmeasured = (_NULL, _NULL)
            return job.cpu or unmeasured, job.ram or unmeasured
        cpu, ram = plausible_utilization(job.id)
        return job.cpu or cpu, job.ram or ram
    return job.cpu, job.ram


def _time(at: datetime | None) -> str:
    return _NULL if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _date(at: datetime | None) -> str:
    return _NULL if at is None else f"{at:%Y-%m-%d}"
