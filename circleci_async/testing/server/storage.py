"""The artifact host, which requires the token, and the storage, which serves signed URLs and refuses the token."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import unquote, urlencode

from ..state.builds import Artifact
from ..state.content import Extract
from ..state.engine import Engine
from ..state.steps import Step
from ..state.usage import UsagePart, find_part
from ..state.world import World
from .calls import digits
from .credentials import Accounts, sent_token
from .exchange import Request, Response, error_response, storage_error

_DATE = "%Y%m%dT%H%M%SZ"
_EXPIRED = timedelta(hours=1)


class Signer:
    """Signs paths (unescaped) for `lifetime` seconds."""

    def __init__(self, secret: bytes, lifetime: float, clock: Callable[[], datetime]) -> None:
        self._secret = secret
        self._lifetime = lifetime
        self._clock = clock

    def sign(self, path: str, *, expired: bool = False) -> str:
        """Return the query of a signed URL; with `expired`, of one that has expired."""
        now = self._clock().astimezone(UTC)
        if expired:
            now -= _EXPIRED + timedelta(seconds=self._lifetime)
        date = now.strftime(_DATE)
        # The date has whole seconds: add the fraction to the lifetime.
        expires = f"{self._lifetime + now.microsecond / 1e6:.6f}".rstrip("0").rstrip(".")
        return urlencode(
            {
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": f"FAKE/{date[:8]}/us-east-1/s3/aws4_request",
                "X-Amz-Date": date,
                "X-Amz-Expires": expires,
                "X-Amz-SignedHeaders": "host",
                "X-Amz-Signature": self._signature("GET", path, date, expires),
            }
        )

    def valid(self, method: str, path: str, query: Mapping[str, str]) -> bool:
        """Return whether the query was signed here for this method and path, at any time."""
        date, expires = query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")
        signature = query.get("X-Amz-Signature", "").encode()
        return hmac.compare_digest(signature, self._signature(method, path, date, expires).encode())

    def expired(self, query: Mapping[str, str]) -> bool:
        """Return whether a valid query has expired."""
        begin = datetime.strptime(query["X-Amz-Date"], _DATE).replace(tzinfo=UTC)
        return self._clock() > begin + timedelta(seconds=float(query["X-Amz-Expires"]))

    def _signature(self, *parts: str) -> str:
        return hmac.digest(self._secret, "\n".join(parts).encode(), hashlib.sha256).hex()


class ArtifactOrigin:
    """Answers `/output/job/<job>/artifacts/<node>/<path>` with a redirect to a signed URL of the storage.

    `url` and `storage_url` are the URLs of the two origins, set when they listen.
    """

    def __init__(self, world: World, engine: Engine, signer: Signer, accounts: Accounts) -> None:
        self.url = ""
        self.storage_url = ""
        self._world = world
        self._engine = engine
        self._signer = signer
        self._accounts = accounts

    def answer(self, request: Request, *, expired: bool = False) -> Response:
        """Answer a request; with `expired`, the signature of the redirect has already expired."""
        self._engine.advance()
        if request.method not in ("GET", "HEAD"):
            return error_response(405, "Method not allowed.", {"Allow": "GET, HEAD"})
        token = sent_token(request.headers)
        if token is not None and self._accounts.user_of(token) is None:
            return error_response(401, "Invalid token provided.")
        artifact = self._find(request.path)
        if token is None and (artifact is None or not artifact.job.project.public):
            return error_response(401, "You must log in first.")
        if artifact is None:
            return error_response(404, "Not found")
        query = self._signer.sign(unquote(artifact.key), expired=expired)
        location = f"{self.storage_url}{artifact.key}?{query}"
        return Response(302, b"", {"Location": location, "Cache-Control": "no-store"})

    def _find(self, path: str) -> Artifact | None:
        match path.split("/", 6):
            case ["", "output", "job", job, "artifacts", node, rest]:
                return find_artifact(self._world, job, node, rest)
            case _:
                return None


def find_artifact(world: World, job_id: str, node: str, path: str) -> Artifact | None:
    """Return an artifact by the parts of its URL, or None; `path` is escaped."""
    job, number = world.jobs.get(job_id), digits(node)
    return None if job is None or number is None else job.artifact_at(number, unquote(path))


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
