"""Checks that a call left nothing behind: no task, no request in flight, no connection outside the pool."""

import asyncio
from pathlib import Path
from typing import Any

import circleci_async as ca

PACKAGE = str(Path(ca.__file__).parent)


def tasks_of_the_package() -> list["asyncio.Task[Any]"]:
    """Return the tasks that run code of the package or close one of its generators."""
    return [task for task in asyncio.all_tasks() if _is_of_the_package(task.get_coro())]


def check_nothing_in_use(circle: ca.CircleCI) -> None:
    """Check that no request is in flight and every connection is back in the pool."""
    assert circle.stats.in_flight == 0
    http = circle._session.state.transport._http
    assert http is None or http.connector is None or not http.connector._acquired


async def check_nothing_is_left(circle: ca.CircleCI) -> None:
    """Wait until the event loop has closed generators that a `break` left open, then check that nothing is left."""
    for _ in range(200):
        if not tasks_of_the_package():
            break
        await asyncio.sleep(0.005)
    assert tasks_of_the_package() == []
    check_nothing_in_use(circle)


def _is_of_the_package(coroutine: Any) -> bool:
    code = getattr(coroutine, "cr_code", None)
    return code is None or code.co_filename.startswith(PACKAGE)
