"""Pipeline definitions: responses without optional fields."""

from typing import Any

import circleci_async as ca
from circleci_async.models import ConfigSource, PipelineDefinition, Repository
from tests.raw_server import answer, raw_server


async def test_all_fields_are_optional() -> None:
    bodies: list[Any] = [{}, {"items": []}, {"items": [{}, {"id": "d", "config_source": {"repo": {}}}]}]
    answers = [answer(200, body) for body in bodies]
    async with raw_server(*answers) as server, ca.CircleCI("t", host=server.url) as circle:
        assert await circle.pipeline_definitions.list("p") == []
        assert await circle.pipeline_definitions.list("p") == []
        assert await circle.pipeline_definitions.list("p") == [
            PipelineDefinition(),
            PipelineDefinition(id="d", config_source=ConfigSource(repo=Repository())),
        ]
