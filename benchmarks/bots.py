"""Typical work of bots and services (webhooks, logs, waiting), with this SDK and by hand."""

import asyncio
import hmac
import json
import re
import statistics
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web

import circleci_async as ca
from circleci_async.models import WebhookEvent
from circleci_async.testing import FakeCircleCI, World

from .cases import PROJECT, Place
from .measure import MIB, Row, peak_memory, timed
from .server import LOGS

SECRET = "benchmark-secret"
EVENTS = 5000
DELIVERIES = 2000
CONCURRENCY = 16
LINES = 200
SHORT, LONG = LOGS.values()

Compared = Callable[[], object]


def body_of(number: int) -> bytes:
    """Return the body of a delivery, as large as CircleCI's."""
    return json.dumps(
        {
            "id": f"3888f21b-eaa7-38e3-8f3d-{number:012}",
            "type": "workflow-completed",
            "happened_at": "2026-11-24T12:30:01.553182Z",
            "webhook": {"id": "cf8c4fdd-0587-4da1-b4ca-4846e9640af9", "name": "deploys"},
            "project": {"id": "84996744-a854-4f5e-aea3-04e2851dc1d2", "name": "api", "slug": "github/acme/api"},
            "organization": {"id": "f22b6566-597d-46d5-ba74-99ef5bb3d85c", "name": "acme"},
            "workflow": {
                "id": "fda08377-fe7e-46b1-8992-3a7aaecac9c3",
                "name": "build-test-deploy",
                "status": "failed",
                "created_at": "2026-11-24T12:28:17.616Z",
                "stopped_at": "2026-11-24T12:30:01.200Z",
                "url": "https://app.circleci.com/pipelines/github/acme/api/130/workflows/fda08377",
            },
            "pipeline": {
                "id": "1285fe1d-d3a6-44fc-8886-8979558254c4",
                "number": 130,
                "created_at": "2026-11-24T12:28:17.482Z",
                "trigger": {"type": "webhook"},
                "vcs": {
                    "provider_name": "github",
                    "origin_repository_url": "https://github.com/acme/api",
                    "target_repository_url": "https://github.com/acme/api",
                    "revision": "1dc6aa69429bff4806ad6afe58d3d8f57e25973e",
                    "branch": "main",
                    "commit": {"subject": "Make it faster", "body": "By doing less."},
                },
            },
        }
    ).encode()


def signed(body: bytes) -> dict[str, str]:
    """Return the headers of a delivery."""
    return {"circleci-signature": f"v1={hmac.digest(SECRET.encode(), body, 'sha256').hex()}"}


def unwrap_sdk(bodies: list[tuple[bytes, dict[str, str]]]) -> str:
    """Verify and parse deliveries; return the status in the last one."""
    status = ""
    for body, headers in bodies:
        event = ca.webhooks.unwrap(body, headers, SECRET)
        assert event.workflow
        status = str(event.workflow.status)
    return status


def unwrap_by_hand(bodies: list[tuple[bytes, dict[str, str]]]) -> str:
    """Do the same with hmac and json, into plain dicts."""
    status = ""
    for body, headers in bodies:
        _check(body, headers)
        status = json.loads(body)["workflow"]["status"]
    return status


def _check(body: bytes, headers: Any) -> None:
    signature = dict(pair.split("=", 1) for pair in headers["circleci-signature"].split(","))["v1"]
    if not hmac.compare_digest(hmac.digest(SECRET.encode(), body, "sha256").hex(), signature):
        raise PermissionError


async def deliver_sdk(bodies: list[tuple[bytes, dict[str, str]]]) -> int:
    """Deliver to a receiver concurrently; return how many events were handled."""
    seen: list[str] = []
    async with ca.webhooks.Receiver(SECRET, lambda event: seen.append(event.id)).serve() as url:
        await _post_all(url, bodies)
    return len(seen)


async def deliver_by_hand(bodies: list[tuple[bytes, dict[str, str]]]) -> int:
    """Deliver to a hand-written handler that verifies and parses."""
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        _check(body, request.headers)
        seen.append(json.loads(body)["id"])
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await _post_all(f"http://127.0.0.1:{runner.addresses[0][1]}/", bodies)
    await runner.cleanup()
    return len(seen)


async def _post_all(url: str, bodies: list[tuple[bytes, dict[str, str]]]) -> None:
    left = iter(bodies)

    async def work() -> None:
        for body, headers in left:
            async with http.post(url, data=body, headers=headers) as answer:
                assert answer.status == 202

    async with aiohttp.ClientSession() as http:
        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def tail_sdk(place: Place, job: int) -> str:
    """Return the end of the log of a failed job."""
    async with place.client() as circle:
        [output] = await circle.jobs.failed_output(PROJECT, job, tail=LINES)
    return output.text


async def tail_by_hand(place: Place, job: int) -> str:
    """Do the same by hand, with the whole log in memory."""
    async with place.http() as http:
        async with http.get(f"{place.api}/api/v1.1/project/{PROJECT}/{job}") as response:
            build = json.loads(await response.read())
        actions = [action for step in build["steps"] for action in step["actions"]]
        [url] = [action["output_url"] for action in actions if action["failed"]]
    async with aiohttp.ClientSession() as bare, bare.get(url) as response:
        messages = json.loads(await response.read())
    text = re.sub(r"\x1b\[[0-9;]*m", "", "".join(message["message"] for message in messages))
    return "\n".join(text.splitlines()[-LINES:])


PIPELINES = 20
SCALE = 100
"""A second of the benchmark stands for this many simulated seconds."""


@asynccontextmanager
async def builds(number: int, *, hook: str | None = None) -> AsyncGenerator[tuple[FakeCircleCI, dict[str, float]]]:
    """Run an embedded CircleCI whose pipelines end one after another; yield it and pipeline id -> end time."""
    world = World()
    project = world.project(PROJECT)
    if hook:
        project.webhook(hook, secret=SECRET)
    loop = asyncio.get_running_loop()
    ends: dict[str, float] = {}
    async with FakeCircleCI(world) as fake:
        for place in range(number):
            workflow = project.pipeline(branch="main").workflow("build", status="running")
            workflow.job("test", status="running")
            delay = (120 + 1080 * place / number) / SCALE
            ends[workflow.pipeline.id] = loop.time() + delay
            loop.call_later(delay, _end, workflow)
        yield fake, ends


def _end(workflow: Any) -> None:
    for job in workflow.jobs:
        job.status = "success"
    workflow.status = "success"


async def wait_by_hand(number: int) -> tuple[int, float]:
    """Poll every 5 s, one task per pipeline; return the number of requests and the mean delay in seconds."""
    loop = asyncio.get_running_loop()
    async with builds(number) as (fake, ends), aiohttp.ClientSession(headers={"Circle-Token": "fake-token"}) as http:

        async def wait(pipeline_id: str) -> float:
            while True:
                async with http.get(f"{fake.url}/api/v2/pipeline/{pipeline_id}/workflow") as response:
                    items = (await response.json())["items"]
                if items and all(item["status"] == "success" for item in items):
                    return loop.time() - ends[pipeline_id]
                await asyncio.sleep(5 / SCALE)

        late = await asyncio.gather(*map(wait, ends))
        return len(fake.requests), statistics.mean(late) * SCALE


async def wait_sdk(number: int, *, webhooks: bool = False) -> tuple[int, float]:
    """Wait with `pipelines.wait`; return the number of requests and the mean delay in seconds."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        clients: list[ca.CircleCI] = []

        def on_event(event: WebhookEvent) -> None:
            clients[0].notify(event)  # the client is made after the receiver

        receiver = ca.webhooks.Receiver(SECRET, on_event)
        url = await stack.enter_async_context(receiver.serve()) if webhooks else None
        fake, ends = await stack.enter_async_context(builds(number, hook=url))
        circle = await stack.enter_async_context(fake.client())
        clients.append(circle)

        async def wait(pipeline_id: str) -> float:
            result = await circle.pipelines.wait(pipeline_id, interval=(2 / SCALE, 30 / SCALE), grace=30 / SCALE)
            assert result.status == "success"
            return loop.time() - ends[pipeline_id]

        late = await asyncio.gather(*map(wait, ends))
        return len(fake.requests), statistics.mean(late) * SCALE


def run(place: Place, peak_of: Callable[[Place, str], float], rounds: int, only: str = "") -> None:
    """Print the tables."""
    events = [(body, signed(body)) for body in map(body_of, range(EVENTS))]
    few = events[:DELIVERIES]
    print("| operation | this SDK, ms | by hand, ms | ratio of medians |")
    print("|---|--:|--:|--:|")
    for name, sdk, by_hand in (
        (f"{EVENTS:,} webhook events verified and parsed", lambda: unwrap_sdk(events), lambda: unwrap_by_hand(events)),
        (
            f"{DELIVERIES:,} deliveries acknowledged, {CONCURRENCY} concurrent",
            lambda: asyncio.run(deliver_sdk(few)),
            lambda: asyncio.run(deliver_by_hand(few)),
        ),
        (
            f"the last {LINES} lines of a log of {LONG // MIB} MiB",
            lambda: asyncio.run(tail_sdk(place, max(LOGS))),
            lambda: asyncio.run(tail_by_hand(place, max(LOGS))),
        ),
    ):
        if only in name:
            print(compare(name, sdk, by_hand, rounds).measured, flush=True)
    print()
    if only in "waiting":
        print(f"| waiting for {PIPELINES} pipelines of 2 to 20 minutes | requests | end noticed after, s |")
        print("|---|--:|--:|")
        for name, wait in (
            ("by hand, polling every 5 s", wait_by_hand),
            ("`pipelines.wait`", wait_sdk),
            ("`pipelines.wait` with webhooks", partial(wait_sdk, webhooks=True)),
        ):
            requests, late = asyncio.run(wait(PIPELINES))
            print(f"| {name} | {requests:,} | {late:.1f} |", flush=True)
        print()
    if only in "memory" and peak_memory() is not None:
        print(f"| peak memory of the process, MiB | log of {SHORT // MIB} MiB | log of {LONG // MIB} MiB |")
        print("|---|--:|--:|")
        for name, call in (("this SDK", "tail_sdk"), ("by hand", "tail_by_hand")):
            short, long = (peak_of(place, f"bots.{call}(place, {job})") for job in LOGS)
            print(f"| the last {LINES} lines, {name} | {short:.0f} | {long:.0f} |", flush=True)
        print()


def compare(name: str, sdk: Compared, by_hand: Compared, rounds: int) -> Row:
    """Run both sides alternately, after one uncounted run of each; check that the results are equal."""
    assert sdk() == by_hand(), name
    times: dict[Compared, list[float]] = {sdk: [], by_hand: []}
    for round_number in range(rounds):
        for work in (sdk, by_hand) if round_number % 2 else (by_hand, sdk):
            times[work].append(timed(work))
    return Row(name, times[sdk], times[by_hand])
