"""A minimal server in a separate process, so that mostly the client's work is measured.

It has three ports like CircleCI: the API, the artifact host (which redirects), and the storage.
"""

import asyncio
import json
import random
from functools import cache, partial

PAGES = 500
PAGE_SIZE = 20
FILES = 2000
BIG = 1024 * 1024 * 1024
SLICE = bytes(256 * 1024)
LOGS = {1: 1024 * 1024, 2: 50 * 1024 * 1024}
"""Job number -> size of its log in bytes."""

USER = {"id": "5f1a6e0c-6a7b-4c51-9f0e-8d6c5a3b2a10", "login": "octocat", "name": "Octo Cat"}


def file_sizes() -> list[int]:
    """Return the sizes of the small artifacts: 1 to 64 KiB, the same in every run."""
    rng = random.Random(7)
    return [rng.randint(1024, 64 * 1024) for _ in range(FILES)]


def pipeline(number: int) -> dict[str, object]:
    """Return a pipeline as API v2 returns it."""
    return {
        "id": f"{number:08x}-6a7b-4c51-9f0e-8d6c5a3b2a10",
        "errors": [],
        "project_slug": "gh/acme/api",
        "updated_at": "2026-11-20T19:45:58.517Z",
        "number": number,
        "state": "created",
        "created_at": "2026-11-20T19:45:58.517Z",
        "trigger": {
            "type": "webhook",
            "received_at": "2026-11-20T19:45:58.489Z",
            "actor": {"login": "octocat", "avatar_url": "https://avatars.example.com/u/1?v=4"},
        },
        "vcs": {
            "provider_name": "GitHub",
            "origin_repository_url": "https://github.com/acme/api",
            "target_repository_url": "https://github.com/acme/api",
            "revision": "ca67134f650e362133e51a9ffdb8e5ddc7fa53a5",
            "branch": "main",
            "commit": {"subject": "Make it faster", "body": "By doing less."},
        },
    }


def build(output_url: str) -> dict[str, object]:
    """Return a job as API v1.1 returns it; its only step failed."""
    action = {
        "name": "pytest",
        "step": 101,
        "index": 0,
        "status": "failed",
        "failed": True,
        "exit_code": 1,
        "start_time": "2026-11-20T19:45:58.517Z",
        "end_time": "2026-11-20T19:49:58.517Z",
        "run_time_millis": 240000,
        "has_output": True,
        "output_url": output_url,
    }
    return {"build_num": 1, "status": "failed", "steps": [{"name": "pytest", "actions": [action]}]}


@cache
def log(job: int) -> bytes:
    """Return the stored, colored log of a job's step; made on first use."""
    line = "\x1b[32mPASSED\x1b[0m tests/test_orders.py::test_an_order_is_placed[{}]\r\n"
    text = "".join(line.format(number) for number in range(1000))
    messages = [
        {"message": text, "time": f"2026-11-20T19:{second // 60:02}:{second % 60:02}.517Z", "type": "out"}
        for second in range(LOGS[job] // len(text))
    ]
    return response(json.dumps(messages).encode())


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return the bytes of a response."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Responses:
    """All responses, most of them made before the first request."""

    def __init__(self) -> None:
        self.by_target = {"/api/v2/me": response(json.dumps(USER).encode())}
        for page in range(PAGES):
            items = [pipeline(PAGES * PAGE_SIZE - page * PAGE_SIZE - n) for n in range(PAGE_SIZE)]
            token = f"t{page + 1}" if page + 1 < PAGES else None
            query = f"?page-token=t{page}" if page else ""
            body = json.dumps({"items": items, "next_page_token": token}).encode()
            self.by_target[f"/api/v2/project/gh/acme/api/pipeline{query}"] = response(body)
        content = random.Random(1).randbytes(64 * 1024)
        self.storage = {
            f"/bucket/{n}": response(content[:size], f'ETag: "{n}-{size}"') for n, size in enumerate(file_sizes())
        }

    def find(self, target: str, storage: str) -> bytes:
        """Return the response to a request."""
        if found := self.by_target.get(target):
            return found
        path = target.partition("?")[0]
        if path.startswith("/api/v1.1/"):
            url = f"{storage}/bucket/log-{path.rpartition('/')[2]}?X-Amz-Signature=0123456789abcdef"
            return response(json.dumps(build(url)).encode())
        if path.startswith("/bucket/log-"):
            return log(int(path.rpartition("-")[2]))
        if path.startswith("/bucket/"):
            return self.storage[path]
        name = path.rpartition("/")[2]
        return response(b"", f"Location: {storage}/bucket/{name}?X-Amz-Signature=0123456789abcdef", status="302 Found")


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, responses: Responses, storage: str) -> None:
        self.responses = responses
        self.storage = storage
        self.left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        target = data.split(b" ", 2)[1].decode()
        if target.startswith("/bucket/big-"):
            self.left = int(target.partition("?")[0].rpartition("-")[2])
            self.transport.write(f'HTTP/1.1 200 OK\r\nContent-Length: {self.left}\r\nETag: "big"\r\n\r\n'.encode())
            self.resume_writing()
        else:
            self.transport.write(self.responses.find(target, self.storage))

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        while self.left and not self.paused:
            part = SLICE[: self.left]
            self.left -= len(part)
            self.transport.write(part)


async def serve() -> None:
    """Print the addresses of the API and of the artifact host, then serve until killed."""
    responses = Responses()
    loop = asyncio.get_running_loop()
    addresses: list[str] = []
    for _ in range(3):
        connect = partial(Connection, responses, addresses[0] if addresses else "")
        server = await loop.create_server(connect, "127.0.0.1", 0)
        addresses.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    _, artifacts, api = addresses
    print(api, artifacts, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
