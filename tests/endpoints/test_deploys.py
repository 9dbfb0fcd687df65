"""Deploys: page sizes, and answers that promise nothing."""

from typing import Any

import pytest

from circleci_async import CircleCI, DeployComponent, DeployEnvironment, DeployVersion
from tests.endpoints.examples import ID
from tests.raw_server import answer, raw_server


@pytest.mark.parametrize("page", [{}, {"items": []}, {"next_page_token": None}], ids=str)
async def test_a_list_without_items_is_empty(page: dict[str, Any]) -> None:
    async with raw_server(answer(200, page)) as server, CircleCI("token", host=server.url) as circle:
        assert await circle.deploys.environments(ID).collect() == []
        assert await circle.deploys.components(ID).collect() == []
        assert await circle.deploys.versions(ID).collect() == []


async def test_an_answer_that_says_nothing_is_one_all_the_same() -> None:
    async with raw_server(answer(200, {"items": [{}]})) as server, CircleCI("token", host=server.url) as circle:
        assert await circle.deploys.environments(ID).collect() == [DeployEnvironment()]
        assert await circle.deploys.components(ID).collect() == [DeployComponent()]
        assert await circle.deploys.versions(ID).collect() == [DeployVersion()]


async def test_a_component_may_belong_to_no_project() -> None:
    async with (
        raw_server(answer(200, {"id": "c", "project_id": None})) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        assert await circle.deploys.component(ID) == DeployComponent(id="c")
