"""A service that keeps the artifacts of what CircleCI builds: a webhook in, a harvest out.

    export CIRCLE_TOKEN=... CIRCLE_WEBHOOK_SECRET=...
    export HARVEST_PROJECTS="gh/acme/api gh/acme/web" HARVEST_INTO=artifacts
    uvicorn --factory service:create_app

The webhook of each project delivers `workflow-completed` to `/hooks/circleci`. `/harvests` shows what has come.
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

CATCH_UP_EVERY = 3600.0
"""Seconds. A webhook makes a harvest prompt; this makes it complete, whatever was missed."""

log = logging.getLogger("uvicorn.error")  # the server's own, which is shown


class Harvest(BaseModel):
    """What one harvest has brought."""

    reason: str
    files: list[str]
    failed: list[str]


class Keeper:
    """Harvests into one folder, one harvest after another: the folder's ledger has one writer."""

    def __init__(self, circle: ca.CircleCI, folder: Path, projects: list[str]) -> None:
        self.latest: deque[Harvest] = deque(maxlen=100)
        self._circle = circle
        self._folder = folder
        self._projects = projects
        self._turn = asyncio.Lock()

    async def on_event(self, event: ca.WebhookEvent) -> None:
        """Harvest the workflow that has succeeded. CircleCI has its answer already, so this may take its time."""
        workflow, project = event.workflow, event.project
        if event.type != "workflow-completed" or not workflow or not project or not project.slug:
            return
        if workflow.status == "success":
            reason = f"{workflow.name} of {project.slug}"
            await self._harvest(reason, [project.slug], ca.Selection(workflow_id=workflow.id))

    async def catch_up(self) -> None:
        """Harvest what no event told of, as while the service was down: at the start, and then now and again."""
        while self._projects:
            try:
                await self._harvest("catching up", self._projects, ca.Selection(since="2d", status="success"))
            except ca.CircleCIError as error:
                log.warning("catching up failed, to be tried again later: %s", error)
            await asyncio.sleep(CATCH_UP_EVERY)

    async def _harvest(self, reason: str, projects: list[str], select: ca.Selection) -> None:
        async with self._turn:
            report = await self._circle.harvest(projects, self._folder, select=select)
            files = [str(file.path.relative_to(self._folder)) for file in report.files]
            failed = [str(failure) for failure in report.failed]
        self.latest.appendleft(Harvest(reason=reason, files=files, failed=failed))
        log.info("%s: %d files, %d failed", reason, len(files), len(failed))


def create_app() -> FastAPI:
    """Make the application from the environment. Raises `ca.CircleCIError` for a setting that can't be right."""
    circle = ca.CircleCI()
    folder = Path(os.environ.get("HARVEST_INTO", "artifacts")).absolute()
    keeper = Keeper(circle, folder, os.environ.get("HARVEST_PROJECTS", "").split())
    receiver = ca.webhooks.Receiver(os.environ.get("CIRCLE_WEBHOOK_SECRET", ""), keeper.on_event)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with (
            circle,
            receiver,
        ):  # in the end the receiver works off what it accepted, and needs the client for that
            catching_up = asyncio.create_task(keeper.catch_up())
            yield
            catching_up.cancel()  # a harvest may be stopped anywhere: the next one goes on from there
            with suppress(asyncio.CancelledError):
                await catching_up

    hook = Route("/hooks/circleci", receiver.asgi, methods=["POST"])
    app = FastAPI(title="Artifacts", lifespan=lifespan, routes=[hook])

    @app.get("/harvests")
    async def harvests() -> list[Harvest]:
        return list(keeper.latest)

    @app.get("/health")
    async def health() -> dict[str, int]:
        stats = circle.stats()
        return {"requests": stats.requests, "retries": stats.retries, "events_pending": receiver.stats.pending}

    return app
