"""Faults: failures of requests, planned by a test or returned by its hook."""

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from fnmatch import translate
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

from attrs import define, field

from ...config.log import log
from ...errors import InvalidArgument
from .exchange import JSON, Origin, Request, Response, error_response, phrase, storage_error

Body = str | bytes | Mapping[str, Any] | list[Any]


@define(eq=False)
class Fault:
    """A fault planned by `FakeCircleCI.fail`: `hits` counts the affected requests, `stop()` disables it.

    Also what the `on_request` function of a `FakeCircleCI` returns to answer or fail a request.
    """

    path: str = "*"
    method: str | None = None
    origin: Origin | None = None
    times: int | None = 1
    after: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(factory=dict[str, str])
    body: Body | None = None
    delay: float = 0.0
    reset: Literal["before", "after"] | None = None
    cut: int | None = None
    broken_json: bool = False
    expired: bool = False
    hits: int = field(default=0, init=False)
    _skipped: int = field(default=0, init=False)
    _pattern: re.Pattern[str] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        effects = (self.status, self.body, self.reset, self.cut)
        if effects == (None,) * 4 and not (self.headers or self.delay or self.broken_json or self.expired):
            raise InvalidArgument("fail() needs an effect: give status, headers, body, delay, reset, cut, ...")
        if self.expired and self.origin == "api":
            raise InvalidArgument(
                "expired must be used with the origin artifacts or storage: the API has no signatures"
            )
        self._pattern = re.compile(translate(self.path))

    @property
    def live(self) -> bool:
        """Whether it can still affect a request."""
        return self.times is None or self.hits < self.times

    def stop(self) -> None:
        """Disable the fault."""
        self.times = self.hits

    def matches(self, origin: Origin, method: str, path: str) -> bool:
        """Return whether the fault affects this request, and count it."""
        if (
            not self.live
            or (self.origin or origin) != origin
            or (self.method or method) != method
            or not (self._pattern.match(path) or self._pattern.match(unquote(path)))
        ):
            return False
        if self._skipped < self.after:
            self._skipped += 1
            return False
        self.hits += 1
        return True

    @property
    def replaces(self) -> bool:
        """Whether its response replaces the real one, so that the request has no effect."""
        return self.status is not None or self.body is not None

    def response(self, origin: Origin) -> Response:
        """Return the response that replaces the real one."""
        status = self.status or 200
        if self.body is None:
            return storage_error(status, "Fault", phrase(status)) if origin == "storage" else error_response(status)
        if isinstance(self.body, bytes):
            return Response(status, self.body, {"Content-Type": "application/octet-stream"})
        if isinstance(self.body, str):
            kind = "text/html" if self.body.lstrip().startswith("<") else "text/plain"
            return Response(status, self.body.encode(), {"Content-Type": f"{kind};charset=utf-8"})
        return Response(status, json.dumps(self.body).encode(), {"Content-Type": JSON})

    def apply(self, response: Response) -> None:
        """Apply the fault to a response."""
        if self.broken_json and isinstance(response.body, bytes):
            response.body = response.body[: max(1, len(response.body) * 2 // 3)]
        replaced = {name.lower() for name in self.headers}
        kept = {name: value for name, value in response.headers.items() if name.lower() not in replaced}
        response.headers = {**kept, **self.headers}


OnRequest: TypeAlias = Callable[[Request], Fault | Awaitable[Fault | None] | None]
"""A function, plain or async, that receives each request. A `Fault` that it returns affects the request."""


async def fault_of(hook: OnRequest, request: Request) -> Fault | None:
    """Call the hook, and return its fault, or one that reports its error."""
    try:
        returned = hook(request)
        fault = await returned if inspect.isawaitable(returned) else returned
        if fault is not None and not isinstance(fault, Fault):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may have no types
            raise TypeError(f"it must return a Fault or None, got {fault!r}")
    except Exception as error:
        log.exception("on_request failed for %s %s", request.method, request.path)
        fault = Fault(status=500, body={"message": f"on_request failed: {type(error).__name__}: {error}"})
    if fault is not None:
        fault.hits += 1
    return fault


class Faults:
    """The faults of a server, in the order of planning."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []

    def plan(self, fault: Fault) -> Fault:
        """Add a fault."""
        self._planned.append(fault)
        return fault

    def match(self, origin: Origin, method: str, path: str) -> Fault | None:
        """Return the first fault that affects a request, or None."""
        for fault in self._planned:
            if fault.matches(origin, method, path):
                return fault
        return None
