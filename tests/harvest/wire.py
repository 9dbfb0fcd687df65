"""The bytes between a client and an embedded CircleCI: forwards requests, and spoils responses as faulty servers do."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from circleci_async.testing import FakeCircleCI
from tests.raw_server import Request, raw_server, reset

ETAGS: dict[str, bytes] = {
    "weak": b'W/"%b"',
    "not quoted": b"%b",
    "not text": b'"v\xff%b"',
    "cut off": b'"%b',
    "several": b'"%b", "other"',
    "long": b'"%b' + 4_000 * b"e" + b'"',
    "too long": b'"%b' + 20_000 * b"e" + b'"',
    "control character": b'"%b\x01"',
}
"""ETags that servers must not send or clients often read wrongly; `%b` is the digest of the content."""

LENGTHS = ("missing", "longer", "shorter", "larger than any disk", "not a number", "negative", "twice")
"""What a lying Content-Length is."""

PARTS = ("without ETag", "with another ETag", "with another date", "without range", "with another range")
"""What is wrong with a 206, whose bytes are wrong too: a client must not take it for the rest of a body.

With another date the bytes are right: the date of a partial file of an earlier process is not known.
"""

UNSOLICITED_FOLLOWS = "an unsolicited response follows"

STORAGE_FAULTS = (
    *(f"ETag: {name}" for name in ETAGS),
    *(f"Content-Length: {name}" for name in LENGTHS),
    *(f"a part: {name}" for name in PARTS),
    UNSOLICITED_FOLLOWS,
)
"""The names of all faults of responses of the storage."""

MIN_CUT = 1_000
"""Bytes of the shortest body that is interrupted."""

UNSOLICITED = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 5\r\n\r\nwrong'


@dataclass
class StorageFault:
    """A fault of the responses of the storage to `path`, or to all paths."""

    name: str
    path: str | None = None
    times: int | None = None
    """How many responses it affects; all if None."""

    def applies_to(self, path: str) -> bool:
        return (self.path is None or self.path == path) and self.times != 0


@dataclass
class Answer:
    """A response as bytes."""

    first: bytes
    headers: dict[str, bytes]
    body: bytes

    @classmethod
    def parse(cls, received: bytes) -> "Answer | None":
        head, separator, body = received.partition(b"\r\n\r\n")
        if not separator:
            return None
        first, *lines = head.split(b"\r\n")
        pairs = (line.partition(b": ") for line in lines)
        return cls(first, {name.decode().lower(): value for name, _, value in pairs}, body)

    @property
    def status(self) -> int:
        return int(self.first.split(b" ")[1])

    @property
    def is_whole(self) -> bool:
        return self.headers.get("content-length") == b"%d" % len(self.body)

    def encode(self) -> bytes:
        lines = b"".join(b"%b: %b\r\n" % (name.encode(), value) for name, value in self.headers.items())
        return b"%b\r\n%b\r\n%b" % (self.first, lines, self.body)


@dataclass
class Wire:
    """Forwards the requests to the API and to the storage."""

    fake: FakeCircleCI
    on_short: Callable[[str, bytes], None]
    """Called with the path and the bytes of a response whose Content-Length announces fewer bytes than there are."""
    url: str = ""
    """The root URL of the API."""
    spoiled: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the API answers instead: by the id of an item or the URL of an artifact, values of its fields."""
    storage_faults: list[StorageFault] = field(default_factory=list)
    hits: int = 0
    """Faulty responses so far."""

    async def api(self, request: Request, writer: asyncio.StreamWriter) -> bool | None:
        """Answer a request to the API."""
        answer = await _forward(self.fake.url.removeprefix("http://"), request)
        if answer is None:
            await reset(request, writer)
            return False
        if answer.status == 200 and answer.is_whole:
            self._spoil(answer)
        is_whole = answer.is_whole
        writer.write(answer.encode())
        await writer.drain()
        return is_whole

    def _spoil(self, answer: Answer) -> None:
        try:
            content = json.loads(answer.body)
        except ValueError:
            return
        items = content.get("items") if isinstance(content, dict) else None
        for item in items or ():
            if isinstance(item, dict) and (fields := self.spoiled.get(str(item.get("id") or item.get("url")))):
                item.update(fields)
                self.hits += 1
        answer.body = json.dumps(content).encode()
        answer.headers["content-length"] = b"%d" % len(answer.body)

    async def storage(self, request: Request, writer: asyncio.StreamWriter) -> bool | None:
        """Answer a request to the storage."""
        answer = await _forward(self.fake.storage_host, request)
        if answer is None:
            await reset(request, writer)
            return False
        is_whole = answer.is_whole
        fault = next((each for each in self.storage_faults if each.applies_to(request.path)), None)
        if fault is not None and is_whole and answer.status in {200, 206}:
            self.hits += 1
            if fault.times is not None:
                fault.times -= 1
            is_whole = self._apply(fault.name, request.path, answer)
        writer.write(answer.encode())
        await writer.drain()
        return is_whole

    def _apply(self, fault: str, path: str, answer: Answer) -> bool:
        """Change a response; return whether the connection stays open."""
        kind, _, value = fault.partition(": ")
        if kind == "Content-Length":
            return self._lie(value, path, answer)
        if fault == UNSOLICITED_FOLLOWS:
            answer.body += UNSOLICITED
            return True
        if kind == "ETag":
            answer.headers["etag"] = ETAGS[value] % answer.headers["etag"].strip(b'"')
        elif answer.status == 206:
            _spoil_part(value, answer)
        if answer.status == 206 or len(answer.body) < MIN_CUT or self.hits % 2:
            return True
        answer.body = answer.body[: len(answer.body) * 2 // 3]  # so that a part is requested
        return False

    def _lie(self, value: str, path: str, answer: Answer) -> bool:
        length = len(answer.body)
        if value == "shorter":
            if answer.status != 200 or not length:
                return True
            self.on_short(path, answer.body[: length // 2])
            answer.headers["content-length"] = b"%d" % (length // 2)
            return True
        if value == "missing":
            del answer.headers["content-length"]
            answer.headers["connection"] = b"close"
            return False
        lies = {"longer": length + 7, "larger than any disk": 10**18, "negative": -1}
        lie = b"%d" % lies[value] if value in lies else {"not a number": b"many", "twice": b"%d, 1" % length}[value]
        answer.headers["content-length"] = lie
        return False


def _spoil_part(fault: str, answer: Answer) -> None:
    if fault != "with another date":
        answer.body = bytes(len(answer.body))
    if fault == "without ETag":
        del answer.headers["etag"]
    elif fault == "with another ETag":
        answer.headers["etag"] = b'"another"'
    elif fault == "with another date":
        answer.headers["last-modified"] = b"Thu, 01 Jan 1970 00:00:00 GMT"
    elif fault == "without range":
        del answer.headers["content-range"]
    else:
        start, _, rest = answer.headers["content-range"].removeprefix(b"bytes ").partition(b"-")
        answer.headers["content-range"] = b"bytes %d-%b" % (int(start) - 1, rest)


async def _forward(host: str, request: Request) -> Answer | None:
    """Send a request to a server; return its response, or None without one."""
    address, _, port = host.rpartition(":")
    reader, writer = await asyncio.open_connection(address, int(port))
    headers = {**request.headers, "host": host, "connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    try:
        writer.write(f"{request.method} {request.target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
        answer = Answer.parse(await reader.read())
    except ConnectionError:
        return None
    finally:
        writer.close()
    if answer is not None:
        answer.headers.pop("connection", None)
    return answer


@asynccontextmanager
async def wire(fake: FakeCircleCI, on_short: Callable[[str, bytes], None]) -> AsyncGenerator[Wire]:
    """Forward the requests to an embedded CircleCI while the block runs."""
    forwards = Wire(fake, on_short)
    async with raw_server(forwards.api) as api, raw_server(forwards.storage) as storage:
        forwards.url = api.url
        fake._artifacts.storage_url = storage.url
        yield forwards
