"""The share of a server's quota that the client uses: real sockets, server and clients in their own processes."""

import argparse
import asyncio
import json
import math
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager, suppress

from attrs import field, frozen

from .measure import server_process

USER = b'{"id": "5f1a6e0c-6a7b-4c51-9f0e-8d6c5a3b2a10", "login": "octocat", "name": "Octo Cat"}'

LATENCY = 0.02
"""Seconds that the server adds to each response: half before the bucket is asked, half after."""

FIRST = 100
"""The time of this many responses shows how fast the client starts."""


@frozen
class Shape:
    """A quota, the work, and the goals: the least share of the quota, the most refusals per call."""

    name: str
    rate: float
    burst: int
    calls: int
    """Of all clients together."""
    tasks: int
    """Of all clients together."""
    least_share: float
    most_refusals: float
    headers: str = "retry-after"
    """`retry-after` (in whole seconds), `all` (also RateLimit-*) or `none`."""
    clients: int = 1


SHAPES = (
    Shape("burst equals rate, Retry-After", 50, 50, 450, 64, 0.85, 0.12),
    Shape("burst equals rate, all headers", 50, 50, 450, 64, 0.90, 0.05, headers="all"),
    Shape("small burst, Retry-After", 20, 5, 300, 32, 0.75, 0.10),
    Shape("small burst, all headers", 20, 5, 300, 32, 0.90, 0.05, headers="all"),
    Shape("burst of 1, Retry-After", 25, 1, 300, 16, 0.65, 0.10),
    Shape("no headers", 50, 20, 600, 32, 0.85, 0.10, headers="none"),
    Shape("large burst then steady, all headers", 10, 100, 200, 64, 0.90, 0.05, headers="all"),
    Shape("two processes, one quota, Retry-After", 40, 20, 600, 32, 0.70, 0.15, clients=2),
)
MEAN_SHARE = 0.85


@frozen
class Usage:
    """What the server saw."""

    share: float
    """Ideal time / time. Ideal: the burst at once, the rest at the rate."""
    refusals: float
    """Refused requests per call."""
    first: float
    """Seconds until the first hundred responses."""


def run(rounds: int, only: str) -> None:
    """Print the table of shapes whose name contains `only`: medians of some rounds."""
    print(f"| quota (rate, burst, calls, tasks) | share | goal | refused per call | goal | first {FIRST}, s | met |")
    print("|---|--:|--:|--:|--:|--:|---|")
    shares: list[float] = []
    for shape in SHAPES:
        if only not in shape.name:
            continue
        usages = [measure(shape) for _ in range(rounds)]
        share = statistics.median(usage.share for usage in usages)
        refusals = statistics.median(usage.refusals for usage in usages)
        first = statistics.median(usage.first for usage in usages)
        shares.append(share)
        name = f"{shape.name} ({shape.rate:g}, {shape.burst}, {shape.calls}, {shape.tasks})"
        met = "yes" if share >= shape.least_share and refusals <= shape.most_refusals else "no"
        print(
            f"| {name} | {share:.0%} | {shape.least_share:.0%} | {refusals:.1%} | {shape.most_refusals:.0%} "
            f"| {first:.1f} | {met} |",
            flush=True,
        )
    if len(shares) == len(SHAPES):
        mean = statistics.mean(shares)
        print(f"| mean | {mean:.0%} | {MEAN_SHARE:.0%} | | | | {'yes' if mean >= MEAN_SHARE else 'no'} |")
    print()


def measure(shape: Shape) -> Usage:
    """Run one shape once."""
    with _server(shape) as url:
        arguments = [url, str(shape.calls // shape.clients), str(shape.tasks // shape.clients)]
        command = [sys.executable, "-m", "benchmarks.quota", "call", *arguments]
        clients = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(shape.clients)
        ]
        for client in clients:
            assert client.stdout is not None
            client.stdout.readline()  # it is ready
        for client in clients:
            assert client.stdin is not None
            client.stdin.close()  # go
        for client in clients:
            if client.wait():
                raise RuntimeError(f"a client failed with exit code {client.returncode}")
            assert client.stdout is not None
            client.stdout.close()
        with urllib.request.urlopen(f"{url}/log") as response:
            log = json.load(response)
    accepted, refused = log["accepted"], log["refused"]
    began = min(accepted + refused)
    ideal = (shape.calls - shape.burst) / shape.rate
    first = accepted[min(FIRST, len(accepted)) - 1] - began
    return Usage(ideal / (accepted[-1] - began), len(refused) / shape.calls, first)


@contextmanager
def _server(shape: Shape) -> Generator[str]:
    arguments = [str(shape.rate), str(shape.burst), shape.headers]
    command = [sys.executable, "-m", "benchmarks.quota", "serve", *arguments]
    with server_process(command) as url:
        yield url


@frozen
class _Log:
    accepted: list[float] = field(factory=list[float])
    refused: list[float] = field(factory=list[float])


class _Bucket:
    """A token bucket that answers requests."""

    def __init__(self, rate: float, burst: int, headers: str) -> None:
        self._rate = rate
        self._burst = burst
        self._headers = headers
        self._tokens = float(burst)
        self._updated: float | None = None
        self.log = _Log()

    def answer(self, now: float) -> bytes:
        """Return the whole response to one request."""
        passed = 0.0 if self._updated is None else now - self._updated
        self._updated = now
        self._tokens = min(self._burst, self._tokens + passed * self._rate)
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            self.log.accepted.append(now)
            return _response("200 OK", USER, self._limits())
        self.log.refused.append(now)
        headers = self._limits()
        if self._headers != "none":
            headers["Retry-After"] = str(self._seconds_to(1.0))
        return _response("429 Too Many Requests", b'{"message": "Rate limit exceeded."}', headers)

    def _limits(self) -> dict[str, str]:
        if self._headers != "all":
            return {}
        left = math.floor(self._tokens)
        reset = self._seconds_to(self._burst if left else 1.0)
        return {"RateLimit-Limit": str(self._burst), "RateLimit-Remaining": str(left), "RateLimit-Reset": str(reset)}

    def _seconds_to(self, tokens: float) -> int:
        return max(0, math.ceil((tokens - self._tokens) / self._rate))


def _response(status: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _serve(bucket: _Bucket) -> None:
    loop = asyncio.get_running_loop()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /log "):
                    log = {"accepted": bucket.log.accepted, "refused": bucket.log.refused}
                    writer.write(_response("200 OK", json.dumps(log).encode(), {"Connection": "close"}))
                else:
                    await asyncio.sleep(LATENCY / 2)
                    response = bucket.answer(loop.time())
                    await asyncio.sleep(LATENCY / 2)
                    writer.write(response)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def _call(url: str, calls: int, tasks: int) -> None:
    from circleci_async import CircleCI, RetryPolicy

    async with CircleCI("the-token", host=url, retry=RetryPolicy(attempts=100)) as circle:
        left = iter(range(calls))

        async def work() -> None:
            for _ in left:
                await circle.users.me()

        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)  # until it is closed
        async with asyncio.TaskGroup() as group:
            for _ in range(tasks):
                group.create_task(work())


def main() -> None:
    """Run the server or a client: what `measure` starts in processes of their own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quota")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("rate", type=float)
    serve.add_argument("burst", type=int)
    serve.add_argument("headers", choices=("retry-after", "all", "none"))
    call = commands.add_parser("call")
    call.add_argument("url")
    call.add_argument("calls", type=int)
    call.add_argument("tasks", type=int)
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        if options.command == "serve":
            asyncio.run(_serve(_Bucket(options.rate, options.burst, options.headers)))
        else:
            asyncio.run(_call(options.url, options.calls, options.tasks))


if __name__ == "__main__":
    main()
