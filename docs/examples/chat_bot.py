"""The core of a chat bot: it starts builds, tells how they end, and posts why they failed.

    export CIRCLE_TOKEN=...
    python chat_bot.py
    build gh/acme/api main

`Bot` knows nothing of the chat but `Chat`. Here the chat is the terminal, one thread of talk; for Slack, Discord or
Matrix, write another `Chat`, and hand the messages that come in to `Bot.on_message`.
"""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from typing import Protocol

import circleci_async as ca

HELP = "I know: build PROJECT [BRANCH], approve, rerun, cancel"
log = logging.getLogger("chat_bot")

LINES = 20
"""Of a failed step's output that are posted."""


class Chat(Protocol):
    """What the bot needs of a chat."""

    async def post(self, thread: str, text: str) -> None:
        """Post a text, of several lines maybe, to a thread."""


class Bot:
    """Does what messages say. A thread of the chat is about one pipeline, the newest that was started in it."""

    def __init__(self, circle: ca.CircleCI, chat: Chat, *, patience: float = 3600.0) -> None:
        self._circle = circle
        self._chat = chat
        self._patience = patience
        """Seconds after which a pipeline is no longer waited for."""
        self._pipelines: dict[str, str] = {}
        """Their ids, by thread."""

    async def on_message(self, thread: str, text: str) -> None:
        """Do what a message says, and tell in its thread what came of it.

        It may take as long as a build, so run it in a task of its own. Many may run at once; each may be cancelled.
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
            await self._chat.post(thread, "It still runs, and I wait no longer.")
        except ca.CircleCIError as error:  # tokens and signed addresses are in no error's text
            await self._chat.post(thread, f"That did not work: {error}" + (f"\n{error.hint}" if error.hint else ""))

    async def _build(self, thread: str, project: str, branch: str | None) -> None:
        created = await self._circle.pipelines.trigger(project, branch=branch)
        self._pipelines[thread] = created.id
        await self._chat.post(thread, f"Pipeline {created.number} has begun.")
        await self._follow(thread, created.id)

    async def _follow(self, thread: str, pipeline_id: str) -> None:
        """Wait for the end, or for an approval, and tell what happened."""
        result = await self._circle.pipelines.wait(pipeline_id, timeout=self._patience)
        if result.status == "on_hold":
            await self._chat.post(thread, f"Pipeline {result.pipeline.number} waits. Say approve, or cancel.")
            return
        await self._chat.post(thread, f"Pipeline {result.pipeline.number}: {result.status}.")
        for problem in result.pipeline.errors:
            await self._chat.post(thread, problem.message)
        for workflow in result.workflows:
            if workflow.status == "failed":
                await self._explain(thread, workflow)

    async def _explain(self, thread: str, workflow: ca.Workflow) -> None:
        """Post the last lines of each step that failed."""
        async for job in self._circle.workflows.jobs(workflow.id):
            if job.status not in {"failed", "timedout"} or job.job_number is None or job.project_slug is None:
                continue
            for step in await self._circle.jobs.failed_output(job.project_slug, job.job_number, tail=LINES):
                text = step.text or f"(no output: {step.error or 'it printed nothing'})"
                await self._chat.post(thread, f"{workflow.name} / {job.name} / {step.name}: {step.status}\n{text}")

    async def _approve(self, thread: str) -> None:
        approved: list[str] = []
        async for workflow in self._workflows(thread):
            async for job in self._circle.workflows.jobs(workflow.id):
                if job.status == "on_hold" and job.approval_request_id:
                    await self._circle.workflows.approve(workflow.id, job.approval_request_id)
                    approved.append(job.name)
        if not approved:
            await self._chat.post(thread, "Nothing waits for an approval.")
            return
        await self._chat.post(thread, f"Approved: {', '.join(approved)}.")
        await self._follow(thread, self._pipelines[thread])

    async def _rerun(self, thread: str) -> None:
        failed = [workflow async for workflow in self._workflows(thread) if workflow.status == "failed"]
        again = [await self._circle.workflows.rerun(workflow.id, from_failed=True) for workflow in failed]
        if not again:
            await self._chat.post(thread, "Nothing has failed.")
            return
        await self._chat.post(thread, f"Running again: {', '.join(workflow.name for workflow in failed)}.")
        for accepted in again:  # each is there by then, and takes the place of what it runs again
            await self._circle.workflows.wait(accepted.workflow_id, timeout=self._patience)
        await self._follow(thread, self._pipelines[thread])

    async def _cancel(self, thread: str) -> None:
        running = [each async for each in self._workflows(thread) if each.status and not each.status.is_finished]
        for workflow in running:
            await self._circle.workflows.cancel(workflow.id)
        await self._chat.post(thread, "It is being canceled." if running else "Nothing runs.")

    async def _workflows(self, thread: str) -> AsyncGenerator[ca.Workflow]:
        """The workflows that count, of the thread's pipeline: the newest of each name."""
        if thread in self._pipelines:
            workflows = await self._circle.pipelines.workflows(self._pipelines[thread]).collect()
            workflows.sort(key=lambda each: each.created_at)
            for workflow in {each.name: each for each in workflows}.values():
                yield workflow


class Terminal:
    """A chat with whoever sits at the keyboard."""

    async def post(self, thread: str, text: str) -> None:
        """Print it."""
        del thread
        print(text, flush=True)

    async def messages(self) -> AsyncGenerator[str]:
        """Iterate the lines that are typed."""
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[str | None] = asyncio.Queue()

        def read() -> None:
            with suppress(RuntimeError):  # the bot has ended before its input
                for line in sys.stdin.buffer:
                    loop.call_soon_threadsafe(lines.put_nowait, line.decode(errors="replace"))
                loop.call_soon_threadsafe(lines.put_nowait, None)

        threading.Thread(target=read, daemon=True).start()
        while (line := await lines.get()) is not None:
            yield line


async def main() -> None:
    """Talk to the terminal until its input ends and all is told."""
    terminal = Terminal()
    async with AsyncExitStack() as stack:
        circle = await stack.enter_async_context(ca.CircleCI())
        if secret := os.environ.get("CIRCLE_WEBHOOK_SECRET"):  # whoever waits need not wait for the next look then
            receiver = ca.webhooks.Receiver(secret, circle.notify)
            url = await stack.enter_async_context(receiver.serve(port=int(os.environ.get("PORT", "8080"))))
            await terminal.post("", f"Webhooks are taken at {url}")
        bot = Bot(circle, terminal)

        async def answer(text: str) -> None:
            try:
                await bot.on_message("terminal", text)
            except Exception:  # as when the chat is down: one thread's trouble must not end the others
                log.exception("%r could not be answered", text)

        async with asyncio.TaskGroup() as tasks:
            async for text in terminal.messages():
                tasks.create_task(answer(text))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
