"""Deploys: responses without optional fields."""

from typing import Any

import pytest

from circleci_async import CircleCI
from circleci_async.models import DeployComponent, DeployEnvironment, DeployVersion
from tests.endpoints.examples import ID
from tests.raw_server import answer, raw_server


@pytest.mark.parametrize("page", [{}, {"items": []}, {"next_page_token": None}], ids=str)
async def test_items_default_to_an_empty_list(page: dict[str, Any]) -> None:
    async with raw_server(answer(200, page)) as server, CircleCI("token", host=server.url) as circle:
        assert await circle.deploys.environments(ID).collect() == []
        assert await circle.deploys.components(ID).collect() == []
        assert await circle.deploys.versions(ID).collect() == []


async def test_all_fields_of_deploys_are_optional() -> None:
    async with raw_server(answer(200, {"items": [{}]})) as server, CircleCI("token", host=server.url) as circle:
        assert await circle.deploys.environments(ID).collect() == [DeployEnvironment()]
        assert await circle.deploys.components(ID).collect() == [DeployComponent()]
        assert await circle.deploys.versions(ID).collect() == [DeployVersion()]


async def test_the_project_of_a_component_is_optional() -> None:
    async with (
        raw_server(answer(200, {"id": "c", "project_id": None})) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        assert await circle.deploys.component(ID) == DeployComponent(id="c")
