"""Simulate a harvest event by event, with seeded random times and sizes, independently of the formulas of the model.

It follows the code: discovery with its limits of concurrency, a token bucket, permits, workers, uploads and commits. Of
a large organization it simulates a part, and twice that part, and multiplies the difference.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from attrs import define, evolve, frozen

from .scale_model import (
    ARTIFACTS,
    JOBS,
    MAX_FILES,
    MAX_RANGES,
    MAX_UPLOADS,
    PART,
    PUT_RATE,
    RANGES,
    Organization,
    Setup,
    checked_kinds,
    size_at,
)

PROJECTS = 6
PIPELINES = 24
BRANCHES = 6
"""Projects, pipelines of each, and workflows or jobs of each of them that discovery reads concurrently."""

MAX_PENDING = 5_000
"""Pending artifacts beyond which discovery waits."""

SLICE_PROJECTS = 12
SLICE_FILES = 12_000
MIN_PAGES = 4
"""Larger organizations are simulated in part: these projects at night; at first, pipelines of about as many files, and
at least as many pages of them for each project that is read concurrently."""

Action = Callable[[], object]


@frozen
class Simulated:
    """The result: seconds of the whole harvest, and what the simulated part did."""

    seconds: float
    requests: int
    files: int
    share: float
    """The simulated part of the organization."""


@define
class _Serial:
    """A resource that serves one after another."""

    free: float = 0.0

    def reserve(self, now: float, seconds: float) -> float:
        """Return when this is served."""
        self.free = max(self.free, now) + seconds
        return self.free


@define
class _Bucket:
    """A token bucket of one second."""

    rate: float
    due: float = 0.0

    def reserve(self, now: float, tokens: float = 1.0) -> float:
        """Return when the tokens are there."""
        self.due = max(self.due, now - 1.0) + tokens / self.rate
        return max(now, self.due)


class _Pool:
    """Permits, first come, first served."""

    def __init__(self, size: int) -> None:
        self._free = self.size = size
        self._waiting: deque[Action] = deque()

    def acquire(self, action: Action) -> None:
        self._waiting.append(action)
        self._serve()

    def release(self, count: int) -> None:
        self._free += count
        self._serve()

    def take_spare(self, count: int) -> int:
        """Take up to `count` permits that nobody waits for, and return how many."""
        taken = 0 if self._waiting else min(count, self._free)
        self._free -= taken
        return taken

    def _serve(self) -> None:
        while self._waiting and self._free:
            self._free -= 1
            self._waiting.popleft()()


class _Network:
    """One direction of a worker's network: its connections share it equally, each up to its own bandwidth."""

    def __init__(self, harvest: "_Harvest") -> None:
        self._harvest = harvest
        self._connections = 0
        self._time = 0.0
        self._received = 0.0  # bytes, by a connection that has been open since the begin
        self._transfers: list[tuple[float, int, int, Action]] = []
        self._version = 0
        self._bandwidth = 0.0

    def transfer(self, size: float, connections: int, bandwidth: float, action: Action) -> None:
        """Call `action` when this many bytes have been transferred over some connections."""
        self._bandwidth = bandwidth
        self._advance()
        self._version += 1
        self._connections += connections
        heapq.heappush(self._transfers, (self._received + size / connections, self._version, connections, action))
        self._schedule()

    def _advance(self) -> None:
        if self._connections:
            self._received += (self._harvest.now - self._time) * self._speed
        self._time = self._harvest.now

    @property
    def _speed(self) -> float:
        return min(self._bandwidth, self._harvest.setup.network / self._connections)

    def _schedule(self) -> None:
        if self._transfers:
            left = max(0.0, self._transfers[0][0] - self._received)
            self._harvest.at(self._time + left / self._speed, partial(self._end, self._version))

    def _end(self, version: int) -> None:
        if version != self._version:  # another transfer began or ended since
            return
        self._advance()
        self._version += 1
        received, _, connections, action = heapq.heappop(self._transfers)
        self._received = max(self._received, received)
        self._connections -= connections
        self._schedule()
        action()


class _Fan:
    """Work on items, at most `limit` at once. `pull(receive)` calls `receive` with the next item, None at the end."""

    def __init__(
        self,
        limit: int,
        pull: Callable[[Callable[[object], None]], object],
        work: Callable[[object, Action], object],
        end: Action,
    ) -> None:
        self._limit = limit
        self._pull = pull
        self._work = work
        self._end = end
        self._running = 0
        self._is_pulling = self._is_empty = False
        self.more()

    def more(self) -> None:
        while self._running < self._limit and not self._is_empty and not self._is_pulling:
            self._is_pulling = True
            self._pull(self._got)

    def _got(self, item: object) -> None:
        self._is_pulling = False
        if item is None:
            self._is_empty = True
            if not self._running:
                self._end()
            return
        self._running += 1
        self._work(item, self._done)
        self.more()

    def _done(self) -> None:
        self._running -= 1
        if self._is_empty and not self._running:
            self._end()
        else:
            self.more()


@frozen
class _Workflow:
    """A workflow that is listed: its jobs, and the share of them with new artifacts."""

    jobs: int
    share: float = 1.0
    again: int = 0
    """Jobs that are running: their artifacts are listed again without news."""


@define
class _Pipeline:
    """A pipeline that is listed."""

    workflows: list[_Workflow]
    is_requested: bool = True
    """Whether its workflows are requested: otherwise the ledger has them."""


class _Harvest:
    """One simulated harvest."""

    def __init__(self, organization: Organization, setup: Setup, *, is_first: bool, seed: int, sizes: Sequence[float]):
        self.organization = organization
        self.setup = setup
        self.is_first = is_first
        self.kinds = checked_kinds(setup.what)
        self.random = random.Random(seed)
        self.now = 0.0
        self.requests = self.files = 0
        self.end = self._answered_at = 0.0
        self._sizes = sizes
        self._decks: dict[tuple[float, ...], list[float]] = {}
        self._events: list[tuple[float, int, Action]] = []
        self._sequence = 0
        self._quota = _Bucket(setup.quota * setup.efficiency)
        self._puts = _Bucket(PUT_RATE * setup.prefixes)
        self._caller = _Serial()
        is_alone = setup.workers == 1
        self._cpus = [self._caller] if is_alone else [_Serial() for _ in range(setup.workers)]
        self._inward = [_Network(self) for _ in range(setup.workers)]
        self._outward = [_Network(self) for _ in range(setup.workers)]
        self._permits = _Pool(setup.concurrency)
        self._slots = [self._permits] if is_alone else [_Pool(setup.concurrency) for _ in range(setup.workers)]
        self._claims = [0] * setup.workers
        self._claimed = 0
        self._max_claims = min(setup.concurrency * setup.workers, setup.concurrency if is_alone else MAX_FILES)
        self._pending: deque[float] = deque()
        self._blocked: deque[Action] = deque()

    def run(self) -> None:
        chosen = iter(range(self.organization.projects))
        if self.organization.by_slug:
            self._discover(chosen)
        else:
            pipelines = min(1000, self.organization.projects * self.organization.pipelines)
            self._listed(int(-(-pipelines // self.setup.page_size)) + 1, partial(self._discover, chosen))
        while self._events:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.end = max(self.end, self._answered_at)

    # Discovery

    def _discover(self, chosen: Iterator[int]) -> None:
        _Fan(PROJECTS, lambda receive: receive(next(chosen, None)), self._project, lambda: None)

    def _project(self, _: object, done: Action) -> None:
        pipelines = self._pipelines()
        per_page = self.setup.page_size
        ready: deque[_Pipeline] = deque()
        is_over = self.is_first or not self.setup.since or self.setup.since >= self.organization.days

        def pull(receive: Callable[[object], None]) -> None:
            if ready:
                receive(ready.popleft())
            elif pulled and (len(pulled[-1]) < per_page or (not pipelines and is_over)):
                receive(None)
            else:
                self._request(lambda: page(receive))

        def page(receive: Callable[[object], None]) -> None:
            pulled.append([pipelines.popleft() for _ in range(min(per_page, len(pipelines)))])
            ready.extend(pulled[-1])
            receive(ready.popleft() if ready else None)

        pulled: list[list[_Pipeline]] = []
        _Fan(PIPELINES, pull, self._pipeline, done)

    def _pipelines(self) -> "deque[_Pipeline]":
        """Return the pipelines of a project that a harvest lists: whether their workflows are requested, and which."""
        build, whole = self.organization, self._whole
        if self.is_first:
            return deque(_Pipeline(self._workflows()) for _ in range(whole(build.pipelines)))
        a_day = build.pipelines / build.days
        since = min(self.setup.since or build.days, build.days)
        listed = whole(a_day * since)
        new = min(listed, whole(a_day * min(self.setup.interval, since)))
        rechecked = min(listed, max(new, whole(a_day * (self.setup.recheck + self.setup.interval))))
        found: deque[_Pipeline] = deque(_Pipeline(self._workflows()) for _ in range(new))
        for position in range(new, listed):
            found.append(_Pipeline([], position < rechecked))
        for _ in range(whole(new * build.reruns)):
            rerun = found[self.random.randrange(rechecked)]
            rerun.workflows.append(_Workflow(whole(build.jobs), build.rerun_jobs))
        for _ in range(whole(new * build.running)):
            found[self.random.randrange(rechecked)].workflows.append(_Workflow(0, again=1))
        return found

    def _workflows(self) -> list[_Workflow]:
        count = self._whole(self.organization.workflows)
        jobs = self.organization.jobs  # of workflows with equal ones, all would reach their artifacts at the same time
        return [_Workflow(self._whole(jobs * self._dealt(JOBS))) for _ in range(count)]

    def _pipeline(self, item: object, done: Action) -> None:
        assert isinstance(item, _Pipeline)
        workflows = item.workflows
        if not item.is_requested:
            self.at(self.now, done)
            return
        remaining = iter(workflows)
        is_described = "builds" in self.kinds and any(each.jobs or each.again for each in workflows)
        self._listed(
            max(1, -(-len(workflows) // self.setup.page_size)) + is_described,
            lambda: _Fan(BRANCHES, lambda receive: receive(next(remaining, None)), self._workflow, done),
        )

    def _workflow(self, item: object, done: Action) -> None:
        assert isinstance(item, _Workflow)
        jobs = iter([True] * self._whole(item.jobs * item.share) + [False] * item.again)
        self._listed(
            max(1, -(-item.jobs // self.setup.page_size)) + ("builds" in self.kinds and item.jobs + item.again > 0),
            lambda: _Fan(BRANCHES, lambda receive: receive(next(jobs, None)), self._job, done),
        )

    def _job(self, is_new: object, done: Action) -> None:
        build, kinds = self.organization, self.kinds
        artifacts = self._some(build.artifacts) if "artifacts" in kinds and is_new else 0
        files = [self._size() for _ in range(artifacts)]
        requests = max(1, -(-artifacts // self.setup.page_size)) if "artifacts" in kinds else 0
        if "logs" in kinds and is_new:
            requests += 1
            files += [build.log_size] * self._whole(build.steps)
        if "tests" in kinds and is_new:
            requests += max(1, -(-self._whole(build.tests) // self.setup.page_size))
            files += [0.0, 0.0] if build.tests else []
        if "builds" in kinds and is_new:
            requests += 1
            files.append(0.0)
        self._listed(requests, partial(self._queue, files, done))

    def _listed(self, count: int, action: Action) -> None:
        """Make requests one after another."""
        if count == 0:
            self.at(self.now, action)
        elif count == 1:
            self._request(action)
        else:
            self._request(lambda: self._listed(count - 1, action))

    def _request(self, action: Action) -> None:
        self.requests += 1
        self.at(self._quota.reserve(self.now), lambda: self._permits.acquire(partial(self._send, action)))

    def _send(self, action: Action) -> None:
        self.at(self.now + self._varied(self.setup.latency), partial(self._answered, action))

    def _answered(self, action: Action) -> None:
        self._permits.release(1)
        self._answered_at = self.now
        self.at(self._caller.reserve(self.now, self.setup.cpu_list), action)

    # Downloads and uploads

    def _queue(self, files: list[float], done: Action) -> None:
        self._pending.extend(files)
        self._claim()
        if len(self._pending) > MAX_PENDING:
            self._blocked.append(done)
        else:
            done()

    def _claim(self) -> None:
        while self._pending and self._claimed < self._max_claims:
            self._claimed += 1
            worker = self._claims.index(min(self._claims))
            self._claims[worker] += 1
            size = self._pending.popleft()
            self._slots[worker].acquire(partial(self._download, worker, size))
        while self._blocked and len(self._pending) <= MAX_PENDING:
            self.at(self.now, self._blocked.popleft())

    def _download(self, worker: int, size: float) -> None:
        self.files += 1
        begin = self.now + self._varied(self.setup.storage_latency)
        self.at(begin, partial(self._receive, worker, size, size))

    def _receive(self, worker: int, size: float, left: float) -> None:
        """Receive a file: a large one over connections that nobody else waits for, again after each piece."""
        slots = self._slots[worker]
        spare = slots.take_spare(MAX_RANGES - 1) if size >= RANGES else 0
        piece = min(left, RANGES)

        def received() -> None:
            slots.release(spare)
            if left > piece:
                self._receive(worker, size, left - piece)
            else:
                self._handle(worker, size)

        self._inward[worker].transfer(piece, 1 + spare, self.setup.bandwidth, received)

    def _handle(self, worker: int, size: float) -> None:
        seconds = self.setup.cpu_file + size / 1e9 * self.setup.cpu_gigabyte
        handled = self._cpus[worker].reserve(self.now, seconds)
        if not self.setup.put_latency:
            self.at(handled, partial(self._commit, worker))
            return
        requests = 1 if size <= PART else -(-size // PART) + 2
        answered = self._puts.reserve(handled, requests) + self._varied(self.setup.put_latency)
        self.at(answered, partial(self._put, worker, size))

    def _put(self, worker: int, size: float) -> None:
        connections = min(MAX_UPLOADS, -int(-size // PART)) if size else 1
        self._outward[worker].transfer(size, connections, self.setup.put_bandwidth, partial(self._commit, worker))

    def _commit(self, worker: int) -> None:
        self._slots[worker].release(1)
        self._claims[worker] -= 1
        self._claimed -= 1
        seconds = 0.0 if self.setup.workers == 1 else 1 / self.setup.commits  # one process: part of `cpu_file`
        self.end = max(self.end, self._caller.reserve(self.now, seconds))
        self._claim()

    # Time and chance

    def at(self, time: float, action: Action) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (time, self._sequence, action))

    def _varied(self, seconds: float) -> float:
        """Return a random time with this mean, never less than half of it."""
        return seconds * (0.5 + self.random.expovariate(2.0)) if seconds else 0.0

    def _whole(self, mean: float) -> int:
        """Return one of the integers next to a mean."""
        whole = int(mean)
        return whole + (self.random.random() < mean - whole)

    def _some(self, mean: float) -> int:
        """Return a random number: half of all jobs have the mean, a quarter nothing, a quarter twice as many."""
        return self._whole(mean * self._dealt(ARTIFACTS))

    def _dealt(self, values: tuple[float, ...]) -> float:
        """Return one of the values in random order, each as often as the others; 1 if nothing is uneven."""
        if not self.organization.uneven:
            return 1.0
        deck = self._decks.setdefault(values, [])
        if not deck:
            deck.extend(values)
            self.random.shuffle(deck)
        return deck.pop()

    def _size(self) -> float:
        """Return the next of the sizes, in their random order."""
        if not self._sizes:
            return self.organization.size
        size = self._sizes[self._position % len(self._sizes)]
        self._position += 1
        return size

    _position = 0


def simulate(organization: Organization, setup: Setup, *, is_first: bool, seed: int = 1) -> Simulated:
    """Simulate a harvest."""
    part = _slice(organization, setup, is_first=is_first)
    once = _run(part, setup, is_first=is_first, seed=seed)
    whole = organization.projects * organization.pipelines
    share = part.projects * part.pipelines / whole if whole else 1.0
    if share == 1:
        return Simulated(once.end, once.requests, once.files, share)
    # The difference from twice as much work is the time without the begin and the end.
    if is_first and 2 * part.pipelines <= organization.pipelines:
        double = evolve(part, pipelines=2 * part.pipelines)
    else:
        double = evolve(part, projects=2 * part.projects)
    twice = _run(double, setup, is_first=is_first, seed=seed)
    seconds = once.end + (twice.end - once.end) * (1 / share - 1)
    return Simulated(seconds, twice.requests, twice.files, 2 * share)


class _Run(NamedTuple):
    """A simulated harvest: seconds, requests to the API, and files."""

    end: float
    requests: int
    files: int


@lru_cache(maxsize=64)  # the parts of several organizations can be the same
def _run(organization: Organization, setup: Setup, *, is_first: bool, seed: int) -> _Run:
    files = round(_files(organization, setup, is_first=is_first))
    harvest = _Harvest(organization, setup, is_first=is_first, seed=seed, sizes=_sizes(files, organization, seed))
    harvest.run()
    return _Run(harvest.end, harvest.requests, harvest.files)


def _slice(organization: Organization, setup: Setup, *, is_first: bool) -> Organization:
    """Return a part of the organization, or all of it if that is little."""
    files = _files(organization, setup, is_first=is_first)
    if files <= SLICE_FILES and organization.projects <= 2 * SLICE_PROJECTS:
        return organization
    if not is_first:
        return evolve(organization, projects=min(organization.projects, SLICE_PROJECTS))
    part = evolve(organization, projects=min(organization.projects, PROJECTS))
    wanted = part.pipelines * SLICE_FILES / _files(part, setup, is_first=True)
    pages = max(MIN_PAGES, round(wanted / setup.page_size))
    return evolve(part, pipelines=min(part.pipelines, pages * setup.page_size))


def _files(organization: Organization, setup: Setup, *, is_first: bool) -> float:
    """Return about how many artifacts a harvest finds."""
    days = 1.0 if is_first else min(1.0, setup.interval / organization.days)
    builds = organization.projects * organization.pipelines * days
    return builds * organization.workflows * organization.jobs * organization.artifacts


@lru_cache(maxsize=4)
def _sizes(count: int, organization: Organization, seed: int) -> tuple[float, ...]:
    """Return sizes with the mean and the distribution of an organization, in random order."""
    if count < 1 or not organization.size:
        return ()
    sizes = [size_at((number + 0.5) / count, organization) for number in range(count)]
    factor = organization.size * count / sum(sizes)
    sizes = [size * factor for size in sizes]
    random.Random(seed).shuffle(sizes)
    return tuple(sizes)
