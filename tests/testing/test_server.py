"""Start, record and close a server; run it as a module."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from circleci_async.errors import AuthenticationError, InvalidArgument
from circleci_async.testing import FakeCircleCI, World
from circleci_async.testing.__main__ import main
from circleci_async.testing.server.exchange import Response
from circleci_async.testing.server.listener import Listener, send
from circleci_async.testing.state.content import Content, Extract

from .caller import Caller


async def test_requests_are_recorded_in_order(fake: FakeCircleCI, api: Caller, world: World) -> None:
    artifact = world.project("gh/acme/api").pipeline().workflow().job("test").artifact("a b.txt", b"a")
    begin = time.monotonic()

    await api.get("/project/gh%2Facme%2Fapi/pipeline?branch=a%20b", headers={**api.headers, "X-Test": "1"})
    await api.post("/project/gh/acme/api/pipeline", {"branch": "x"}, status=201)
    await api.fetch(await api.signed(f"http://{fake.artifact_host}{artifact.location}"))

    first, second, third, fourth = fake.requests
    assert (first.origin, first.method, first.path) == ("api", "GET", "/api/v2/project/gh%2Facme%2Fapi/pipeline")
    assert (dict(first.query), first.headers["x-test"], first.body, first.status) == ({"branch": "a b"}, "1", b"", 200)
    assert (second.method, second.body, second.status) == ("POST", b'{"branch": "x"}', 201)
    assert (third.origin, third.path, third.status) == ("artifacts", artifact.location, 302)
    assert (fourth.origin, fourth.path, fourth.status) == ("storage", artifact.key, 200)
    assert begin <= first.at <= second.at <= third.at <= fourth.at <= time.monotonic()


async def test_recording_can_be_turned_off(http: aiohttp.ClientSession) -> None:
    async with FakeCircleCI(record=False) as fake:
        await Caller(fake, http).get("/me")

        assert fake.requests == []


async def test_the_environment_configures_a_client(fake: FakeCircleCI) -> None:
    assert fake.environment == {
        "CIRCLE_HOST": fake.url,
        "CIRCLE_TOKEN": "fake-token",
        "CIRCLE_ARTIFACT_HOSTS": fake.artifact_host,
    }
    assert fake.url.startswith("http://127.0.0.1:")
    assert fake.artifact_host.startswith("127.0.0.1:")


async def test_the_client_is_ready_to_use(fake: FakeCircleCI, world: World) -> None:
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("a.txt", b"a")

    async with fake.client(timeout=5, artifact_hosts=("*.example.com",)) as circle:
        me = await circle.users.me()
        listed = await circle.artifacts.list("gh/acme/api", 1).collect()

    assert me.id == world.me.id
    assert [(each.path, each.url) for each in listed] == [("a.txt", f"http://{fake.artifact_host}{artifact.location}")]


async def test_the_client_can_have_another_token(fake: FakeCircleCI) -> None:
    async with fake.client(token="other") as circle:
        with pytest.raises(AuthenticationError, match="Invalid token provided"):
            await circle.users.me()


async def test_latency_delays_every_response(http: aiohttp.ClientSession) -> None:
    async with FakeCircleCI(latency=0.1) as fake:
        begin = time.monotonic()
        await Caller(fake, http).get("/me")

    assert time.monotonic() - begin >= 0.1


@pytest.mark.parametrize("name", ["url", "artifact_host", "storage_host", "environment"])
def test_it_has_no_url_before_start(name: str) -> None:
    with pytest.raises(RuntimeError, match="not running"):
        getattr(FakeCircleCI(), name)


@pytest.mark.parametrize("options", [{"token": " "}, {"page_size": 0}])
def test_invalid_options_are_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(options))):
        FakeCircleCI(**options)


async def test_it_can_be_restarted_but_not_started_twice(http: aiohttp.ClientSession) -> None:
    fake = FakeCircleCI()
    for _ in range(3):
        async with fake:
            await Caller(fake, http).get("/me")
            with pytest.raises(RuntimeError, match="already"):
                await fake.start()
            await Caller(fake, http).get("/me")
        with pytest.raises(RuntimeError, match="not running"):
            _ = fake.url

    assert len(fake.requests) == 6


async def test_a_used_port_closes_the_other_listeners(http: aiohttp.ClientSession) -> None:
    async with FakeCircleCI() as other:
        taken = int(other.url.rpartition(":")[2])
        fake = FakeCircleCI(ports=(0, 0, taken))
        with pytest.raises(OSError, match=str(taken)):
            await fake.start()
        with pytest.raises(RuntimeError, match="not running"):
            _ = fake.url

    async with FakeCircleCI(ports=(taken, 0, 0)) as chosen:
        assert chosen.url == f"http://127.0.0.1:{taken}"
        await Caller(chosen, http).get("/me")


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_it_can_listen_on_ipv6(http: aiohttp.ClientSession) -> None:
    async with FakeCircleCI(host="::1") as fake:
        assert fake.url.startswith("http://[::1]:")
        await Caller(fake, http).get("/me")


async def test_many_servers_run_in_parallel(http: aiohttp.ClientSession) -> None:
    async with contextlib.AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(FakeCircleCI(token=f"token-{n}")) for n in range(5)]
        await asyncio.gather(*(Caller(fake, http).get("/me") for fake in fakes for _ in range(5)))

        assert [len(fake.requests) for fake in fakes] == [5] * 5


async def _in_flight(fake: FakeCircleCI, number: int) -> None:
    while len(fake.requests) < number:
        await asyncio.sleep(0.005)


async def test_closing_aborts_delayed_responses_and_idle_connections(http: aiohttp.ClientSession) -> None:
    async with FakeCircleCI() as fake:
        fake.fail("/api/v2/user/*", delay=3600, times=None)
        await Caller(fake, http).get("/me")
        hanging = [asyncio.create_task(http.get(f"{fake.url}/api/v2/user/{n}")) for n in range(10)]
        await _in_flight(fake, 11)
        begin = time.monotonic()

    assert time.monotonic() - begin < 1
    results = await asyncio.gather(*hanging, return_exceptions=True)
    assert all(isinstance(result, aiohttp.ClientConnectionError) for result in results)


async def test_closing_aborts_a_response_that_is_not_read(http: aiohttp.ClientSession) -> None:
    world = World()
    artifact = (
        world.project("gh/acme/open", public=True).pipeline().workflow().job("test").artifact("big", size=1 << 30)
    )
    async with FakeCircleCI(world) as fake:
        answer = await http.get(f"http://{fake.artifact_host}{artifact.location}")
        assert answer.headers["Content-Length"] == str(1 << 30)
        begin = time.monotonic()

    assert time.monotonic() - begin < 1
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.read()


async def test_closing_leaves_no_task(http: aiohttp.ClientSession) -> None:
    async with FakeCircleCI() as fake:
        fake.fail(delay=3600)
        hanging = asyncio.create_task(http.get(f"{fake.url}/api/v2/me"))
        await _in_flight(fake, 1)
    await asyncio.gather(hanging, return_exceptions=True)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_disconnected_client_leaves_no_handler(fake: FakeCircleCI, http: aiohttp.ClientSession) -> None:
    fake.fail(delay=3600)
    hanging = asyncio.create_task(http.get(f"{fake.url}/api/v2/me"))
    await _in_flight(fake, 1)
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    for _ in range(100):
        if len(asyncio.all_tasks()) == 1:
            break
        await asyncio.sleep(0.01)

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_disconnected_client_logs_nothing(
    http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async def is_left(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()  # like a reset by the client that the handler has not noticed yet
        return await send(request, Response(200, Extract(Content.generated(1_000_000, "a"), 0, 1_000_000), {}))

    listener = Listener(is_left)
    address = await listener.start("127.0.0.1", 0)
    with pytest.raises(aiohttp.ClientError):
        await http.get(f"http://{address}/")
    await listener.close()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_serve_forever_ends_when_canceled(http: aiohttp.ClientSession) -> None:
    started: asyncio.Queue[str] = asyncio.Queue()
    serving = asyncio.create_task(FakeCircleCI().serve_forever(lambda fake: started.put_nowait(fake.url)))
    url = await started.get()
    async with http.get(f"{url}/api/v2/me") as answer:
        assert answer.status == 401

    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.get(f"{url}/api/v2/me")


async def test_serve_forever_without_announce() -> None:
    serving = asyncio.create_task(FakeCircleCI().serve_forever())
    await asyncio.sleep(0.05)

    assert not serving.done()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serve_forever_ends_at_a_signal(number: int) -> None:
    fake = FakeCircleCI()
    async with asyncio.timeout(5):
        await fake.serve_forever(lambda _: os.kill(os.getpid(), number))

    with pytest.raises(RuntimeError, match="not running"):
        _ = fake.url


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
async def test_the_module_prints_the_environment_and_serves_until_a_signal(http: aiohttp.ClientSession) -> None:
    arguments = ("--seed", "3", "--rate-limit", "100", "--latency", "0.01")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "circleci_async.testing", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines = [(await process.stdout.readline()).decode().rstrip() for _ in range(3)]
    exported = dict(line.removeprefix("export ").split("=", 1) for line in lines)

    url, token = exported["CIRCLE_HOST"], exported["CIRCLE_TOKEN"]
    async with http.get(f"{url}/api/v2/project/gh/acme/api/pipeline", headers={"Circle-Token": token}) as answer:
        listed: Any = await answer.json()
    process.send_signal(signal.SIGTERM)

    assert await process.wait() == 0
    assert exported.keys() == {"CIRCLE_HOST", "CIRCLE_TOKEN", "CIRCLE_ARTIFACT_HOSTS"}
    assert answer.headers["RateLimit-Limit"] == "100"
    assert listed["items"][0]["id"] == World.generate(seed=3).projects["gh/acme/api"].pipelines.all[-1].id


def test_invalid_arguments_are_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--seed", "x"])

    assert stopped.value.code == 2
    assert "--seed" in capsys.readouterr().err


def test_a_port_uses_the_next_two_ports(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def shown(self: FakeCircleCI, announce: Callable[[FakeCircleCI], None]) -> None:
        async with self:
            announce(self)

    monkeypatch.setattr(FakeCircleCI, "serve_forever", shown)
    port = 20_000 + os.getpid() % 4_000 * 3  # below the ephemeral ports

    main(["--port", str(port)])

    assert f"export CIRCLE_HOST=http://127.0.0.1:{port}\n" in capsys.readouterr().out
