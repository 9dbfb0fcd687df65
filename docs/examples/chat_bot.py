"""The core of a chat bot: start pipelines, report their results, and post the output of failed steps.

    export CIRCLE_TOKEN=...
    python chat_bot.py
    build gh/acme/api main

`Bot` needs only a `Chat`. Here the chat is the terminal, with one thread. For Slack, Discord or Matrix, implement
another `Chat` and pass incoming messages to `Bot.on_message`.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Protocol

import circleci_async as ca
from circleci_async.models import Workflow

HELP = "Commands: build PROJECT [BRANCH], approve, rerun, cancel"
log = logging.getLogger("chat_bot")

LINES = 20
"""Lines of a failed step's output to post."""


class Chat(Protocol):
    """The chat, as the bot uses it."""

    async def post(self, thread: str, text: str) -> None:
        """Post a text of one or more lines to a thread."""


class Bot:
    """Executes the commands in messages. Each thread is about one pipeline: the newest that was started in it."""

    def __init__(self, circle: ca.CircleCI, chat: Chat, *, timeout: float = 3600.0) -> None:
        self._circle = circle
        self._chat = chat
        self._timeout = timeout
        """Seconds to wait for a pipeline."""
        self._pipelines: dict[str, str] = {}
        """Pipeline ids by thread."""

    async def on_message(self, thread: str, text: str) -> None:
        """Execute a command and post the result to its thread.

        This can take as long as a build, so run it in its own task. Calls can run concurrently and be cancelled.
        """
        try:
            match text.split():
                case ["build", project]:
                    await self._build(thread, project, None)
                case ["build", project, branch]:
                    await self._build(thread, project, branch)
                case ["approve"]:
                    await self._approve(thread)
                case ["rerun"]:
                    await self._rerun(thread)
                case ["cancel"]:
                    await self._cancel(thread)
                case _:
                    await self._chat.post(thread, HELP)
        except ca.WaitTimeout:
            await self._chat.post(thread, "The pipeline is still running. I stopped waiting.")
        except ca.CircleCIError as error:  # its text contains neither tokens nor signed URLs
            await self._chat.post(thread, f"Error: {error}" + (f"\n{error.hint}" if error.hint else ""))

    async def _build(self, thread: str, project: str, branch: str | None) -> None:
        created = await self._circle.pipelines.trigger(project, branch=branch)
        self._pipelines[thread] = created.id
        await self._chat.post(thread, f"Started pipeline {created.number}.")
        await self._follow(thread, created.id)

    async def _follow(self, thread: str, pipeline_id: str) -> None:
        """Wait until the pipeline ends or needs an approval, and post the result."""
        result = await self._circle.pipelines.wait(pipeline_id, timeout=self._timeout)
        if result.status == "on_hold":
            await self._chat.post(thread, f"Pipeline {result.pipeline.number} needs approval: approve or cancel?")
            return
        await self._chat.post(thread, f"Pipeline {result.pipeline.number}: {result.status}.")
        for error in result.pipeline.errors:
            await self._chat.post(thread, error.message)
        async for workflow, job, step in self._circle.pipelines.failures(result, tail=LINES):
            text = step.text or f"(no output: {step.error or 'the step printed nothing'})"
            await self._chat.post(thread, f"{workflow.name} / {job.name} / {step.name}: {step.status}\n{text}")

    async def _approve(self, thread: str) -> None:
        approved: list[str] = []
        for workflow in await self._workflows(thread):
            async for job in self._circle.workflows.jobs(workflow.id):
                if job.is_on_hold:
                    await self._circle.workflows.approve(workflow.id, job.approval_id)
                    approved.append(job.name)
        if not approved:
            await self._chat.post(thread, "No job needs approval.")
            return
        await self._chat.post(thread, f"Approved: {', '.join(approved)}.")
        await self._follow(thread, self._pipelines[thread])

    async def _rerun(self, thread: str) -> None:
        failed = [workflow for workflow in await self._workflows(thread) if workflow.status == "failed"]
        if not failed:
            await self._chat.post(thread, "No workflow has failed.")
            return
        await self._chat.post(thread, f"Rerunning: {', '.join(workflow.name for workflow in failed)}.")
        rerun = partial(self._circle.workflows.rerun_and_wait, from_failed=True, timeout=self._timeout)
        await asyncio.gather(*(rerun(workflow.id) for workflow in failed))
        await self._follow(thread, self._pipelines[thread])  # its result includes the reruns

    async def _cancel(self, thread: str) -> None:
        running = [workflow for workflow in await self._workflows(thread) if not workflow.is_finished]
        await self._chat.post(thread, "Canceling." if running else "No workflow is running.")
        if running:
            await self._circle.pipelines.cancel(self._pipelines[thread], timeout=self._timeout)

    async def _workflows(self, thread: str) -> list[Workflow]:
        """Return the newest workflow of each name of the thread's pipeline."""
        if thread not in self._pipelines:
            return []
        workflows = await self._circle.pipelines.workflows(self._pipelines[thread]).collect()
        workflows.sort(key=lambda each: each.created_at)
        return list({each.name: each for each in workflows}.values())


class Terminal:
    """A chat on the terminal."""

    async def post(self, thread: str, text: str) -> None:
        """Print the text."""
        del thread
        print(text, flush=True)

    async def messages(self) -> AsyncGenerator[str]:
        """Yield the lines of the standard input. It needs no thread, whose blocked read would outlast Ctrl-C."""
        loop, fd = asyncio.get_running_loop(), sys.stdin.fileno()
        lines = asyncio.StreamReader(limit=sys.maxsize)

        def read() -> None:
            if data := os.read(fd, 65_536):
                lines.feed_data(data)
            else:
                loop.remove_reader(fd)
                lines.feed_eof()

        try:
            loop.add_reader(fd, read)
        except PermissionError:  # a file, which the event loop cannot watch, and whose reads do not block
            lines.feed_data(sys.stdin.buffer.read())
            lines.feed_eof()
        try:
            async for line in lines:
                yield line.decode(errors="replace")
        finally:
            loop.remove_reader(fd)


async def main() -> None:
    """Answer the terminal until its input ends and all commands are done."""
    terminal = Terminal()
    async with AsyncExitStack() as stack:
        circle = await stack.enter_async_context(ca.CircleCI())
        if secret := os.environ.get("CIRCLE_WEBHOOK_SECRET"):  # webhooks notify waiting commands before the next poll
            receiver = ca.webhooks.Receiver(secret, circle.notify)
            url = await stack.enter_async_context(receiver.serve(port=int(os.environ.get("PORT", "8080"))))
            await terminal.post("", f"Receiving webhooks at {url}")
        bot = Bot(circle, terminal)

        async def answer(text: str) -> None:
            try:
                await bot.on_message("terminal", text)
            except Exception:  # a failure of the chat must not end the other threads
                log.exception("could not answer %r", text)

        async with asyncio.TaskGroup() as tasks:
            async for text in terminal.messages():
                tasks.create_task(answer(text))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))  # stop as after Ctrl-C
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
