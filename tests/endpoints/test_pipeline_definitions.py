"""Pipeline definitions: sources that the API would not take are refused."""

from typing import Any

import pytest

import circleci_async as ca
from tests.endpoints.refusal import refusal
from tests.raw_server import answer, raw_server

REPO = ca.Repository(external_id="1")
CONFIG = ca.ConfigSource(provider="github_app", repo=REPO, file_path="a.yml")
CHECKOUT = ca.CheckoutSource(provider="github_app", repo=REPO)
NAMELESS = ca.Repository(full_name="acme/api")


def create(circle: ca.CircleCI, config_source: Any = CONFIG, checkout_source: Any = CHECKOUT) -> Any:
    return circle.pipeline_definitions.create(
        "p", name="api", config_source=config_source, checkout_source=checkout_source
    )


CONFIG_SOURCES = {
    "config_source.provider=None: give 'github_app' or 'circleci'": ca.ConfigSource(repo=REPO, file_path="a.yml"),
    "config_source.file_path=None: give": ca.ConfigSource(provider="github_app", repo=REPO),
    "config_source.file_path='': give": ca.ConfigSource(provider="circleci", file_path=""),
    "config_source.repo.external_id=None: give": ca.ConfigSource(provider="github_app", file_path="a.yml"),
    "config_source.repo.external_id=None: ": ca.ConfigSource(provider="github_app", repo=NAMELESS, file_path="a.yml"),
}
CHECKOUT_SOURCES = {
    "checkout_source.provider=None: give 'github_app'": ca.CheckoutSource(repo=REPO),
    "checkout_source.repo.external_id=None: give": ca.CheckoutSource(provider="github_app"),
    "checkout_source.repo.external_id=None: ": ca.CheckoutSource(provider="github_app", repo=NAMELESS),
}


@pytest.mark.parametrize("message", CONFIG_SOURCES)
async def test_a_source_of_the_configuration_that_lacks_something_is_refused(message: str) -> None:
    assert (await refusal(lambda c: create(c, CONFIG_SOURCES[message]))).startswith(message)


@pytest.mark.parametrize("message", CHECKOUT_SOURCES)
async def test_a_source_of_the_code_that_lacks_something_is_refused(message: str) -> None:
    assert (await refusal(lambda c: create(c, checkout_source=CHECKOUT_SOURCES[message]))).startswith(message)


@pytest.mark.parametrize("source", [CONFIG, ca.ConfigSource(provider="circleci"), ca.ConfigSource(repo=REPO)], ids=str)
async def test_only_the_path_of_the_configuration_can_be_changed(source: ca.ConfigSource) -> None:
    message = await refusal(lambda c: c.pipeline_definitions.update("p", "d", config_source=source))
    assert message == "config_source: give only its file_path; provider and repo can't be changed"


async def test_another_repository_is_given_by_its_id() -> None:
    source = ca.CheckoutSource(repo=NAMELESS)
    message = await refusal(lambda c: c.pipeline_definitions.update("p", "d", checkout_source=source))
    assert message.startswith("checkout_source.repo.external_id=None: give the provider's id")


@pytest.mark.parametrize("wrong", ["", "..", None, 1.5], ids=repr)
async def test_what_can_not_be_part_of_a_path_is_refused(wrong: Any) -> None:
    for do in (
        lambda c: c.pipeline_definitions.list(wrong),
        lambda c: c.pipeline_definitions.create(wrong, name="a", config_source=CONFIG, checkout_source=CHECKOUT),
        lambda c: c.pipeline_definitions.get(wrong, "d"),
        lambda c: c.pipeline_definitions.get("p", wrong),
        lambda c: c.pipeline_definitions.update(wrong, "d"),
        lambda c: c.pipeline_definitions.update("p", wrong),
        lambda c: c.pipeline_definitions.delete(wrong, "d"),
        lambda c: c.pipeline_definitions.delete("p", wrong),
    ):
        assert "can't be part of a path" in await refusal(do)


async def test_an_answer_that_says_next_to_nothing_is_read() -> None:
    bodies: list[Any] = [{}, {"items": []}, {"items": [{}, {"id": "d", "config_source": {"repo": {}}}]}]
    answers = [answer(200, body) for body in bodies]
    async with raw_server(*answers) as server, ca.CircleCI("t", host=server.url) as circle:
        assert await circle.pipeline_definitions.list("p") == []
        assert await circle.pipeline_definitions.list("p") == []
        assert await circle.pipeline_definitions.list("p") == [
            ca.PipelineDefinition(),
            ca.PipelineDefinition(id="d", config_source=ca.ConfigSource(repo=ca.Repository())),
        ]
