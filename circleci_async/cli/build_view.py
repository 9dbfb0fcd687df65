"""Views of a running build: a tree that is redrawn, a line per change, or JSON."""

import asyncio
import shlex
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..untrusted_text import printable
from .formatting import STYLES, duration
from .output import Output

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from .. import Change, PipelineResult, WorkflowResult
    from ..models import Pipeline, Workflow, WorkflowJob

REFRESH_INTERVAL = 0.25
"""Seconds between updates of the durations in the tree."""


def view_of(out: Output, title: str) -> "BuildView":
    """Return the view for the kind of output."""
    if out.is_json:
        return JsonView(out, title)
    # Log lines would break the tree, and a dumb terminal cannot redraw it.
    if out.stream.isatty() and not out.is_verbose and not out.console.is_dumb_terminal:
        return TreeView(out, title)
    return LineView(out, title)


class BuildView:
    """Base of the views: collects the state of the build and shows nothing."""

    def __init__(self, out: Output, title: str) -> None:
        self.out = out
        self.title = title
        self.pipeline: Pipeline | None = None
        self.workflows: dict[str, Workflow] = {}
        self._jobs: dict[str, dict[str, WorkflowJob]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def jobs(self) -> "list[WorkflowJob]":
        """All jobs seen so far."""
        return [job for each in self._jobs.values() for job in each.values()]

    def jobs_of(self, workflow: "Workflow") -> "list[WorkflowJob]":
        """The jobs of a workflow, in the order in which they were seen."""
        return [*self._jobs.get(workflow.id, {}).values()]

    def update(self, change: "Change") -> None:
        """Record a change."""
        from ..models import Pipeline, Workflow

        item = change.item
        if isinstance(item, Pipeline):
            self.pipeline = item
        elif isinstance(item, Workflow):
            self.workflows[item.id] = item
        elif change.workflow is not None:
            self._jobs.setdefault(change.workflow.id, {})[item.id] = item

    def conclude(self, result: "PipelineResult | WorkflowResult") -> None:
        """Show the result."""

    def close(self) -> None:
        """Stop showing changes. Idempotent."""


class JsonView(BuildView):
    """A line of JSON per change, and one for the result."""

    def update(self, change: "Change") -> None:
        """Print a change."""
        super().update(change)
        workflow = change.workflow and {"id": change.workflow.id, "name": change.workflow.name}
        self.out.line(
            {
                "event": "change",
                "kind": change.kind,
                "name": change.name,
                "before": change.before,
                "after": change.after,
                "workflow": workflow,
                "item": change.item,
            }
        )

    def conclude(self, result: "PipelineResult | WorkflowResult") -> None:
        """Print the result."""
        from .. import to_dict

        self.out.line({"event": "result", **to_dict(result)})


class ResultView(BuildView):
    """Only the result, as JSON."""

    def conclude(self, result: "PipelineResult | WorkflowResult") -> None:
        """Print the result."""
        self.out.data(result)


class LineView(BuildView):
    """A line per change of a workflow or a job, with the time of day."""

    def __init__(self, out: Output, title: str) -> None:
        super().__init__(out, title)
        out.say(title)

    def update(self, change: "Change") -> None:
        """Print a change."""
        from rich.text import Text

        super().update(change)
        if change.kind == "pipeline":
            return
        begin = getattr(change.item, "started_at", None) or getattr(change.item, "created_at", None)
        end = getattr(change.item, "stopped_at", None)
        name = f"{change.workflow.name} / {change.name}" if change.workflow else change.name
        self.out.say(
            Text.assemble((f"{datetime.now().astimezone():%H:%M:%S}  ", "dim"), row(name, change.after, begin, end))
        )
        if change.kind == "job" and change.after == "on_hold":
            job = shlex.quote(change.name)
            self.out.note(f"on hold; approve with: circleci-async approve {change.workflow.id} {job}", "yellow")


class TreeView(BuildView):
    """A tree of workflows and jobs, redrawn on every change and at an interval."""

    def __init__(self, out: Output, title: str) -> None:
        from rich.live import Live

        super().__init__(out, title)
        self._live = Live(console=out.console, auto_refresh=False, get_renderable=self._draw)
        self._redrawing: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._live.start()
        self._redrawing = asyncio.create_task(self._redraw())
        return self

    def update(self, change: "Change") -> None:
        """Redraw the tree with a change."""
        super().update(change)
        self._live.refresh()

    def close(self) -> None:
        """Stop redrawing; the tree stays on the screen."""
        if self._redrawing is not None:
            self._redrawing.cancel()
            self._redrawing = None
            self._live.stop()

    async def _redraw(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_INTERVAL)
            self._live.refresh()

    def _draw(self) -> "Tree":
        from rich.tree import Tree

        now = datetime.now(UTC)
        state = self.pipeline.state if self.pipeline else None
        # Once the pipeline is created, the workflows show the status.
        tree = Tree(row(self.title, None if state == "created" else state))
        for workflow in self.workflows.values():
            branch = tree.add(row(workflow.name, workflow.status, workflow.created_at, workflow.stopped_at, now))
            for job in self.jobs_of(workflow):
                branch.add(row(job.name, job.status, job.started_at, job.stopped_at, now))
            if workflow.status == "on_hold":
                branch.add(f"approve with: circleci-async approve {workflow.id}")  # may wrap, so that it can be copied
        return tree


def row(
    name: str,
    status: str | None,
    begin: datetime | None = None,
    end: datetime | None = None,
    now: datetime | None = None,
) -> "Text":
    """Return a line with name, status and duration; `now` is the end of what still runs."""
    from rich.text import Text

    until = end or now
    seconds = duration(max(0.0, (until - begin).total_seconds())) if begin and until else ""
    parts = [(printable(name), ""), (printable(status or ""), STYLES.get(status or "", "")), (seconds, "dim")]
    line = Text("  ").join(Text(text, style) for text, style in parts if text)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
