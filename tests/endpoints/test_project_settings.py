"""Project settings and rollbacks."""

import pytest

from circleci_async import BadRequest, CircleCI
from circleci_async.models import AdvancedSettings, ProjectSettings, Rollback
from circleci_async.testing import FakeCircleCI, World
from tests.endpoints.contract import OPERATIONS, resolve
from tests.endpoints.examples import ID
from tests.raw_server import answer, raw_server

P = "gh/acme/api"
KNOWN = (
    "autocancel_builds, build_fork_prs, build_prs_only, disable_ssh, forks_receive_secret_env_vars, oss,"
    " pr_only_branch_overrides, set_github_status, setup_workflows, write_settings_requires_admin"
)


def test_the_settings_are_those_of_the_description() -> None:
    body = OPERATIONS["projects.update_settings"].body
    assert sorted(resolve(body["properties"]["advanced"])["properties"]) == KNOWN.split(", ")


async def test_settings_are_changed_one_by_one() -> None:
    world = World()
    world.project(P, default_branch="trunk")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        before = (await circle.projects.settings(P)).advanced
        assert before is not None
        assert (before.autocancel_builds, before.pr_only_branch_overrides) == (True, ("trunk",))
        after = (await circle.projects.update_settings(P, build_prs_only=True, pr_only_branch_overrides=[])).advanced
        assert after is not None
        assert (after.autocancel_builds, after.build_prs_only, after.pr_only_branch_overrides) == (True, True, ())
        assert (await circle.projects.settings(P)).advanced == after


async def test_a_rejected_setting_raises_bad_request() -> None:
    world = World()
    world.project(P)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        with pytest.raises(BadRequest, match=r"Unexpected field advanced\.oss"):
            await circle.projects.update_settings(P, oss=True)


async def test_missing_settings_are_none() -> None:
    answers = answer(200, {}), answer(200, {"advanced": {"disable_ssh": True, "new_setting": 1}})
    async with raw_server(*answers) as server, CircleCI("t", host=server.url) as circle:
        assert await circle.projects.settings(P) == ProjectSettings()
        assert await circle.projects.settings(P) == ProjectSettings(advanced=AdvancedSettings(disable_ssh=True))


async def test_all_fields_of_a_rollback_are_optional() -> None:
    async with raw_server(answer(202, {})) as server, CircleCI("t", host=server.url) as circle:
        rollback = await circle.projects.rollback(
            ID, component_name="a", environment_name="b", current_version="2", target_version="1"
        )
        assert rollback == Rollback(id="", rollback_type=None)
