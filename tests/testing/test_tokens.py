"""Several tokens, each with its own user and rate limit."""

import contextlib
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.models import Artifact
from circleci_async.testing import FakeCircleCI, RateLimit, User, World


@pytest.fixture
def two(world: World) -> FakeCircleCI:
    """Return a fake with two tokens, `a` of Ada and `b` of Bob."""
    world.project("gh/acme/api")
    return FakeCircleCI(world, tokens={"a": world.user("ada"), "b": world.user("bob")})


async def test_each_token_has_its_user(two: FakeCircleCI, world: World) -> None:
    async with two as fake, fake.client() as first, fake.client(token="b") as second:
        users = [await circle.users.me() for circle in (first, second)]
        assert [user.login for user in users] == ["ada", "bob"]
        assert await first.users.get(users[1].id) == users[1]
        assert fake.environment["CIRCLE_TOKEN"] == fake.token == "a"

        await first.pipelines.trigger("gh/acme/api")
        await second.pipelines.trigger("gh/acme/api", branch="dev")
        assert [each.actor.login for each in world.projects["gh/acme/api"].pipelines.all] == ["ada", "bob"]
        for circle, branch in ((first, "main"), (second, "dev")):
            assert [each.branch async for each in circle.pipelines.mine("gh/acme/api")] == [branch]


async def test_each_token_may_read_artifacts(two: FakeCircleCI, world: World) -> None:
    artifact = world.projects["gh/acme/api"].pipeline().workflow().job("test").artifact("a", b"a")
    async with two as fake:
        for token, expected in (("a", b"a"), ("b", b"a"), ("fake-token", None)):
            retry = ca.RetryPolicy(attempts=1)
            async with fake.client(token=token, retry=retry) as circle:
                url = f"http://{fake.artifact_host}/output/job/{artifact.job.id}/artifacts/0/a"
                try:
                    async with circle.artifacts.open(Artifact(path="a", node_index=0, url=url)) as stream:
                        read = b"".join([part async for part in stream])
                except ca.AuthenticationError:
                    read = None
                assert read == expected


async def test_other_tokens_are_invalid(two: FakeCircleCI) -> None:
    async with two as fake:
        for token in ("fake-token", "c"):
            async with fake.client(token=token) as circle:
                with pytest.raises(ca.AuthenticationError, match="Invalid token provided"):
                    await circle.users.me()


async def test_a_token_besides_the_tokens_belongs_to_me(world: World) -> None:
    fake = FakeCircleCI(world, token="mine", tokens={"a": world.user("ada")})
    async with fake, fake.client() as mine, fake.client(token="a") as other:
        assert [(await each.users.me()).login for each in (mine, other)] == ["octo-dev", "ada"]


async def test_the_token_may_be_one_of_the_tokens() -> None:
    ada = World().user("ada")  # of another world
    async with (
        FakeCircleCI(token="b", tokens={"a": User("u-1", "bob", None), "b": ada}) as fake,
        fake.client() as circle,
    ):
        assert (await circle.users.me()).id == ada.id
        assert set(fake.world.users) > {ada.id, "u-1"}


async def test_each_token_has_its_own_rate_limit(world: World) -> None:
    limit = RateLimit(0.001, burst=2)
    tokens = {"a": world.user("ada"), "b": world.user("bob")}
    async with FakeCircleCI(world, tokens=tokens, rate_limit=limit) as fake:
        retry = ca.RetryPolicy(attempts=1)
        statuses: list[int] = []
        for token in ("a", "a", "a", "b", "wrong", "", "wrong"):
            async with fake.client(token=token, retry=retry) as circle:
                with contextlib.suppress(ca.ApiError):
                    await circle.users.me()
            statuses.append(fake.requests[-1].status or 0)
        # what has no valid token shares one limit
        assert statuses == [200, 200, 429, 200, 401, 401, 429]
        assert fake.rate_limited == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens": {}}, "tokens must have at least one token"),
        ({"tokens": "ada"}, "tokens must map each token to a User, got str"),
        ({"tokens": ["ada"]}, "tokens must map each token to a User, got list"),
        ({"tokens": {" ": User("u", "ada", None)}}, "token must not be blank"),
        ({"token": ""}, "token must not be blank"),
        ({"token": " ", "tokens": {"a": User("u", "ada", None)}}, "token must not be blank"),
        ({"tokens": {"a": "ada"}}, r"tokens must map each token to a User, such as world.user\('ada'\), got 'ada'"),
    ],
)
def test_invalid_tokens_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ca.InvalidArgument, match=message):
        FakeCircleCI(**options)
