"""Behaviours for `raw_server` that serve files, with the faults that a test needs."""

import asyncio
import random
import re
from collections.abc import Mapping
from pathlib import Path

import circleci_async as ca
from circleci_async.models import Artifact
from tests.raw_server import Behaviour, RawServer, Request, answer

TOKEN = "s3cret-t0ken"


def random_bytes(size: int, seed: object = 0) -> bytes:
    """Return bytes that differ for each seed, so that two versions of a file can be distinguished."""
    return random.Random(repr(seed)).randbytes(size)


def client(api: RawServer, *trusted: RawServer, attempts: int = 5, concurrency: int = 32) -> ca.CircleCI:
    """Return a client of `api` with very short delays, which also trusts these artifact hosts."""
    return ca.CircleCI(
        TOKEN,
        host=api.url,
        artifact_hosts=[server.host for server in trusted],
        retry=ca.RetryPolicy(attempts=attempts, initial_delay=0.001, max_delay=0.01),
        concurrency=concurrency,
    )


def artifact_at(server: RawServer, path: str = "report.bin", *, node: int = 0, address: str = "/file") -> Artifact:
    return Artifact(path=path, node_index=node, url=server.url + address)


def all_files(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, hidden and partial ones included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if not path.is_dir()}


def served(
    content: bytes,
    *,
    etag: str | None = '"v1"',
    ranges: bool = True,
    length: bool = True,
    cut: int | None = None,
    then: Behaviour | None = None,
    headers: Mapping[str, str] | None = None,
) -> Behaviour:
    """Serve a file as S3 does. With `cut`, send that many bytes of the body, then close, or continue with `then`."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        status, begin, end = 200, 0, len(content)
        fields = {} if etag is None else {"ETag": etag}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if ranges and wanted and request.headers.get("if-range", etag) == etag:
            status, begin = 206, int(wanted[1])
            if begin >= len(content):
                return await answer(416, "no such range")(request, writer)
            end = int(wanted[2]) + 1 if wanted[2] else end
            fields["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
        if length:
            fields["Content-Length"] = str(end - begin)
        else:
            fields["Connection"] = "close"
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**fields, **(headers or {})}.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + content[begin:end][:cut])
        await writer.drain()
        if then is not None:
            return await then(request, writer)
        return length and cut is None

    return behave


def chunked(content: bytes, *, cut: int | None = None, size: int = 1000, headers: str = "") -> Behaviour:
    """Serve a file in chunks, without its length; with `cut`, send that many bytes without the final chunk."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        writer.write(f"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n{headers}\r\n".encode())
        sent = content[:cut]
        for begin in range(0, len(sent), size):
            chunk = sent[begin : begin + size]
            writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if cut is None:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return cut is None

    return behave


def in_sequence(*behaviours: Behaviour) -> Behaviour:
    """Answer each request with the next behaviour, and all further ones with the last."""
    left = list(behaviours)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        return await (left.pop(0) if len(left) > 1 else left[0])(request, writer)

    return behave


def by_path(behaviours: Mapping[str, Behaviour]) -> Behaviour:
    """Answer each request with the behaviour of its path, others with 404."""
    missing = answer(404, {"message": "no such artifact"})

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        return await behaviours.get(request.path, missing)(request, writer)

    return behave


def redirect(location: str) -> Behaviour:
    return answer(302, b"", {"Location": location})
