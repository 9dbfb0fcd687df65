"""Steps of a job: one record for each node that a step runs on, with its output there."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import define, field

from .content import Message, Readable, Stream, as_json, as_text
from .registry import Registry, seconds_between

Printed = str | Sequence[tuple[Stream, str]]
"""Output of a step: text, or pairs of `out` or `err` and text."""

# CircleCI's own first two steps have the numbers 0 and 99; the following ones count from 101.
_FIRST_NUMBERS = (0, 99, 101)


@define(eq=False)
class Step:
    """A step on one node of a job, and its output; `number` and `node` are its address.

    It can be changed at any time, as all records. With `number` None it has no address by number, as some steps on
    CircleCI; with `url` False the API does not report the URL of its output.
    """

    world: Registry = field(repr=False)
    job_id: str
    index: int
    name: str
    number: int | None
    node: int
    status: str
    exit_code: int | None
    type: str
    command: str | None
    background: bool
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    size: int
    url: bool
    messages: list[Message] = field(factory=list[Message], repr=False)

    @property
    def output(self) -> str:
        """The whole output, standard output and standard error, in printing order."""
        generated = b"".join(as_text(self.size, ()).pieces()).decode()
        return generated + "".join(message.text for message in self.messages)

    @property
    def has_output(self) -> bool:
        """Whether the output is not empty."""
        return bool(self.size or self.messages)

    @property
    def duration(self) -> float | None:
        """Seconds from start to end, or None before the end."""
        return seconds_between(self.started_at, self.stopped_at)

    @property
    def key(self) -> str:
        """Path of the output on the storage host."""
        return f"/action-output/{self.job_id}/{self.index}"

    @property
    def modified(self) -> datetime:
        """Time of the last output."""
        return self.stopped_at or self.started_at or self.created_at

    @property
    def content(self) -> Readable:
        """The output as the storage keeps it: a JSON array of messages."""
        return as_json(self.size, self.messages, self.started_at or self.created_at)

    @property
    def text(self) -> Readable:
        """The output as text."""
        return as_text(self.size, self.messages)

    def print(self, text: str, *, type: Stream = "out") -> None:
        """Append to the output of a running step."""
        self.write(((type, text),), self.world.clock())

    def write(self, printed: Iterable[tuple[Stream, str]], at: datetime) -> None:
        """Append to the output, with this timestamp."""
        self.messages += [Message(text, type, at) for type, text in printed if text]

    def end(self, *, exit_code: int | None = 0, status: str | None = None, at: datetime | None = None) -> None:
        """End the step. `status` defaults to what the exit code implies, `at` to now."""
        self.status, self.exit_code = outcome(status, exit_code)
        self.stopped_at = at or self.world.clock()


def outcome(status: str | None, exit_code: int | None) -> tuple[str, int | None]:
    """Return status and exit code, each derived from the other. Interrupted steps have no exit code."""
    if status is None:
        return ("failed" if exit_code else "success"), exit_code
    if status == "failed":
        return status, exit_code or 1
    return status, (exit_code if status == "success" else None)


def next_number(steps: Sequence[Step], name: str, node: int) -> int:
    """Return the number of a new step: that of the same step on another node, or the next free one."""
    used_here = {step.number for step in steps if step.node == node}
    for step in steps:
        if step.name == name and step.number is not None and step.number not in used_here:
            return step.number
    highest = max((step.number for step in steps if step.number is not None), default=None)
    if highest is None:
        return _FIRST_NUMBERS[0]
    return next((number for number in _FIRST_NUMBERS if number > highest), highest + 1)


def pairs(printed: Printed, errors: str = "") -> list[tuple[Stream, str]]:
    """Return output as pairs of stream and text, followed by `errors`."""
    given: list[tuple[Stream, str]] = [("out", printed)] if isinstance(printed, str) else list(printed)
    return [*given, ("err", errors)] if errors else given
