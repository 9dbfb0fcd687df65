"""JSON bodies of the records that several groups return."""

from ..server.calls import without_none
from ..state.builds import Artifact, Job, Pipeline, Workflow
from ..state.organizations import Organization
from ..state.projects import Project
from ..state.registry import Json, User, timestamp
from ..state.results import WAITING, JobTest


def user(user: User) -> Json:
    """Describe a user."""
    return {"id": user.id, "login": user.login, "name": user.name, "avatar_url": user.avatar_url}


def collaboration(organization: Organization) -> Json:
    """Describe an organization that the user belongs to."""
    return {
        "id": organization.id,
        "vcs_type": organization.vcs,
        "name": organization.name,
        "avatar_url": f"https://avatars.githubusercontent.com/{organization.name}",
        "slug": organization.slug,
    }


def project(project: Project) -> Json:
    """Describe a project."""
    return {
        "slug": project.slug,
        "name": project.name,
        "id": project.id,
        "organization_name": project.organization.name,
        "organization_slug": project.organization.slug,
        "organization_id": project.organization.id,
        "vcs_info": {
            "vcs_url": project.vcs_url,
            "provider": project.provider,
            "default_branch": project.default_branch,
        },
    }


def pipeline(pipeline: Pipeline) -> Json:
    """Describe a pipeline."""
    project = pipeline.project
    created = timestamp(pipeline.created_at)
    body: Json = {
        "id": pipeline.id,
        "errors": [{"type": error.type, "message": error.message} for error in pipeline.errors],
        "project_slug": project.slug,
        "updated_at": timestamp(pipeline.updated_at),
        "number": pipeline.number,
        "state": pipeline.state,
        "created_at": created,
        "trigger": {
            "type": pipeline.trigger_type,
            "received_at": created,
            "actor": {"login": pipeline.actor.login, "avatar_url": pipeline.actor.avatar_url},
        },
    }
    where = {"tag": pipeline.tag} if pipeline.branch is None else {"branch": pipeline.branch}
    if project.organization.vcs == "circleci":
        body["trigger_parameters"] = {"git": {**where, "checkout_sha": pipeline.revision}}
    else:
        body["vcs"] = {
            "provider_name": project.provider,
            "target_repository_url": project.vcs_url,
            **where,
            "revision": pipeline.revision,
            "commit": {"subject": pipeline.subject, "body": ""},
            "origin_repository_url": project.vcs_url,
        }
    return body


def pipeline_creation(pipeline: Pipeline) -> Json:
    """Describe a triggered pipeline."""
    return {
        "id": pipeline.id,
        "state": pipeline.state,
        "number": pipeline.number,
        "created_at": timestamp(pipeline.created_at),
    }


def pipeline_config(pipeline: Pipeline) -> Json:
    """Describe a pipeline's configuration."""
    body = {"source": pipeline.config, "compiled": f"# compiled\n{pipeline.config}"}
    if pipeline.setup_config is not None:
        body["setup_config"] = pipeline.setup_config
        body["compiled_setup_config"] = f"# compiled\n{pipeline.setup_config}"
    return body


def pipeline_values(pipeline: Pipeline) -> Json:
    """Describe a pipeline's values, by their names in a config file."""
    where = {"pipeline.git.tag": pipeline.tag} if pipeline.branch is None else {"pipeline.git.branch": pipeline.branch}
    return {
        "pipeline.id": pipeline.id,
        "pipeline.number": pipeline.number,
        "pipeline.project.git_url": pipeline.project.vcs_url,
        "pipeline.project.type": pipeline.project.organization.vcs,
        **where,
        "pipeline.git.revision": pipeline.revision,
        "pipeline.trigger_source": pipeline.trigger_type,
        **{f"pipeline.parameters.{name}": value for name, value in pipeline.parameters.items()},
    }


def workflow(workflow: Workflow) -> Json:
    """Describe a workflow."""
    pipeline = workflow.pipeline
    body: Json = {
        "pipeline_id": pipeline.id,
        "id": workflow.id,
        "name": workflow.name,
        "project_slug": pipeline.project.slug,
        "status": workflow.status,
        "started_by": workflow.started_by.id,
        "pipeline_number": pipeline.number,
        "created_at": timestamp(workflow.created_at),
        "stopped_at": timestamp(workflow.stopped_at),
    }
    return body | without_none(
        canceled_by=workflow.canceled_by and workflow.canceled_by.id,
        errored_by=workflow.errored_by and workflow.errored_by.id,
        tag=workflow.tag,
    )


def workflow_job(job: Job) -> Json:
    """Describe a job as its workflow lists it."""
    body: Json = {
        "dependencies": [before.id for before in job.requires],
        "id": job.id,
        "started_at": timestamp(job.started_at),
        "name": job.name,
        "project_slug": job.project.slug,
        "status": job.status,
        "type": job.type,
        "stopped_at": timestamp(job.stopped_at),
    }
    return body | without_none(
        job_number=job.number,
        approval_request_id=job.id if job.type == "approval" else None,
        approved_by=job.approved_by and job.approved_by.id,
        canceled_by=job.canceled_by and job.canceled_by.id,
    )


def job_details(job: Job) -> Json:
    """Describe a job in detail."""
    pipeline = job.workflow.pipeline
    project = pipeline.project
    duration = job.duration
    return {
        "web_url": f"https://circleci.com/{project.slug}/{job.number}",
        "project": {"id": project.id, "slug": project.slug, "name": project.name, "external_url": project.vcs_url},
        "parallel_runs": [{"index": index, "status": job.status} for index in range(job.parallelism)],
        "started_at": timestamp(job.started_at),
        "latest_workflow": {"id": job.workflow.id, "name": job.workflow.name},
        "name": job.name,
        "executor": None if job.status in WAITING else {"resource_class": job.resource_class, "type": job.executor},
        "parallelism": job.parallelism,
        "status": job.status,
        "number": job.number,
        "pipeline": {"id": pipeline.id},
        "duration": None if duration is None else round(duration * 1000),
        "created_at": timestamp(job.created_at),
        "messages": [],
        "contexts": [{"name": name} for name in job.contexts],
        "organization": {"name": project.organization.name},
        "queued_at": timestamp(job.queued_at),
        "stopped_at": timestamp(job.stopped_at),
    }


def test_result(test: JobTest) -> Json:
    """Describe a test's result."""
    return {
        "message": test.message or "",
        "source": test.source,
        "run_time": test.run_time,
        "file": test.file,
        "result": test.result,
        "name": test.name,
        "classname": test.classname,
    }


def artifact(artifact: Artifact, origin: str) -> Json:
    """Describe an artifact of this artifact host."""
    return {"path": artifact.path, "node_index": artifact.node, "url": f"{origin}{artifact.location}"}
