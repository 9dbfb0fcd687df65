"""A service that harvests the artifacts of each successful workflow, triggered by webhooks.

    export CIRCLE_TOKEN=... CIRCLE_WEBHOOK_SECRET=...
    export HARVEST_PROJECTS="gh/acme/api gh/acme/web" HARVEST_INTO=artifacts
    uvicorn --factory service:create_app

Create a webhook for each project that delivers `workflow-completed` to `/hooks/circleci`. `/harvests` lists the latest
harvests.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.routing import Route

import circleci_async as ca
from circleci_async.models import WebhookEvent

CATCH_UP_EVERY = 3600.0
"""Seconds between harvests of all projects, which find the workflows of missed webhooks."""

DRAIN = 2.0
"""Seconds to wait for running harvests at the end. A longer one continues when the service catches up."""

log = logging.getLogger("uvicorn.error")  # uvicorn shows it by default


class Harvest(BaseModel):
    """The result of one harvest."""

    reason: str
    files: list[str]
    failed: list[str]


class Harvester:
    """Runs one harvest at a time, since the ledger of the destination folder accepts one writer."""

    def __init__(self, circle: ca.CircleCI, folder: Path, projects: list[str]) -> None:
        self.latest: deque[Harvest] = deque(maxlen=100)
        self._circle = circle
        self._folder = folder
        self._projects = projects
        self._lock = asyncio.Lock()

    async def on_event(self, event: WebhookEvent) -> None:
        """Harvest a successful workflow. The webhook is already acknowledged, so this may take long."""
        workflow, project = event.workflow, event.project
        if event.type != "workflow-completed" or not workflow or not project or not project.slug:
            return
        if workflow.status == "success":
            reason = f"{workflow.name} of {project.slug}"
            await self._harvest(reason, [project.slug], ca.Selection(workflow_id=workflow.id))

    async def catch_up(self) -> None:
        """Harvest all projects at the start and then regularly, to find workflows without an event."""
        while self._projects:
            try:
                await self._harvest("catching up", self._projects, ca.Selection(since="2d", status="success"))
            except ca.CircleCIError as error:
                log.warning("catching up failed, next attempt in %.0f s: %s", CATCH_UP_EVERY, error)
            await asyncio.sleep(CATCH_UP_EVERY)

    async def _harvest(self, reason: str, projects: list[str], select: ca.Selection) -> None:
        async with self._lock:
            report = await self._circle.harvest(projects, self._folder, select=select)
            files = [str(file.path.relative_to(self._folder)) for file in report.files]
            failed = [str(failure) for failure in report.failed]
        self.latest.appendleft(Harvest(reason=reason, files=files, failed=failed))
        log.info("%s: %d files, %d failed", reason, len(files), len(failed))


def create_app() -> FastAPI:
    """Create the application from the environment. Raises `ca.CircleCIError` for an invalid setting."""
    circle = ca.CircleCI()
    folder = Path(os.environ.get("HARVEST_INTO", "artifacts")).absolute()
    harvester = Harvester(circle, folder, os.environ.get("HARVEST_PROJECTS", "").split())
    secret = os.environ.get("CIRCLE_WEBHOOK_SECRET", "")
    receiver = ca.webhooks.Receiver(secret, harvester.on_event, drain=DRAIN)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with circle, receiver:  # the receiver closes first: its queued events need the client
            catching_up = asyncio.create_task(harvester.catch_up())
            yield
            catching_up.cancel()  # the next harvest continues from the ledger
            with suppress(asyncio.CancelledError):
                await catching_up

    hook = Route("/hooks/circleci", receiver.asgi, methods=["POST"])
    app = FastAPI(title="Artifacts", lifespan=lifespan, routes=[hook])

    @app.get("/harvests")
    async def harvests() -> list[Harvest]:
        return list(harvester.latest)

    @app.get("/health")
    async def health() -> dict[str, int]:
        stats = circle.stats()
        return {"requests": stats.requests, "retries": stats.retries, "events_pending": receiver.stats.pending}

    return app
