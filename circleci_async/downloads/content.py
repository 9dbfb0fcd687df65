"""The content of one small artifact, in memory."""

import asyncio
import io
from codecs import BOM_UTF8
from posixpath import basename
from typing import Any
from urllib.parse import unquote, urlsplit

from ..core.arguments import check_positive_integer
from ..core.bounded_body import UnknownEncoding, content_encoding, read_bounded
from ..core.gzip_decoder import GzipError
from ..core.json_parts import MAX_AT_ONCE
from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..errors import DecodeError, DownloadError, InvalidArgument
from ..models.artifacts import Artifact
from ..untrusted_text import shown


async def read(session: Session, given: Artifact | str, max_bytes: int) -> bytes:
    """Return the bytes of an artifact, decompressed if the server sends them compressed; see `Artifacts.read`."""
    artifact = _artifact(given)
    del given  # it can be a signed URL
    name = shown(artifact.path)
    check_positive_integer("max_bytes", max_bytes)
    body = ResumableBody(session, artifact.url)
    parts: list[bytes] = []
    try:
        await body.connect()
        _check_size(name, body.size, max_bytes)
        async for part in body:
            if part.restarted:
                parts.clear()
            parts.append(part.data)
            _check_size(name, body.size, max_bytes, received=body.received)
    finally:
        body.close()
    encoding = content_encoding({"Content-Encoding": body.content_encoding or ""})
    if not encoding:
        return b"".join(parts)
    left = iter(parts)

    async def read_some() -> bytes:
        return next(left, b"")

    try:
        content, is_complete = await read_bounded(read_some, max_bytes, encoding=encoding)
    except (GzipError, UnknownEncoding) as error:
        raise DownloadError(f"{name}: cannot be decoded: {error}") from None
    _check_size(name, None, max_bytes, received=max_bytes if is_complete else max_bytes + 1)
    return content


async def read_text(session: Session, given: Artifact | str, encoding: str, max_bytes: int) -> str:
    """Return the text of an artifact; see `Artifacts.read_text`."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding or "")  # None would be the encoding of the locale
    except (LookupError, TypeError, ValueError):
        raise InvalidArgument(f"encoding must be a text encoding such as 'utf-8', got {encoding!r}") from None
    artifact = _artifact(given)
    del given
    content = await read(session, artifact, max_bytes)
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        at = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise _undecodable(session, artifact, f"not {encoding}{at}", content) from None


async def read_json(session: Session, given: Artifact | str, max_bytes: int) -> Any:
    """Return the parsed JSON of an artifact; see `Artifacts.read_json`."""
    from ..core.codec import loads

    artifact = _artifact(given)
    del given
    content = (await read(session, artifact, max_bytes)).removeprefix(BOM_UTF8)
    try:
        if not content.strip():
            raise DecodeError(("the file is empty",))
        return await asyncio.to_thread(loads, content) if len(content) > MAX_AT_ONCE else loads(content)
    except DecodeError as error:
        fault = error.message
    raise _undecodable(session, artifact, fault, content)


def _artifact(given: Artifact | str) -> Artifact:
    """Return the artifact; for a URL, one that is named by the last part of its path."""
    if isinstance(given, Artifact):
        return given
    if not isinstance(given, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # for callers without a type checker
        raise InvalidArgument(f"artifact must be an Artifact or its URL, got {given!r}")
    try:
        name = basename(unquote(urlsplit(given).path))
    except ValueError:
        name = ""
    return Artifact(path=name or "artifact", node_index=0, url=given)


def _check_size(name: str, size: int | None, max_bytes: int, *, received: int = 0) -> None:
    if max(size or 0, received) > max_bytes:
        found = (
            f"more than max_bytes={max_bytes} bytes"
            if size is None
            else f"{size} bytes, more than max_bytes={max_bytes}"
        )
        raise DownloadError(f"{name}: {found}: raise max_bytes, or use `artifacts.download` or `artifacts.open`")


def _undecodable(session: Session, artifact: Artifact, fault: str, content: bytes) -> DecodeError:
    from ..core.error_bodies import MAX_BODY

    body = session.redact(content[:MAX_BODY].decode(errors="replace"))
    error = DecodeError((session.redact(fault),), body=body)
    error.what = f"artifact {shown(artifact.path)}"
    return error
