"""Pipelines: runs of a project's configuration, started by a push, a schedule or a call."""

from collections.abc import Mapping
from typing import Any

from ..config.redacted import Redacted
from ..core.encoding import omit_none
from ..core.paging import Paged
from ..core.redaction import redact_errors
from ..errors import InvalidArgument
from ..models.messages import Message
from ..models.pipelines import Pipeline, PipelineConfig, PipelineCreated, Ref
from ..models.workflows import Workflow
from ..slug import OrgSlug, project_path, segment
from .resource import Id, OrgRef, ProjectRef, Resource

Parameters = Mapping[str, str | int | bool]
"""Pipeline parameters: at most 100, with names of up to 128 and values of up to 512 characters."""


def check_ref(branch: str | None, tag: str | None) -> None:
    """Raise `InvalidArgument` if both are given."""
    if branch is not None and tag is not None:
        raise InvalidArgument(f"branch and tag cannot be combined, got branch={branch!r}, tag={tag!r}")


def check_sources(config: Ref | Mapping[str, Any] | None, checkout: Ref | Mapping[str, Any] | None) -> None:
    """Raise `InvalidArgument` for a name in place of a `Ref`."""
    for name, ref in (("config", config), ("checkout", checkout)):
        if isinstance(ref, str):
            raise InvalidArgument(f"{name} must be Ref(branch={ref!r}) or Ref(tag={ref!r}), got {ref!r}")


class Pipelines(Resource):
    """Pipelines: runs of a project's configuration, started by a push, a schedule or a call.

    A pipeline's `state` is the state of its creation. The result of the build is the `status` of its workflows.
    """

    def list(self, project: ProjectRef, *, branch: str | None = None) -> Paged[Pipeline]:
        """Iterate over the pipelines of a project, newest first.

        `GET /project/{project-slug}/pipeline`
        """
        return self._session.paged(Pipeline, f"/project/{project_path(project)}/pipeline", query={"branch": branch})

    def mine(self, project: ProjectRef) -> Paged[Pipeline]:
        """Iterate over the pipelines of a project that the token's user started.

        `GET /project/{project-slug}/pipeline/mine`
        """
        return self._session.paged(Pipeline, f"/project/{project_path(project)}/pipeline/mine")

    def list_for_org(self, organization: OrgRef | None = None, *, mine: bool | None = None) -> Paged[Pipeline]:
        """Iterate over the latest pipelines of an organization's followed projects.

        `GET /pipeline`

        `mine`: only pipelines that the token's user started.
        """
        if isinstance(organization, str):
            organization = OrgSlug.parse(organization)
        return self._session.paged(Pipeline, "/pipeline", query={"org-slug": organization, "mine": mine})

    async def get(self, pipeline_id: Id) -> Pipeline:
        """Return a pipeline.

        `GET /pipeline/{pipeline-id}`
        """
        return await self._session.request(Pipeline, "GET", f"/pipeline/{segment(pipeline_id)}")

    async def get_by_number(self, project: ProjectRef, number: int) -> Pipeline:
        """Return a pipeline by its number in the project.

        `GET /project/{project-slug}/pipeline/{pipeline-number}`
        """
        return await self._session.request(
            Pipeline, "GET", f"/project/{project_path(project)}/pipeline/{segment(number)}"
        )

    async def config(self, pipeline_id: Id) -> PipelineConfig:
        """Return the configuration of a pipeline, source and compiled (YAML).

        `GET /pipeline/{pipeline-id}/config`
        """
        return await self._session.request(PipelineConfig, "GET", f"/pipeline/{segment(pipeline_id)}/config")

    async def values(self, pipeline_id: Id) -> dict[str, Any]:
        """Return the pipeline values, a flat map such as `{"pipeline.number": 7}`.

        `GET /pipeline/{pipeline-id}/values`
        """
        return await self._session.request(dict[str, Any], "GET", f"/pipeline/{segment(pipeline_id)}/values")

    def workflows(self, pipeline_id: Id) -> Paged[Workflow]:
        """Iterate over the workflows of a pipeline. A rerun adds a workflow of the same name.

        `GET /pipeline/{pipeline-id}/workflow`
        """
        return self._session.paged(Workflow, f"/pipeline/{segment(pipeline_id)}/workflow")

    async def trigger(
        self,
        project: ProjectRef,
        *,
        branch: str | None = None,
        tag: str | None = None,
        parameters: Parameters | None = None,
    ) -> PipelineCreated:
        """Start a pipeline for a branch or a tag, by default for the default branch.

        `POST /project/{project-slug}/pipeline`

        Not available for GitHub App, GitLab and Bitbucket Data Center projects; `run` works for all projects.
        `parameters` must be declared in the project's configuration. Not retried once the server may have received it,
        except after a 429.
        """
        check_ref(branch, tag)
        return await self._session.request(
            PipelineCreated,
            "POST",
            f"/project/{project_path(project)}/pipeline",
            json=omit_none(branch=branch, tag=tag, parameters=parameters),
        )

    async def run(
        self,
        project: ProjectRef,
        *,
        definition_id: Id | None = None,
        config: Ref | Mapping[str, Any] | None = None,
        checkout: Ref | Mapping[str, Any] | None = None,
        parameters: Parameters | None = None,
    ) -> PipelineCreated:
        """Start a pipeline, in a project of any kind. Replaces `trigger`.

        `POST /project/{provider}/{organization}/{project}/pipeline/run`

        `definition_id`: a pipeline definition of the project. `config`, `checkout`: the revisions of the configuration
        and of the code, `Ref(branch=...)` or `Ref(tag=...)`. `parameters` must be declared in the configuration. Not
        retried once the server may have received it, except after a 429. Raises `NotCreated` if the server accepted
        the request without creating a pipeline, for example because the commit message contains `[skip ci]`.
        """
        check_sources(config, checkout)
        return await self._session.request(
            PipelineCreated,
            "POST",
            f"/project/{project_path(project)}/pipeline/run",
            json=omit_none(definition_id=definition_id, config=config, checkout=checkout, parameters=parameters),
            expect_status=201,
        )

    async def continue_(
        self, continuation_key: str, *, configuration: str, parameters: Parameters | None = None
    ) -> Message:
        """Continue a pipeline after its setup phase, with a configuration (YAML).

        `POST /pipeline/continue`
        """
        key = Redacted(continuation_key)
        del continuation_key  # a traceback that prints local variables must not print it
        with redact_errors(key):
            return await self._session.request(
                Message,
                "POST",
                "/pipeline/continue",
                json={
                    "continuation-key": key,
                    "configuration": configuration,
                    **omit_none(parameters=parameters),
                },
            )
