"""A chat bot that releases: it runs a pipeline, asks in the chat before each approval, and posts what failed.

    export CIRCLE_TOKEN=...
    python release_bot.py
    release gh/acme/api main

Here the chat is the terminal; for Slack, Discord or Matrix, implement another `Chat`. The bot keeps no state.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from typing import Protocol

from attrs import define, field

import circleci_async as ca

HELP = "Commands: release PROJECT [BRANCH], yes, no, rerun PROJECT, cancel PROJECT"


class Chat(Protocol):
    """The chat, as the bot uses it."""

    async def post(self, text: str) -> None:
        """Post a text of one or more lines."""


@define
class Bot:
    """Executes the commands in messages."""

    circle: ca.CircleCI
    chat: Chat
    timeout: float = 3600.0
    """Seconds to wait for a pipeline."""
    _question: asyncio.Future[bool] | None = field(default=None, init=False)
    _asking: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    async def on_message(self, text: str) -> None:
        """Execute a command and post its result. It can take as long as a build, so run it in its own task."""
        try:
            match text.split():
                case ["release", project, *branch] if len(branch) < 2:
                    await self._release(project, *branch)
                case ["yes" | "no" as answer] if self._question and not self._question.done():
                    self._question.set_result(answer == "yes")
                case ["rerun", project]:
                    await self._rerun(project, await self._newest(project))
                case ["cancel", project]:
                    await self._report(project, await self.circle.pipelines.cancel(await self._newest(project)))
                case _:
                    await self.chat.post(HELP)
        except ca.CircleCIError as error:  # its text contains neither tokens nor signed URLs
            await self.chat.post(f"Error: {error}" + (f"\n{error.hint}" if error.hint else ""))

    async def _release(self, project: str, branch: str | None = None) -> None:
        created = await self.circle.pipelines.trigger(project, branch=branch, if_lost="find")
        await self.chat.post(f"{project}: started pipeline {created.number}.")
        result = await self.circle.pipelines.wait(created.id, on_hold=self._approve, timeout=self.timeout)
        await self._report(project, result)

    async def _approve(self, held: ca.HeldJob) -> None:
        """Ask whether to approve a job that is on hold. If not, cancel its workflow."""
        async with self._asking:  # one question at a time
            self._question = asyncio.get_running_loop().create_future()
            await self.chat.post(f"{held.workflow.project_slug}: approve {held.name}? yes or no")
            is_approved = await self._question
        await (held.approve() if is_approved else self.circle.workflows.cancel(held.workflow.id))

    async def _rerun(self, project: str, pipeline_id: str) -> None:
        rerun = partial(self.circle.workflows.rerun_and_wait, from_failed=True, on_hold=self._approve)
        last = await self.circle.pipelines.wait(pipeline_id, timeout=self.timeout)
        reruns = {each.name: rerun(each.id, timeout=self.timeout) for each in last.workflows if each.status == "failed"}
        await self.chat.post(f"{project}: rerunning {', '.join(reruns) or 'nothing, since no workflow has failed'}.")
        for rerun_result in asyncio.as_completed(reruns.values()):
            await self._report(project, await rerun_result)

    async def _newest(self, project: str) -> str:
        if pipeline := await self.circle.pipelines.mine(project).first():
            return pipeline.id
        raise ca.InvalidArgument(f"{project} has no pipeline of this user: release it first")

    async def _report(self, project: str, result: ca.PipelineResult | ca.WorkflowResult) -> None:
        await self.chat.post(f"{project}: {result.status}.")
        async for workflow, job, step in self.circle.pipelines.failures(result, tail=10):
            text = step.text or step.error or "(no output)"
            await self.chat.post(f"{workflow.name} / {job.name} / {step.name}: {step.status}\n{text}")


class Terminal:
    """A chat on the terminal."""

    async def post(self, text: str) -> None:
        """Print the text."""
        print(text, flush=True)


async def main() -> None:
    """Answer the terminal until its input ends. It needs no thread, whose blocked read would outlast Ctrl-C."""
    typed = asyncio.Queue[bytes]()
    asyncio.get_running_loop().add_reader(0, lambda: typed.put_nowait(os.read(0, 65_536)))
    async with ca.CircleCI() as circle, asyncio.TaskGroup() as tasks:
        bot = Bot(circle, Terminal())
        while line := await typed.get():  # a terminal returns one line per read, and nothing at the end
            tasks.create_task(bot.on_message(line.decode(errors="replace")))
        sys.exit()  # cancels the commands; their pipelines continue


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))  # stop as after Ctrl-C
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
