"""The rate limit of the API and its headers."""

import time
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from circleci_async.errors import InvalidArgument
from circleci_async.testing import FakeCircleCI, RateLimit, World
from circleci_async.testing.server.limits import Bucket

from .caller import Caller

PLAIN = {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
X = {"X-RateLimit-Limit-Second", "X-RateLimit-Remaining-Second", "X-RateLimit-Reset"}


async def test_a_429_is_plain_text(world: World, http: aiohttp.ClientSession) -> None:
    async with FakeCircleCI(world, rate_limit=RateLimit(0.5, burst=2)) as fake:
        api = Caller(fake, http)
        await api.get("/me")
        assert (api.answer.headers["RateLimit-Limit"], api.answer.headers["RateLimit-Remaining"]) == ("2", "1")
        await api.get("/me")
        assert (api.answer.headers["X-RateLimit-Remaining-Second"], api.answer.headers["X-RateLimit-Reset"]) == (
            "0",
            "2",
        )

        status, body = await api.fetch(f"{fake.url}/api/v2/me", Circle_Token="fake-token")

        assert (status, body, api.answer.content_type) == (429, b"Rate limited.", "text/plain")
        assert api.answer.headers["Retry-After"] == api.answer.headers["RateLimit-Reset"] == "2"
        assert "X-Request-Id" in api.answer.headers
        assert [each.status for each in fake.requests] == [200, 200, 429]
        assert fake.rate_limited == 1


async def test_a_429_can_be_json(world: World, http: aiohttp.ClientSession) -> None:
    limit = RateLimit(0.5, burst=1, body={"message": "Rate limit exceeded."})
    async with FakeCircleCI(world, rate_limit=limit) as fake:
        api = Caller(fake, http)
        await api.get("/me")
        assert await api.get("/me", status=429) == {"message": "Rate limit exceeded."}


async def test_a_request_over_the_limit_has_no_effect(world: World, http: aiohttp.ClientSession) -> None:
    project = world.project("gh/acme/api")
    async with FakeCircleCI(world, rate_limit=RateLimit(0.5, burst=1, body={"message": "no"})) as fake:
        api = Caller(fake, http)
        await api.post("/project/gh/acme/api/pipeline", status=201)
        await api.post("/project/gh/acme/api/pipeline", status=429)

    assert len(project.pipelines.all) == 1


async def test_artifacts_and_storage_have_no_limit(world: World, http: aiohttp.ClientSession) -> None:
    artifact = world.project("gh/acme/api").pipeline().workflow().job("test").artifact("a", b"a")
    async with FakeCircleCI(world, rate_limit=RateLimit(0.001, burst=1)) as fake:
        api = Caller(fake, http)
        for _ in range(3):
            assert await api.fetch(await api.signed(f"http://{fake.artifact_host}{artifact.location}")) == (200, b"a")


@pytest.mark.parametrize(
    ("families", "there", "absent"),
    [
        ("both", PLAIN | X, set[str]()),
        ("ratelimit", PLAIN, X),
        ("x-ratelimit", X, PLAIN),
        (None, set[str](), PLAIN | X),
    ],
)
def test_the_headers_can_be_chosen(families: Any, there: set[str], absent: set[str]) -> None:
    bucket = Bucket(RateLimit(20, headers=families))
    bucket.take(0)

    assert bucket.state().keys() == there
    assert not bucket.state().keys() & absent


def test_without_a_limit_there_are_no_headers_and_no_429s() -> None:
    assert FakeCircleCI().rate_limited == 0


def test_the_bucket_refills() -> None:
    bucket = Bucket(RateLimit(2))
    passed = [bucket.take(now) is None for now in (0, 0, 0, 0.4, 0.5, 0.6, 100, 100, 100)]

    assert passed == [True, True, False, False, True, False, True, True, False]
    assert bucket.rejected == 4


@pytest.mark.parametrize(("per_second", "seconds"), [(20, "1"), (1, "1"), (0.4, "3"), (1 / 3600, "3600")])
def test_retry_after_seconds_are_rounded_up(per_second: float, seconds: str) -> None:
    bucket = Bucket(RateLimit(per_second, burst=1))
    bucket.take(0)
    refused = bucket.take(0)

    assert refused is not None
    assert refused.headers["Retry-After"] == seconds


def test_a_retry_after_date_is_rounded_up() -> None:
    bucket = Bucket(RateLimit(1, burst=1, retry_after="date"))
    bucket.take(0)
    refused = bucket.take(0)

    assert refused is not None
    assert 0 <= parsedate_to_datetime(refused.headers["Retry-After"]).timestamp() - time.time() <= 2


def test_retry_after_can_be_omitted() -> None:
    bucket = Bucket(RateLimit(1, burst=1, retry_after=None))
    bucket.take(0)
    refused = bucket.take(0)

    assert refused is not None
    assert "Retry-After" not in refused.headers


@pytest.mark.parametrize("arguments", [{"per_second": 0}, {"per_second": -1}, {"burst": 0}])
def test_a_limit_of_zero_is_rejected(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(arguments))):
        RateLimit(**arguments)


async def test_a_number_is_a_limit_in_requests_per_second(world: World, http: aiohttp.ClientSession) -> None:
    async with FakeCircleCI(world, rate_limit=1) as fake:
        api = Caller(fake, http)
        await api.get("/me")
        assert (api.answer.headers["RateLimit-Limit"], api.answer.headers["RateLimit-Remaining"]) == ("1", "0")
