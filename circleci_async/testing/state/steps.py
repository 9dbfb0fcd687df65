"""The steps of a job: one record for each node that a step runs on, with what it printed there."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import define, field

from .content import Readable
from .output import Message, Stream, as_json, as_text

if TYPE_CHECKING:
    from .jobs import Job

Printed = str | Sequence[tuple[Stream, str]]
"""What a step printed: text, or pairs of `out` or `err` and text."""

# The first two steps of a job are CircleCI's own, and have these numbers; then the numbers go on from 101.
_FIRST_NUMBERS = (0, 99, 101)


@define(eq=False)
class Step:
    """A step on one node of a job, and what it printed; `number` and `node` are its address.

    Like all records it can be changed at any time. With `number` None it can't be asked for by its number, as happens
    on CircleCI; with `url` False nobody is told the address of its output.
    """

    job: "Job" = field(repr=False)
    name: str
    number: int | None
    node: int
    status: str
    exit_code: int | None
    type: str
    command: str | None
    background: bool
    started_at: datetime | None
    stopped_at: datetime | None
    size: int
    url: bool
    messages: list[Message] = field(factory=list[Message], repr=False)

    @property
    def output(self) -> str:
        """All that it printed, to standard output and standard error, in the order of printing."""
        made_up = b"".join(as_text(self.size, ()).pieces()).decode()
        return made_up + "".join(message.text for message in self.messages)

    @property
    def has_output(self) -> bool:
        """Whether it has printed anything."""
        return bool(self.size or self.messages)

    @property
    def duration(self) -> float | None:
        """Seconds from start to end, or None before the end."""
        if self.started_at is None or self.stopped_at is None:
            return None
        return (self.stopped_at - self.started_at).total_seconds()

    @property
    def key(self) -> str:
        """Path of its output on the storage host."""
        return f"/action-output/{self.job.id}/{self.job.steps.index(self)}"

    @property
    def modified(self) -> datetime:
        """When it printed last."""
        return self.stopped_at or self.started_at or self.job.created_at

    @property
    def content(self) -> Readable:
        """What the storage keeps: a JSON array of messages."""
        return as_json(self.size, self.messages, self.started_at or self.job.created_at)

    @property
    def text(self) -> Readable:
        """What it printed, as bytes."""
        return as_text(self.size, self.messages)

    def print(self, text: str, *, type: Stream = "out") -> None:
        """Print something more, as a step does that is running."""
        self.write(((type, text),), self.job.workflow.pipeline.project.world.clock())

    def write(self, printed: Iterable[tuple[Stream, str]], at: datetime) -> None:
        """Print at a time."""
        self.messages += [Message(text, type, at) for type, text in printed if text]

    def end(self, *, exit_code: int | None = 0, status: str | None = None, at: datetime | None = None) -> None:
        """Let it end, now unless told otherwise; its status is told by the exit code unless given."""
        self.status, self.exit_code = outcome(status, exit_code)
        self.stopped_at = at or self.job.workflow.pipeline.project.world.clock()


def outcome(status: str | None, exit_code: int | None) -> tuple[str, int | None]:
    """Work out status and exit code from what was given of them: only what ran to its end has an exit code."""
    if status is None:
        return ("failed" if exit_code else "success"), exit_code
    if status == "failed":
        return status, exit_code or 1
    return status, (exit_code if status == "success" else None)


def next_number(steps: Sequence[Step], name: str, node: int) -> int:
    """Give the number of a new step: that of the step of this name that has not run on this node yet, or the next."""
    mine = {step.number for step in steps if step.node == node}
    for step in steps:
        if step.name == name and step.number is not None and step.number not in mine:
            return step.number
    taken = {step.number for step in steps if step.number is not None}
    return next((number for number in _FIRST_NUMBERS if number > max(taken, default=-1)), max(taken, default=0) + 1)


def pairs(printed: Printed, errors: str = "") -> list[tuple[Stream, str]]:
    """Read what a step printed, in whatever form it was given; `errors` come last."""
    given: list[tuple[Stream, str]] = [("out", printed)] if isinstance(printed, str) else list(printed)
    return [*given, ("err", errors)] if errors else given
