"""Pipeline definitions: the sources of a pipeline's configuration and code."""

import builtins
from collections.abc import Mapping
from typing import Any

from ..core.arguments import check_word
from ..core.encoding import omit_none
from ..errors import InvalidArgument
from ..models.messages import Message
from ..models.pipeline_definitions import CheckoutSource, ConfigSource, PipelineDefinition
from ..models.repositories import Repository
from ..slug import segment
from .resource import Id, Resource, require

_CONFIG_PROVIDERS = ("github_app", "circleci")
_CHECKOUT_PROVIDERS = ("github_app",)


class PipelineDefinitions(Resource):
    """Pipeline definitions: the sources of a pipeline's configuration and code.

    A project can have several, each with its own triggers (`circle.triggers`). Not available on CircleCI Server.
    """

    async def list(self, project_id: Id) -> builtins.list[PipelineDefinition]:
        """Return the pipeline definitions of a project.

        `GET /projects/{project_id}/pipeline-definitions`
        """
        return await self._session.listed(
            PipelineDefinition, f"/projects/{segment(project_id)}/pipeline-definitions", items_optional=True
        )

    async def create(
        self,
        project_id: Id,
        *,
        name: str | None,
        config_source: ConfigSource | Mapping[str, Any] | None,
        checkout_source: CheckoutSource | Mapping[str, Any] | None,
        description: str | None = None,
    ) -> PipelineDefinition:
        """Create a pipeline definition.

        `POST /projects/{project_id}/pipeline-definitions`

        `config_source`: requires `repo` and `file_path` with the provider `github_app`, and `file_path` with
        `circleci`. `checkout_source`: requires the provider `github_app` and `repo`. A repository is identified by its
        `external_id`. The fields of another definition are accepted, too.
        """
        require("name", name)
        require("config_source", config_source)
        require("checkout_source", checkout_source)
        if isinstance(config_source, ConfigSource):
            _check_config_source(config_source)
        if isinstance(checkout_source, CheckoutSource):
            check_word("checkout_source.provider", checkout_source.provider, _CHECKOUT_PROVIDERS, required=True)
            _require_repository(checkout_source.repo, "checkout_source")
        return await self._session.request(
            PipelineDefinition,
            "POST",
            f"/projects/{segment(project_id)}/pipeline-definitions",
            json={
                "name": name,
                "config_source": _serialize(config_source),
                "checkout_source": _serialize(checkout_source),
                **omit_none(description=description),
            },
        )

    async def get(self, project_id: Id, definition_id: Id) -> PipelineDefinition:
        """Return a pipeline definition.

        `GET /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}`
        """
        return await self._session.request(PipelineDefinition, "GET", _path(project_id, definition_id))

    async def update(
        self,
        project_id: Id,
        definition_id: Id,
        *,
        name: str | None = None,
        description: str | None = None,
        config_source: ConfigSource | Mapping[str, Any] | None = None,
        checkout_source: CheckoutSource | Mapping[str, Any] | None = None,
    ) -> PipelineDefinition:
        """Update a pipeline definition. Omitted fields stay unchanged.

        `PATCH /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}`

        Only the `file_path` of `config_source` can be changed.
        """
        if isinstance(config_source, ConfigSource) and (config_source.provider or config_source.repo):
            raise InvalidArgument("config_source must have only a file_path: provider and repo cannot be changed")
        if isinstance(checkout_source, CheckoutSource):
            check_word("checkout_source.provider", checkout_source.provider, _CHECKOUT_PROVIDERS)
            if checkout_source.repo:
                _require_repository(checkout_source.repo, "checkout_source")
        return await self._session.request(
            PipelineDefinition,
            "PATCH",
            _path(project_id, definition_id),
            json=omit_none(
                name=name,
                description=description,
                config_source=_serialize(config_source),
                checkout_source=_serialize(checkout_source),
            ),
        )

    async def delete(self, project_id: Id, definition_id: Id) -> Message:
        """Delete a pipeline definition and its triggers.

        `DELETE /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}`
        """
        return await self._session.request(Message, "DELETE", _path(project_id, definition_id))


def _path(project_id: Id, definition_id: Id) -> str:
    return f"/projects/{segment(project_id)}/pipeline-definitions/{segment(definition_id)}"


def _check_config_source(source: ConfigSource) -> None:
    check_word("config_source.provider", source.provider, _CONFIG_PROVIDERS, required=True)
    _require(
        source.file_path, "config_source.file_path", "the path of the configuration, such as '.circleci/config.yml'"
    )
    if source.provider == "github_app":
        _require_repository(source.repo, "config_source")


def _require_repository(repo: Repository | None, name: str) -> None:
    _require(repo.external_id if repo else None, f"{name}.repo.external_id", "the provider's id of the repository")


def _require(value: str | None, name: str, expected: str) -> None:
    if not value:
        raise InvalidArgument(f"{name} must be {expected}, got {value!r}")


def _serialize(source: ConfigSource | CheckoutSource | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a source as the API accepts it: without the full name of the repository."""
    if isinstance(source, CheckoutSource):
        return omit_none(provider=source.provider, repo=_serialize_repository(source.repo))
    if isinstance(source, ConfigSource):
        return omit_none(provider=source.provider, repo=_serialize_repository(source.repo), file_path=source.file_path)
    return source


def _serialize_repository(repo: Repository | None) -> Mapping[str, Any] | None:
    return omit_none(external_id=repo.external_id) if repo else None
