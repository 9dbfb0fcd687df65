"""How a pipeline on its way is shown: as a tree that is drawn again, as a line for each change, or as JSON."""

import asyncio
import shlex
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .formatting import STYLES, duration, printable
from .output import Output

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from ..models.pipelines import Pipeline
    from ..models.workflows import Workflow, WorkflowJob
    from ..watching.changes import Change
    from ..watching.results import PipelineResult, WorkflowResult

DRAWN_EVERY = 0.25
"""Seconds after which the times in the tree are brought up to date."""


def view_of(out: Output, title: str) -> "BuildView":
    """Return the view that suits where the output goes."""
    if out.is_json:
        return JsonView(out, title)
    # A log would tear the tree, and a terminal that can't move its cursor would not show it before the end.
    if out.stream.isatty() and not out.is_verbose and not out.console.is_dumb_terminal:
        return TreeView(out, title)
    return LineView(out, title)


class BuildView:
    """Keeps what it is told, and shows nothing."""

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
        """All jobs that it was told of."""
        return [job for each in self._jobs.values() for job in each.values()]

    def jobs_of(self, workflow: "Workflow") -> "list[WorkflowJob]":
        """The jobs of a workflow, in the order in which they were told of."""
        return [*self._jobs.get(workflow.id, {}).values()]

    def tell(self, change: "Change") -> None:
        """Take in a change."""
        from ..models.pipelines import Pipeline
        from ..models.workflows import Workflow

        item = change.item
        if isinstance(item, Pipeline):
            self.pipeline = item
        elif isinstance(item, Workflow):
            self.workflows[item.id] = item
        elif change.workflow is not None:
            self._jobs.setdefault(change.workflow.id, {})[item.id] = item

    def conclude(self, result: "PipelineResult | WorkflowResult") -> None:
        """Show how it ended."""

    def close(self) -> None:
        """Show no more changes. Safe to repeat."""


class JsonView(BuildView):
    """A line of JSON for each change, and one for the result."""

    def tell(self, change: "Change") -> None:
        """Print a change."""
        super().tell(change)
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
        from ..core.codec import to_dict

        self.out.line({"event": "result", **to_dict(result)})


class ResultView(BuildView):
    """The result alone, as JSON."""

    def conclude(self, result: "PipelineResult | WorkflowResult") -> None:
        """Print the result."""
        self.out.data(result)


class LineView(BuildView):
    """A line for each change of a workflow or a job, with the time of day."""

    def __init__(self, out: Output, title: str) -> None:
        super().__init__(out, title)
        out.say(title)

    def tell(self, change: "Change") -> None:
        """Print a change."""
        from rich.text import Text

        super().tell(change)
        if change.kind == "pipeline":
            return
        begin = getattr(change.item, "started_at", None) or getattr(change.item, "created_at", None)
        end = getattr(change.item, "stopped_at", None)
        name = f"{change.workflow.name} / {change.name}" if change.workflow else change.name
        self.out.say(
            Text.assemble((f"{datetime.now().astimezone():%H:%M:%S}  ", "dim"), row(name, change.after, begin, end))
        )
        if change.kind == "job" and change.after == "on_hold" and change.workflow:
            job = shlex.quote(change.name)
            self.out.note(f"to approve it: circleci-async approve {change.workflow.id} {job}", "yellow")


class TreeView(BuildView):
    """A tree of workflows and jobs that is drawn again whenever something changes, and while time goes by."""

    def __init__(self, out: Output, title: str) -> None:
        from rich.live import Live

        super().__init__(out, title)
        self._live = Live(console=out.console, auto_refresh=False, get_renderable=self._draw)
        self._drawing: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._live.start()
        self._drawing = asyncio.create_task(self._draw_again())
        return self

    def tell(self, change: "Change") -> None:
        """Draw a change."""
        super().tell(change)
        self._live.refresh()

    def close(self) -> None:
        """Leave the tree as it is."""
        if self._drawing is not None:
            self._drawing.cancel()
            self._drawing = None
            self._live.stop()

    async def _draw_again(self) -> None:
        while True:
            await asyncio.sleep(DRAWN_EVERY)
            self._live.refresh()

    def _draw(self) -> "Tree":
        from rich.tree import Tree

        now = datetime.now(UTC)
        state = self.pipeline.state if self.pipeline else None
        # A pipeline that was created has no more to say: its workflows do.
        tree = Tree(row(self.title, None if state == "created" else state))
        for workflow in self.workflows.values():
            branch = tree.add(row(workflow.name, workflow.status, workflow.created_at, workflow.stopped_at, now))
            for job in self.jobs_of(workflow):
                branch.add(row(job.name, job.status, job.started_at, job.stopped_at, now))
            if workflow.status == "on_hold":
                branch.add(f"to approve it: circleci-async approve {workflow.id}")  # it may wrap, to be copied
        return tree


def row(
    name: str,
    status: str | None,
    begin: datetime | None = None,
    end: datetime | None = None,
    now: datetime | None = None,
) -> "Text":
    """Return a line: what it is, how it stands, how long it took, or has taken so far if `now` is given."""
    from rich.text import Text

    until = end or now
    took = duration(max(0.0, (until - begin).total_seconds())) if begin and until else ""
    parts = [(printable(name), ""), (printable(status or ""), STYLES.get(status or "", "")), (took, "dim")]
    line = Text("  ").join(Text(text, style) for text, style in parts if text)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
