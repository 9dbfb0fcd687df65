"""The lists of workflows and jobs that cannot change any more, so that later runs need not request them."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from ...models.jobs import JobStatus
from ...models.workflows import Workflow, WorkflowStatus
from .records import ListedJob
from .values import valid_text
from .writer import LedgerWriter, transactional

T = TypeVar("T")


class EndedWorkflows(NamedTuple):
    """The workflows of a pipeline, of which all had ended."""

    read_at: datetime
    workflows: list[Workflow]


class EndedLists:
    """Records whole lists, independent of the selection, so that runs with any selection can use them.

    A record that cannot be read counts as none: the list is requested again.
    """

    def __init__(self, writer: LedgerWriter) -> None:
        self.writer = writer

    async def workflows(self, pipeline: str) -> EndedWorkflows | None:
        """Return the workflows of a pipeline as they were when all had ended; None if they had not."""
        return await self._get("workflows", pipeline, _workflows)

    async def jobs(self, workflow: str) -> list[ListedJob] | None:
        """Return the jobs of a workflow that had ended; None if it had not."""
        return await self._get("jobs", workflow, _jobs)

    async def record_workflows(self, pipeline: str, workflows: Iterable[Workflow], read_at: datetime) -> None:
        """Record the workflows of a pipeline, of which all have ended."""
        items = [[each.id, each.name, each.created_at.isoformat(), each.status] for each in workflows]
        await self._record("workflows", pipeline, read_at, items)

    async def record_jobs(self, workflow: str, jobs: Iterable[ListedJob], read_at: datetime) -> None:
        """Record the jobs of a workflow that has ended."""
        await self._record("jobs", workflow, read_at, list(jobs))

    async def forget_workflows(self, pipeline: str) -> None:
        """Remove the record of the workflows of a pipeline."""
        await self._forget("workflows", pipeline)

    @transactional
    def _get(self, sql: sqlite3.Connection, kind: str, key: str, parse: Callable[[datetime, Any], T]) -> T | None:
        row = sql.execute(
            "SELECT read, items FROM ended WHERE kind = ? AND key = ?", (kind, valid_text(key))
        ).fetchone()
        if row is None:
            return None
        read, items = row
        try:
            return parse(datetime.fromisoformat(read), json.loads(items))
        except (ValueError, TypeError):
            return None

    @transactional
    def _record(self, sql: sqlite3.Connection, kind: str, key: str, read_at: datetime, items: list[Any]) -> None:
        text = json.dumps(items, separators=(",", ":"))
        sql.execute(
            "INSERT OR REPLACE INTO ended VALUES (?, ?, ?, ?)", (kind, valid_text(key), read_at.isoformat(), text)
        )

    @transactional
    def _forget(self, sql: sqlite3.Connection, kind: str, key: str) -> None:
        sql.execute("DELETE FROM ended WHERE kind = ? AND key = ?", (kind, valid_text(key)))


def _workflows(read_at: datetime, items: Any) -> EndedWorkflows:
    workflows = [
        Workflow(id=id, name=name, created_at=datetime.fromisoformat(created), status=WorkflowStatus(status))
        for id, name, created, status in items
    ]
    return EndedWorkflows(read_at, workflows)


def _jobs(read_at: datetime, items: Any) -> list[ListedJob]:
    return [ListedJob(number, name, JobStatus(status)) for number, name, status in items]
