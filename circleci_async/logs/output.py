"""The output of a step on one node, as messages, lines, text, or its last lines."""

from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from io import StringIO

from ..errors import InvalidArgument, NotFound, ResponseTooLarge
from ..models.steps import JobStep, OutputMessage, StepAction
from .build import build_path
from .lines import Line, splitter
from .reading import JobSource, output_of

__all__ = ["StepLog"]


class StepLog:
    """The output of a step on one node. Nothing is sent until it is read, and each read requests it again.

    Only `text` holds all of it in memory, and only up to the client's `max_response_bytes`.
    """

    def __init__(self, job: JobSource, step: int | JobStep, node: int) -> None:
        self._job = job
        self._step = step
        self._node = node

    def __repr__(self) -> str:
        step = self._step.name if isinstance(self._step, JobStep) else self._step
        return f"<StepLog of step {step!r}, node {self._node}, of job {self._job.number}>"

    async def messages(self) -> AsyncGenerator[OutputMessage, None]:
        """Iterate the output as CircleCI stores it: in pieces of any length, with all control codes.

        Raises `NotFound` if the step does not exist, `DecodeError` for malformed output, and `ApiError`,
        `TransportError` or `DownloadError` when the retries are used up.
        """
        action = await self._action()
        if action.has_output:
            async with aclosing(output_of(self._job, action)) as messages:
                async for message in messages:
                    yield message

    async def lines(self, *, ansi: bool = False) -> AsyncGenerator[str, None]:
        """Iterate the lines without their newlines, as a terminal shows them: without escape codes, and with the last
        state of overwritten text such as progress bars. `ansi`: with everything that was printed.

        A line of more than 65,536 characters is yielded in parts. Raises the errors of `messages`.
        """
        async with aclosing(lines_of(self.messages(), ansi=ansi)) as lines:
            async for line in lines:
                yield line.text

    async def text(self, *, ansi: bool = False) -> str:
        """Return the whole output as `lines` yields it; `ansi`: exactly as printed.

        Raises the errors of `messages`, and `ResponseTooLarge` beyond the client's `max_response_bytes`.
        """
        return await whole_text(self._job, self.messages(), ansi=ansi)

    async def tail(self, lines: int | None = 200, *, ansi: bool = False) -> str:
        """Return the last lines (None: all), without a final newline. Raises the errors of `text`."""
        return await last_lines(self._job, self.messages(), check_tail("lines", lines), ansi=ansi)

    async def _action(self) -> StepAction:
        if isinstance(self._step, JobStep):
            known = next(action for action in self._step.actions if action.node == self._node)
            if known.has_output or known.is_finished:
                return known
            return await self._job.renewed(known)
        number = self._step
        build = await self._job.build()
        actions = [action for step in build.job_steps() for action in step.actions if action.number == number]
        for action in actions:
            if action.node == self._node:
                return action
        missing = f"step {number}" if not actions else f"node {self._node} in step {number}"
        path = build_path(self._job.project, self._job.number)
        url = self._job.session.public_url(self._job.session.api_url(path))
        error = NotFound(404, f"job {self._job.number} has no {missing}", method="GET", url=url)
        error.hint = "`jobs.steps` lists the numbers of the steps, which have gaps, and the nodes of each."
        raise error


async def lines_of(messages: AsyncGenerator[OutputMessage, None], *, ansi: bool) -> AsyncGenerator[Line, None]:
    """Iterate the lines of messages."""
    lines = splitter(ansi=ansi)
    async with aclosing(messages):
        async for message in messages:
            for line in lines.feed(message.text):
                yield line
    for line in lines.end():
        yield line


async def whole_text(job: JobSource, messages: AsyncGenerator[OutputMessage, None], *, ansi: bool) -> str:
    """Return the text of messages. Raises `ResponseTooLarge`."""
    text = StringIO()
    lines = splitter(ansi=False)
    max_length = job.session.state.max_response_bytes
    async with aclosing(messages):
        async for message in messages:
            text.write(message.text if ansi else _joined(lines.feed(message.text)))
            if text.tell() > max_length:
                raise ResponseTooLarge(
                    f"the output of a step is larger than max_response_bytes={max_length}: iterate its `lines`"
                )
    text.write(_joined(lines.end()))
    return text.getvalue()


async def last_lines(
    job: JobSource, messages: AsyncGenerator[OutputMessage, None], tail: int | None, *, ansi: bool
) -> str:
    """Return the last `tail` lines of messages, without a final newline. Raises `ResponseTooLarge`."""
    if tail is None:
        return (await whole_text(job, messages, ansi=ansi)).removesuffix("\n")
    lines = splitter(ansi=ansi)
    last: deque[Line] = deque(maxlen=tail)
    async with aclosing(messages):
        async for message in messages:
            last.extend(lines.feed(message.text))
    last.extend(lines.end())
    return _joined(last).removesuffix("\n")


def _joined(lines: Iterable[Line]) -> str:
    return "".join([line.with_newline for line in lines])


def check_tail(name: str, tail: int | None) -> int | None:
    """Return a valid number of lines. Raises `InvalidArgument`."""
    if tail is not None and (type(tail) is not int or tail < 1):
        raise InvalidArgument(f"{name} must be a positive number of lines, or None for all, got {tail!r}")
    return tail
