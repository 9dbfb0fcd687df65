"""docs/design.md shows the stack of a real request."""

import re
import sys
from types import FrameType
from typing import Any

import aiohttp
import pytest

import circleci_async
from circleci_async.testing import FakeCircleCI

from .pages import DOCS

_PACKAGE = circleci_async.__name__
_SECTION = re.compile(r"^## A request\n.*?^```text\n(?P<diagram>.*?)^```", re.MULTILINE | re.DOTALL)


async def test_the_diagram_of_a_request_shows_the_frames_before_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[str] = []
    send = aiohttp.ClientSession._request

    async def record(*args: Any, **options: Any) -> aiohttp.ClientResponse:
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.startswith(f"{_PACKAGE}.") and not module.startswith(f"{_PACKAGE}.testing"):
                frames.insert(0, frame.f_code.co_qualname)
            frame = frame.f_back
        return await send(*args, **options)

    async with FakeCircleCI() as fake, fake.client() as circle:
        monkeypatch.setattr(aiohttp.ClientSession, "_request", record)
        await circle.users.me()
    section = _SECTION.search((DOCS / "design.md").read_text("utf-8"))
    assert section
    assert frames == [line.split()[0] for line in section["diagram"].splitlines()]
    assert len(frames) <= 6
