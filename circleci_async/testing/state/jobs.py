"""Jobs, and what they leave behind: artifacts, test results, steps."""

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from attrs import define, field, frozen

from ...errors import InvalidArgument
from .content import Content
from .events import note_job
from .steps import Printed, Step, next_number, outcome, pairs

if TYPE_CHECKING:
    from .accounts import User
    from .builds import Workflow

WAITING = frozenset({"blocked", "on_hold", "not_run", "not_running", "queued"})
"""Statuses of a job that has not started."""
LIVE = frozenset({"running", "queued", "not_running"})
"""Statuses of a job that goes on by itself."""
UNENDED = LIVE | {"blocked", "on_hold"}
"""Statuses of a job that can still be canceled."""
FAILED = frozenset({"failed", "timedout", "infrastructure_fail", "terminated-unknown", "unauthorized"})
"""Statuses of a job that ended badly."""
ENDED_STEPS = frozenset({"success", "failed", "timedout", "infrastructure_fail", "canceled"})
"""Statuses of a step that has ended."""
_UNNUMBERED = frozenset({"blocked", "on_hold", "not_run"})


@frozen
class JobTest:
    """The result of one test: `success`, `failure`, `skipped` or `error`; `run_time` in seconds."""

    name: str
    result: str = "success"
    run_time: float = 0.1
    classname: str = "tests"
    file: str | None = None
    message: str | None = None
    source: str = "pytest"


@define(eq=False)
class Artifact:
    """A file that a job left behind, on node `node` of the parallel ones."""

    job: "Job" = field(repr=False)
    path: str
    node: int
    content: Content
    modified: datetime

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.content.size

    @property
    def data(self) -> bytes:
        """All the bytes at once."""
        return b"".join(self.content.pieces())

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes, in hex."""
        digest = hashlib.sha256()
        for piece in self.content.pieces():
            digest.update(piece)
        return digest.hexdigest()

    @property
    def location(self) -> str:
        """Path of its URL on the artifact host."""
        return f"/output/job/{self.job.id}/artifacts/{self.node}/{quoted(self.path)}"

    @property
    def key(self) -> str:
        """Path of its URL on the storage host."""
        return f"/bucket/{self.job.id}/{self.node}/{quoted(self.path)}"

    def replace(self, data: bytes | None = None, *, size: int | None = None) -> None:
        """Put other bytes in its place, as a rerun would: given ones, or `size` generated ones. The ETag changes."""
        now = self.job.workflow.pipeline.project.world.clock()
        self.content = _content(data, size, f"{self.key} {self.content.etag}")
        self.modified = now

    def delete(self) -> None:
        """Take it away: it is listed no more, and its old URL answers 404."""
        self.job.detach(self)


@define(eq=False)
class Job:
    """A job of a workflow; an approval has the type `approval` and no number."""

    workflow: "Workflow" = field(repr=False)
    id: str
    name: str
    type: str
    status: str = field(on_setattr=note_job)
    number: int | None
    parallelism: int
    requires: tuple["Job", ...] = field(repr=False)
    created_at: datetime
    queued_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    canceled_by: "User | None" = field(default=None, repr=False)
    approved_by: "User | None" = field(default=None, repr=False)
    executor: str = "docker"
    resource_class: str = "medium"
    contexts: tuple[str, ...] = ()
    artifacts: list[Artifact] = field(factory=list[Artifact], repr=False)
    tests: list[JobTest] = field(factory=list[JobTest], repr=False)
    steps: list[Step] = field(factory=list[Step], repr=False)
    _by_location: dict[tuple[int, str], Artifact] = field(factory=dict[tuple[int, str], Artifact], repr=False)

    @property
    def duration(self) -> float | None:
        """Seconds from start to end, or None before the end."""
        if self.started_at is None or self.stopped_at is None:
            return None
        return (self.stopped_at - self.started_at).total_seconds()

    @property
    def credits(self) -> int:
        """Credits used: ten a minute for each node."""
        return round((self.duration or 0) / 6 * self.parallelism)

    def artifact(self, path: str, data: bytes | None = None, *, size: int | None = None, node: int = 0) -> Artifact:
        """Leave a file behind: these bytes, or `size` generated ones that are made while they are read.

        The path is not checked, so that hostile ones can be served.
        """
        content = _content(data, size, f"{self.id} {node} {path}")
        return self.attach(path, content, node=node)

    def attach(self, path: str, content: Content, *, node: int = 0) -> Artifact:
        """Leave a file behind that holds this content."""
        self._check_node(node)
        if (node, path) in self._by_location:
            raise InvalidArgument(f"path: node {node} of this job has {path!r} already; see Artifact.replace")
        artifact = Artifact(self, path, node, content, self.stopped_at or self.created_at)
        self._by_location[node, path] = artifact
        self.artifacts.append(artifact)
        return artifact

    def _check_node(self, node: int) -> None:
        if not 0 <= node < self.parallelism:
            raise InvalidArgument(f"node: the job has {self.parallelism} node(s), counted from 0, so not {node}")

    def detach(self, artifact: Artifact) -> None:
        """Take a file away."""
        del self._by_location[artifact.node, artifact.path]
        self.artifacts.remove(artifact)

    def artifact_at(self, node: int, path: str) -> Artifact | None:
        """Find an artifact by its place."""
        return self._by_location.get((node, path))

    def test(
        self,
        name: str,
        *,
        result: str = "success",
        run_time: float = 0.1,
        classname: str = "tests",
        file: str | None = None,
        message: str | None = None,
        source: str = "pytest",
    ) -> JobTest:
        """Record the result of a test: `success`, `failure`, `skipped` or `error`; `run_time` in seconds."""
        test = JobTest(name, result, run_time, classname, file, message, source)
        self.tests.append(test)
        return test

    def step(
        self,
        name: str,
        *,
        output: Printed = "",
        errors: str = "",
        size: int = 0,
        exit_code: int | None = 0,
        status: str | None = None,
        node: int = 0,
        number: int | None = None,
        type: str = "test",
        command: str | None = None,
        background: bool = False,
        duration: float = 1.0,
        url: bool = True,
    ) -> Step:
        """Record a step on one node, and what it printed there; steps of one name on several nodes are one step.

        It printed `size` bytes that are made up while they are read, then `output` (text, or pairs of `out` or `err`
        and text), then `errors` to standard error. `status` is `success` or `failed`, as the exit code says, unless
        given: `timedout`, `canceled`, `infrastructure_fail` and `running` have no exit code.

        `number` is the next free one unless given: 0, 99, 101, 102, … as on CircleCI. It begins when the step before it
        on this node ended, and takes `duration` seconds; the next one does not wait for one in the `background`.
        `url=False`: nobody is told the address of its output.
        """
        self._check_node(node)
        if size < 0:
            raise InvalidArgument(f"size: expected a number of bytes, not {size}")
        before = [step for step in self.steps if step.node == node and not step.background]
        begin = (before[-1].stopped_at if before else None) or self.started_at
        status, exit_code = outcome(status, exit_code)
        if number is None:
            number = next_number(self.steps, name, node)
        ended = None if begin is None or status == "running" else begin + timedelta(seconds=duration)
        step = Step(
            self, name, number, node, status, exit_code, type, command, background, begin, ended, size=size, url=url
        )
        step.write(pairs(output, errors), ended or begin or self.created_at)
        self.steps.append(step)
        return step

    def start(self, at: datetime) -> None:
        """Let it leave the queue."""
        self.started_at = at
        self.status = "running"

    def end(self, status: str, at: datetime) -> None:
        """Let it end, and whatever step of it is running."""
        for step in self.steps:
            if step.status == "running":
                step.end(status=status if status in ENDED_STEPS else "canceled", at=at)
        self.stopped_at = at
        self.status = status

    def enqueue(self, at: datetime) -> None:
        """Give it a number and put it in the queue."""
        self.status = "queued"
        self.queued_at = at
        self.take_number()

    def take_number(self) -> None:
        """Count it among the project's jobs."""
        project = self.workflow.pipeline.project
        self.number = project.next_job_number()
        project.jobs[self.number] = self

    def place(self, duration: float) -> None:
        """Set the times that a job made by hand would have, from its status and its duration in seconds."""
        begin = max((job.stopped_at or job.created_at for job in self.requires), default=self.created_at)
        if self.type == "build" and self.status not in _UNNUMBERED:
            self.take_number()
            self.queued_at = begin
        if self.status not in WAITING:
            self.started_at = begin
            if self.status not in LIVE:
                self.stopped_at = begin + timedelta(seconds=duration)


def quoted(path: str) -> str:
    """Escape each segment of an artifact's path."""
    return "/".join(quote(segment, safe="") for segment in path.split("/"))


def _content(data: bytes | None, size: int | None, seed: str) -> Content:
    if (data is None) == (size is None):
        raise InvalidArgument("data, size: give the bytes, or the number of bytes to generate, and not both")
    if data is not None:
        return Content.given(data)
    if size is None or size < 0:
        raise InvalidArgument(f"size: expected a number of bytes, not {size}")
    return Content.generated(size, seed)
