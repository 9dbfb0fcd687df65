"""The storage's origin: bytes for whoever has a signed address, and for nobody who shows a token."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import unquote

from ..state.content import Extract
from ..state.jobs import Artifact
from ..state.steps import Step
from ..state.usage import UsagePart, find_part
from ..state.world import World
from .artifacts import find_artifact
from .exchange import Received, Reply, storage_error
from .signatures import Signer

_CREDENTIALS = ("Authorization", "Circle-Token", "Cookie")
_ONE_MECHANISM = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
    "the Authorization header should be specified"
)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class StorageOrigin:
    """Answers `/bucket/<job>/<node>/<path>`, `/action-output/<job>/<n>` and `/usage/<export>/<part>`, or a range of it.

    `ranges`: whether it understands Range. `etags`: whether it names the version of what it sends.
    """

    def __init__(self, world: World, signer: Signer, *, ranges: bool, etags: bool) -> None:
        self._world = world
        self._signer = signer
        self._ranges = ranges
        self._etags = etags

    def answer(self, request: Received, *, expired: bool = False) -> Reply:
        """Answer a request; `expired`: as if the signature's time were over."""
        if any(name in request.headers for name in _CREDENTIALS):
            return storage_error(400, "InvalidArgument", _ONE_MECHANISM)
        path = unquote(request.path)
        if "X-Amz-Signature" not in request.query:
            return storage_error(403, "AccessDenied", "Access Denied")
        if not self._signer.valid(request.method, path, request.query):
            return storage_error(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            )
        if expired or self._signer.expired(request.query):
            return storage_error(403, "AccessDenied", "Request has expired")
        stored = self._find(request.path)
        if stored is None:
            return storage_error(404, "NoSuchKey", "The specified key does not exist.")
        return self._send(stored, request.headers)

    def _find(self, path: str) -> Artifact | Step | UsagePart | None:
        if path.startswith("/usage/"):
            return find_part(self._world.organizations.values(), path)
        if path.startswith("/action-output/"):
            return find_step(self._world, path)
        _, _, job, node, rest = path.split("/", 4)
        return find_artifact(self._world, job, node, rest)

    def _send(self, stored: Artifact | Step | UsagePart, headers: Mapping[str, str]) -> Reply:
        content = stored.content
        answered = {
            "Content-Type": "application/json" if isinstance(stored, Step) else "binary/octet-stream",
            "Last-Modified": format_datetime(stored.modified, usegmt=True),
        }
        if self._etags:
            answered["ETag"] = content.etag
        if self._ranges:
            answered["Accept-Ranges"] = "bytes"
        wanted = headers.get("If-Match")
        if wanted is not None and wanted != "*" and content.etag not in [tag.strip() for tag in wanted.split(",")]:
            return storage_error(
                412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"
            )
        span = _asked(headers.get("Range"), content.size) if self._ranges else None
        if span is None or not self._unchanged(headers.get("If-Range"), stored):
            return Reply(200, Extract(content, 0, content.size), answered)
        start, stop = span
        if start >= stop:
            return storage_error(
                416,
                "InvalidRange",
                "The requested range is not satisfiable",
                {"Content-Range": f"bytes */{content.size}"},
            )
        answered["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size}"
        return Reply(206, Extract(content, start, stop), answered)

    def _unchanged(self, condition: str | None, stored: Artifact | Step | UsagePart) -> bool:
        """Tell whether If-Range allows a part: only if its ETag or date is that of what would be sent."""
        if condition is None:
            return True
        if condition.startswith(('"', "W/")):
            return self._etags and condition == stored.content.etag
        return _date(condition) == stored.modified.replace(microsecond=0)


def find_step(world: World, path: str) -> Step | None:
    """Find a step by the path of its output."""
    _, _, id, place = path.split("/")
    job = world.jobs.get(id)
    return job.steps[int(place)] if job is not None and int(place) < len(job.steps) else None


def _asked(header: str | None, size: int) -> tuple[int, int] | None:
    """Read a Range of one span, as first byte and the one after the last; None stands for the whole."""
    match = _RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size if int(last) else 0
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None
