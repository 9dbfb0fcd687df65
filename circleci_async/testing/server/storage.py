"""The storage's origin: serves signed URLs, and refuses requests with a token."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import unquote

from ..state.builds import Artifact
from ..state.content import Extract
from ..state.steps import Step
from ..state.usage import UsagePart, find_part
from ..state.world import World
from .artifacts import find_artifact
from .exchange import Request, Response, storage_error
from .signatures import Signer

_CREDENTIALS = ("Authorization", "Circle-Token", "Cookie")
_ONE_MECHANISM = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
    "the Authorization header should be specified"
)
_RANGE = re.compile("bytes=([0-9]{0,18})-([0-9]{0,18})")


class StorageOrigin:
    """Serves `/bucket/<job>/<node>/<path>`, `/action-output/<job>/<n>` and `/usage/<export>/<part>`.

    `ranges`: whether it supports Range. `etags`: whether it sends ETag.
    """

    def __init__(self, world: World, signer: Signer, *, ranges: bool, etags: bool) -> None:
        self._world = world
        self._signer = signer
        self._ranges = ranges
        self._etags = etags

    def answer(self, request: Request, *, expired: bool = False) -> Response:
        """Answer a request; with `expired`, as if the signature had expired."""
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
            return find_part((each.usage for each in self._world.organizations.values()), path)
        if path.startswith("/action-output/"):
            return find_step(self._world, path)
        _, _, job, node, rest = path.split("/", 4)
        return find_artifact(self._world, job, node, rest)

    def _send(self, stored: Artifact | Step | UsagePart, headers: Mapping[str, str]) -> Response:
        content = stored.content
        response_headers = {
            "Content-Type": "application/json" if isinstance(stored, Step) else "binary/octet-stream",
            "Last-Modified": format_datetime(stored.modified, usegmt=True),
        }
        if self._etags:
            response_headers["ETag"] = content.etag
        if self._ranges:
            response_headers["Accept-Ranges"] = "bytes"
        if_match = headers.get("If-Match")
        if (
            if_match is not None
            and if_match != "*"
            and content.etag not in [tag.strip() for tag in if_match.split(",")]
        ):
            return storage_error(
                412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"
            )
        bounds = _parse_range(headers.get("Range"), content.size) if self._ranges else None
        if bounds is None or not self._unchanged(headers.get("If-Range"), stored):
            return Response(200, Extract(content, 0, content.size), response_headers)
        start, stop = bounds
        if start >= stop:
            return storage_error(
                416,
                "InvalidRange",
                "The requested range is not satisfiable",
                {"Content-Range": f"bytes */{content.size}"},
            )
        response_headers["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size}"
        return Response(206, Extract(content, start, stop), response_headers)

    def _unchanged(self, condition: str | None, stored: Artifact | Step | UsagePart) -> bool:
        """Return whether If-Range allows a partial response: its ETag or date must match."""
        if condition is None:
            return True
        if condition.startswith(('"', "W/")):
            return self._etags and condition == stored.content.etag
        return _date(condition) == stored.modified.replace(microsecond=0)


def find_step(world: World, path: str) -> Step | None:
    """Return a step by the path of its output, or None."""
    job = world.jobs.get(path.split("/")[2])
    return next((step for step in job.steps if step.key == path), None) if job is not None else None


def _parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Parse a Range header into start and stop; None for the whole content."""
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
    except (ValueError, OverflowError):
        return None
