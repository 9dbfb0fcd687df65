"""The harvests of a sequence of faults, and what must hold after each of them and at the end."""

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

import circleci_async as ca
from circleci_async.harvest.destination.parts import PARTS_NAME
from circleci_async.testing import FakeCircleCI, Fault, Request, World
from tests.harvest.harvests import gets, parts, rows
from tests.harvest.killer import Killer
from tests.harvest.truth import PROJECT, Truth
from tests.harvest.wire import Wire, wire
from tests.leftovers import check_nothing_in_use, tasks_of_the_package

T = TypeVar("T")

HANGING = 30.0
"""Seconds after which a harvest counts as hanging."""

CLIENT: dict[str, Any] = {"retry": ca.RetryPolicy(3, 0.001, 0.01, max_wait=0.2), "timeout": 5.0}
OPTIONS: dict[str, Any] = {"min_free": 0, "attempts": 2, "concurrency": 4}


class Requests(list[Request]):
    """The requests of a server; the one with the number `at` calls `then`."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0
        self.then: Callable[[], object] = list

    def append(self, request: Request) -> None:
        super().append(request)
        if len(self) == self.at:
            self.then()


class Place:
    """Where the sequences of a process run: a folder, on a small disk if this system allows one, and a killer."""

    def __init__(self, root: Path, killing: Killer, *, is_small: bool) -> None:
        self.root = root
        self.killing = killing
        self.is_small = is_small
        """Whether the disk can be filled."""
        self.counts: Counter[str] = Counter()


class FaultHarvests(RuleBasedStateMachine):
    """The part of a state machine that harvests and checks. `place` is set by `run_sequences`."""

    place: Place

    def end_faults(self) -> None:
        """Remove all faults of the servers and of the disk."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.is_sound = True
        self.steps: list[str] = []
        self.base = Path(tempfile.mkdtemp(dir=self.place.root))
        self.into = self.base / "out"
        self.outside = self.base / "outside"
        self.outside.mkdir()
        self.filler = self.place.root / "filler"
        self.world = World()
        self.project = self.world.project(PROJECT)
        self.truth = Truth(self.world)
        self.faults: list[Fault] = []
        self.has_deleted = False
        self.last_kill = 1
        self.options: dict[str, Any] = dict(OPTIONS)
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self.runner.run(asyncio.wait_for(work, HANGING))
        except BaseException as error:
            self.is_sound = False
            error.add_note("the steps:\n" + "\n".join(self.steps))
            raise

    async def serve(self, fake: FakeCircleCI) -> None:
        self.fake = await self.stack.enter_async_context(fake)
        self.fake.requests = self.requests = Requests()
        self.wire: Wire = await self.stack.enter_async_context(wire(self.fake, self.truth.announced))

    def _prepare(self) -> set[str]:
        self.requests.clear()
        return self.truth.finished(self.into)

    def _check(self, finished: set[str]) -> None:
        """Check what holds after each run, however it ended."""
        fetched = set(gets(self.fake))
        again = {each.location for each in self.truth.artifacts if each.key in fetched} & finished
        assert again == set(), "a finished file was requested again"
        self.truth.check_files(self.into)
        self.truth.note_missing_lists(self.requests)
        assert {path.name for path in self.base.iterdir()} <= {"out", "outside"}
        assert list(self.outside.iterdir()) == [], "something was written outside"

    async def _client_harvest(self, **options: Any) -> ca.HarvestReport:
        async with self.fake.client(host=self.wire.url, **CLIENT) as circle:
            try:
                return await circle.harvest(PROJECT, self.into, **(self.options | options))
            finally:
                check_nothing_in_use(circle)

    async def check_harvest(self, **options: Any) -> ca.HarvestReport | None:
        finished = self._prepare()
        try:
            report = await self._client_harvest(**options)
        except ca.LedgerError:
            assert self.filler.exists()
            report = None
        assert tasks_of_the_package() == []
        self._check(finished)
        if report is not None:
            self.truth.check_report(report, self.into, self.truth.note_missing_lists(self.requests))
        return report

    async def check_cancel(self, after: int) -> None:
        finished = self._prepare()
        task = asyncio.ensure_future(self._client_harvest())
        self.requests.at, self.requests.then = after, task.cancel
        try:
            await asyncio.wait([task])
        finally:
            self.requests.at = 0
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, ca.LedgerError), error
            assert self.filler.exists()
        assert tasks_of_the_package() == []
        self._check(finished)

    async def check_kill(self, **when: Any) -> None:
        finished = self._prepare()
        killing = self.place.killing
        was_killed = await killing.try_to_kill(self.fake, self.into, host=self.wire.url, **when, **self.options)
        self.place.counts["killed harvests" if was_killed else "harvests"] += 1
        self._check(finished)

    # The end

    def teardown(self) -> None:
        try:
            if self.is_sound and hasattr(self, "wire"):
                self.end()
        finally:
            self.place.counts["sequences"] += 1
            self.runner.run(self.stack.aclose())
            self.runner.close()
            self.filler.unlink(missing_ok=True)
            shutil.rmtree(self.base)

    def end(self) -> None:
        """Kill a last harvest and remove all faults; one harvest must be complete, and another one request no file."""
        self.run(self.check_kill(step=self.last_kill))
        self.end_faults()
        self.place.counts["faulty responses"] += self.wire.hits
        for target in self.truth.altered:
            (self.into / target).unlink(missing_ok=True)
        self.truth.altered.clear()
        for parent, folders, names in os.walk(self.into, topdown=False):
            for path in (Path(parent) / name for name in [*folders, *names]):
                if path.is_symlink():
                    path.unlink()
                elif path.is_dir() and path.name != PARTS_NAME and not any(path.iterdir()):
                    path.rmdir()
        self.run(self._end())

    async def _end(self) -> None:
        report = await self.check_harvest()
        for _ in range(2 * self.has_deleted):  # what is missing here and on the server fails once, and is listed again
            report = await self.check_harvest()
        assert report is not None
        self.truth.check_complete(report)
        differences = await ca.verify_harvest(self.into)
        wanted = {path for location, path in self.truth.recorded(self.into).items() if location in self.truth.wanted}
        assert (differences.changed, differences.unknown, set(differences.missing) & wanted) == ((), (), set())
        report = await self.check_harvest()
        assert report is not None
        self.truth.check_complete(report)
        assert len(report.files) == 0
        failed = {str(id) for (id,) in rows(self.into, "SELECT id FROM artifacts WHERE state = 'failed'")}
        assert [name for name in parts(self.into) if name.split(".")[1] not in failed] == []
        assert [each.path for each in self.requests if each.origin != "api" and not is_refused(self.truth, each)] == []


def is_refused(truth: Truth, request: Request) -> bool:
    return any(request.path in {each.location, each.key} for each in truth.artifacts if each.location in truth.refused)
