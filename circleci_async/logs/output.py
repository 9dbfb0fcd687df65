"""What a step printed on one node, as it is wanted: messages, lines, a text, its end."""

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import InvalidArgument, NotFound
from ..models.steps import JobStep, OutputMessage, StepAction
from .build import build_path
from .lines import Line, splitter
from .reading import Job, output_of, same

__all__ = ["StepLog"]


class StepLog:
    """What a step printed on one node of its job. Nothing is sent until it is read; each reading reads it anew.

    It is never held as a whole, however long it is, save by `text`.
    """

    def __init__(self, job: Job, step: int | JobStep, node: int) -> None:
        self._job = job
        self._step = step
        self._node = node

    def __repr__(self) -> str:
        step = self._step.name if isinstance(self._step, JobStep) else self._step
        return f"<StepLog of step {step!r}, node {self._node}, of job {self._job.number}>"

    async def messages(self) -> AsyncGenerator[OutputMessage, None]:
        """Iterate what it printed as CircleCI keeps it: in pieces that may end anywhere, with all control codes.

        Raises `NotFound` if there is no such step, `DecodeError` if its storage gives something else, and
        `ApiError`, `TransportError` or `DownloadError` (both, if it broke off) when retries are used up.
        """
        action = await self._action()
        if action.has_output:
            async with aclosing(output_of(self._job, action)) as messages:
                async for message in messages:
                    yield message

    async def lines(self, *, ansi: bool = False) -> AsyncGenerator[str, None]:
        """Iterate its lines, without their ends, as they look on a terminal in the end: without escape codes, and of
        what was overwritten (progress bars) the last state. `ansi`: with all that was printed.

        A line of more than 65,536 characters is given in parts. Raises as `messages` does.
        """
        async with aclosing(lines_of(self.messages(), ansi=ansi)) as lines:
            async for line in lines:
                yield line.text

    async def text(self, *, ansi: bool = False) -> str:
        """Return all of it, as `lines` shows it; `ansi`: exactly as it was printed. Raises as `messages` does."""
        parts: list[str] = []
        if ansi:
            async with aclosing(self.messages()) as messages:
                parts.extend([message.text async for message in messages])
        else:
            async with aclosing(lines_of(self.messages(), ansi=False)) as lines:
                parts.extend([line.whole async for line in lines])
        return "".join(parts)

    async def tail(self, lines: int | None = 200, *, ansi: bool = False) -> str:
        """Return its last lines, without a newline after the last one; None: all of them. Raises as `messages` does."""
        return await last_lines(self.messages(), check_tail("lines", lines), ansi=ansi)

    async def _action(self) -> StepAction:
        if isinstance(self._step, JobStep):
            known = next(action for action in self._step.actions if action.node == self._node)
            if known.has_output or known.is_finished:
                return known
            return same(known, await self._job.look())
        number = self._step
        build = await self._job.look()
        actions = [action for step in build.job_steps() for action in step.actions if action.number == number]
        for action in actions:
            if action.node == self._node:
                return action
        missing = f"step {number}" if not actions else f"node {self._node} in step {number}"
        path = build_path(self._job.project, self._job.number)
        url = self._job.session.public_url(self._job.session.api_url(path))
        error = NotFound(404, f"job {self._job.number} has no {missing}", method="GET", url=url)
        error.hint = "`jobs.steps` tells the numbers of the steps, which have gaps, and the nodes of each."
        raise error


async def lines_of(messages: AsyncGenerator[OutputMessage, None], *, ansi: bool) -> AsyncGenerator[Line, None]:
    """Iterate the lines that messages make."""
    lines = splitter(ansi=ansi)
    async with aclosing(messages):
        async for message in messages:
            for line in lines.feed(message.text):
                yield line
    for line in lines.end():
        yield line


async def last_lines(messages: AsyncGenerator[OutputMessage, None], tail: int | None, *, ansi: bool) -> str:
    """Return the last so many lines that messages make, without a newline after the last one."""
    lines = splitter(ansi=ansi)
    last: deque[Line] = deque(maxlen=tail)
    async with aclosing(messages):
        async for message in messages:
            last.extend(lines.feed(message.text))
    last.extend(lines.end())
    return "".join(line.whole for line in last).removesuffix("\n")


def check_tail(name: str, tail: int | None) -> int | None:
    """Return the number of lines that is wanted; raises `InvalidArgument` if it is none."""
    if tail is not None and (type(tail) is not int or tail < 1):
        raise InvalidArgument(f"{name}={tail!r}: give a number of lines from 1, or None for all")
    return tail
