"""The embedded CircleCI in a thread."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

import circleci_async as ca
from circleci_async.testing import World
from circleci_async.testing.background import BackgroundCircleCI, close_client

ONCE = ca.RetryPolicy(attempts=1)


@pytest.fixture
def fake() -> Iterator[BackgroundCircleCI]:
    world = World()
    world.project("gh/acme/api", public=True)
    with BackgroundCircleCI(world, run_time=0.05, webhook_retries=()) as fake:
        yield fake


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "FakeCircleCI"]


def test_it_runs_in_a_thread_that_ends_with_it() -> None:
    with BackgroundCircleCI() as fake:
        assert len(threads()) == 1
        fake.world.project("gh/acme/api", public=True)
        with urlopen(f"{fake.url}/api/v2/project/gh/acme/api") as answer:
            assert answer.status == 200
            assert answer.headers["Connection"] == "close"
        address = fake.url.removeprefix("http://").split(":")
    assert threads() == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address[0], int(address[1])))
    assert list(fake.world.projects) == ["gh/acme/api"], "the world can be read after the end"


def test_the_world_is_up_to_date(fake: BackgroundCircleCI) -> None:
    async def trigger() -> str:
        async with fake.client() as circle:
            return (await circle.pipelines.trigger("gh/acme/api")).id

    pipeline = fake.world.pipelines_by_id[asyncio.run(trigger())]
    deadline = threading.Event()
    for _ in range(500):
        if fake.world.pipelines_by_id[pipeline.id].workflows and pipeline.workflows[0].ended:
            break
        deadline.wait(0.01)
    assert pipeline.workflows[0].status == "success"


def test_a_used_port_is_an_error_and_leaves_no_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = (0, taken.getsockname()[1], 0)
        with pytest.raises(OSError, match="in use"), BackgroundCircleCI(ports=ports):
            pytest.fail("it has started")
    assert threads() == []


async def test_it_can_be_closed_and_started_from_another_loop(fake: BackgroundCircleCI) -> None:
    async with fake.client(retry=ONCE) as circle:
        await circle.projects.get("gh/acme/api")
        await fake.close()
        with pytest.raises(ca.TransportError):
            await circle.projects.get("gh/acme/api")
    await fake.start()
    async with fake.client() as circle:
        await circle.projects.get("gh/acme/api")


async def test_it_delivers_events_and_can_be_awaited(fake: BackgroundCircleCI) -> None:
    project = fake.world.projects["gh/acme/api"]
    webhook = project.webhook(f"{fake.url}/nothing/here", secret="s")  # any server that answers
    webhook.ping()
    await fake.delivered()
    assert [delivery.type for delivery in webhook.deliveries][:1] == ["ping"]


# Clients that are closed outside their loops


def test_an_unused_client_can_be_closed(fake: BackgroundCircleCI) -> None:
    circle = fake.client()
    close_client(circle)
    with pytest.raises(ca.ConfigurationError, match="the client is closed"):
        asyncio.run(circle.users.me())


@pytest.mark.parametrize("is_ended", [False, True], ids=["the loop is there still", "the loop has ended"])
def test_a_client_can_be_closed_after_its_loop(fake: BackgroundCircleCI, is_ended: bool) -> None:
    circle = fake.client()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(circle.users.me())
    if is_ended:
        loop.close()

    close_client(circle)

    http = circle._session.state.transport._http
    assert http is not None
    assert http.closed
    loop.close()


def test_a_client_can_be_closed_twice(fake: BackgroundCircleCI) -> None:
    async def use(circle: ca.CircleCI) -> None:
        async with circle:
            await circle.users.me()

    circle = fake.client()
    asyncio.run(use(circle))
    close_client(circle)
