"""The world's records as the JSON objects that the API answers with."""

from ..server.calls import Json
from ..state.accounts import Organization, User
from ..state.builds import Pipeline, Workflow
from ..state.jobs import WAITING, Artifact, Job, JobTest
from ..state.projects import Project
from ..state.timestamps import timestamp


def user(user: User) -> Json:
    """Describe a user."""
    return {"id": user.id, "login": user.login, "name": user.name, "avatar_url": user.avatar_url}


def collaboration(organization: Organization) -> Json:
    """Describe an organization as one that the user belongs to."""
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
    """Describe a pipeline that was just triggered."""
    return {
        "id": pipeline.id,
        "state": pipeline.state,
        "number": pipeline.number,
        "created_at": timestamp(pipeline.created_at),
    }


def pipeline_config(pipeline: Pipeline) -> Json:
    """Give a pipeline's configuration."""
    body = {"source": pipeline.config, "compiled": f"# compiled\n{pipeline.config}"}
    if pipeline.setup_config is not None:
        body["setup_config"] = pipeline.setup_config
        body["compiled_setup_config"] = f"# compiled\n{pipeline.setup_config}"
    return body


def pipeline_values(pipeline: Pipeline) -> Json:
    """Give a pipeline's values, as a config file sees them."""
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
    if workflow.canceled_by is not None:
        body["canceled_by"] = workflow.canceled_by.id
    if workflow.errored_by is not None:
        body["errored_by"] = workflow.errored_by.id
    if workflow.tag is not None:
        body["tag"] = workflow.tag
    return body


def workflow_job(job: Job) -> Json:
    """Describe a job as its workflow lists it."""
    body: Json = {
        "dependencies": [before.id for before in job.requires],
        "id": job.id,
        "started_at": timestamp(job.started_at),
        "name": job.name,
        "project_slug": job.workflow.pipeline.project.slug,
        "status": job.status,
        "type": job.type,
        "stopped_at": timestamp(job.stopped_at),
    }
    if job.number is not None:
        body["job_number"] = job.number
    if job.type == "approval":
        body["approval_request_id"] = job.id
    if job.approved_by is not None:
        body["approved_by"] = job.approved_by.id
    if job.canceled_by is not None:
        body["canceled_by"] = job.canceled_by.id
    return body


def job_details(job: Job) -> Json:
    """Describe a job as its number finds it."""
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
    """Describe an artifact that is to be fetched from this origin."""
    return {"path": artifact.path, "node_index": artifact.node, "url": f"{origin}{artifact.location}"}
