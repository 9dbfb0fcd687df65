"""The rows of usage exports: one for each job."""

from collections.abc import Iterable
from datetime import datetime

from .builds import Job, Pipeline
from .usage import Row


def usage_rows(pipelines: Iterable[Pipeline], start: datetime, end: datetime) -> list[Row]:
    """Return a row for each ended job that started between `start` and `end`, oldest first."""
    jobs = [
        (job.started_at, job.id, job)
        for pipeline in pipelines
        for workflow in pipeline.workflows
        for job in workflow.own_jobs
        if job.stopped_at is not None and job.started_at is not None and start <= job.started_at <= end
    ]
    return [_row(job) for _, _, job in sorted(jobs, key=lambda each: each[:2])]


def _row(job: Job) -> Row:
    pipeline = job.workflow.pipeline
    project = pipeline.project
    return {
        "ORGANIZATION_ID": project.organization.id,
        "ORGANIZATION_NAME": project.organization.name,
        "PROJECT_ID": project.id,
        "PROJECT_NAME": project.name,
        "VCS_NAME": project.organization.vcs,
        "VCS_URL": project.vcs_url,
        "VCS_BRANCH": pipeline.branch or "",
        "PIPELINE_ID": pipeline.id,
        "PIPELINE_NUMBER": pipeline.number,
        "PIPELINE_CREATED_AT": _time(pipeline.created_at),
        "PIPELINE_TRIGGER_SOURCE": pipeline.trigger_type,
        "WORKFLOW_ID": job.workflow.id,
        "WORKFLOW_NAME": job.workflow.name,
        "JOB_ID": job.id,
        "JOB_NAME": job.name,
        "JOB_RUN_NUMBER": job.number,
        "JOB_RUN_DATE": "" if job.started_at is None else f"{job.started_at:%Y-%m-%d}",
        "JOB_RUN_STARTED_AT": _time(job.started_at),
        "JOB_RUN_STOPPED_AT": _time(job.stopped_at),
        "JOB_BUILD_STATUS": job.status,
        "RESOURCE_CLASS": job.resource_class,
        "EXECUTOR": job.executor,
        "PARALLELISM": job.parallelism,
        "JOB_RUN_SECONDS": round(job.duration or 0),
        "COMPUTE_CREDITS": job.credits,
        "TOTAL_CREDITS": job.credits,
    }


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
