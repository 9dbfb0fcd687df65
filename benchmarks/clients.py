"""The same calls with this SDK, bare aiohttp, httpx and pycircleci: `python -m benchmarks clients`.

httpx and pycircleci are imported where they are used, because they might not be installed.
"""

import asyncio
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from operator import itemgetter
from typing import Any

from attrs import frozen

from . import cases
from .cases import PROJECT, TOKEN, Place, Work
from .measure import timed, timed_imports
from .server import PAGE_SIZE, PAGES


def _httpx(place: Place) -> Any:
    httpx: Any = import_module("httpx")
    limits = httpx.Limits(max_keepalive_connections=cases.CONCURRENCY)  # by default 20: fewer than are used at once
    return httpx.AsyncClient(base_url=place.api, headers={"Circle-Token": TOKEN}, timeout=60, limits=limits)


async def calls_httpx(place: Place) -> None:
    """Make the calls of `cases.calls_sdk`."""
    async with _httpx(place) as http:
        for _ in range(cases.CALLS):
            await _call_httpx(http)


async def concurrent_httpx(place: Place) -> None:
    """Make the calls of `cases.concurrent_sdk`."""
    async with _httpx(place) as http:

        async def work() -> None:
            for _ in range(2 * cases.CALLS // cases.CONCURRENCY):
                await _call_httpx(http)

        await asyncio.gather(*(work() for _ in range(cases.CONCURRENCY)))


async def _call_httpx(http: Any) -> None:
    response = await http.get("/api/v2/me")
    assert response.raise_for_status().json()["login"] == "octocat"


async def pages_httpx(place: Place, pages: int = PAGES) -> None:
    """List the pages of `cases.pages_sdk` as dicts."""
    count = 0
    query: dict[str, str] = {}
    async with _httpx(place) as http:
        while True:
            response = await http.get(f"/api/v2/project/{PROJECT}/pipeline", params=query)
            page = response.raise_for_status().json()
            count += sum(item["number"] > 0 for item in page["items"])
            if page["next_page_token"] is None or count == pages * PAGE_SIZE:
                break
            query = {"page-token": page["next_page_token"]}
    assert count == pages * PAGE_SIZE


def _pycircleci(place: Place) -> Any:
    return import_module("pycircleci.api").Api(TOKEN, f"{place.api}/api")


async def calls_pycircleci(place: Place) -> None:
    """Make the calls of `cases.calls_sdk`. pycircleci is synchronous, so nothing else runs meanwhile."""
    _call_pycircleci(place, cases.CALLS)


async def concurrent_pycircleci(place: Place) -> None:
    """Make the calls of `cases.concurrent_sdk` from threads, each with its own client."""
    with ThreadPoolExecutor(cases.CONCURRENCY) as threads:
        share = 2 * cases.CALLS // cases.CONCURRENCY
        list(threads.map(partial(_call_pycircleci, place), [share] * cases.CONCURRENCY))


def _call_pycircleci(place: Place, calls: int) -> None:
    api = _pycircleci(place)
    for _ in range(calls):
        assert api.me(api_version="v2")["login"] == "octocat"


async def pages_pycircleci(place: Place, pages: int = PAGES) -> None:
    """List the pages of `cases.pages_sdk` as dicts."""
    vcs, organization, name = PROJECT.split("/")
    count = pages * PAGE_SIZE
    items = _pycircleci(place).get_project_pipelines(organization, name, vcs_type=vcs, paginate=True, limit=count)
    assert sum(item["number"] > 0 for item in items) == count


@frozen
class Client:
    """A way to call the API."""

    name: str
    statement: str
    """Imports it."""
    works: tuple[Work, ...]
    """The work of each of `OPERATIONS`."""
    package: str | None = None
    """What must be installed besides this project."""

    @property
    def is_installed(self) -> bool:
        """Whether its package is installed."""
        return self.package is None or find_spec(self.package) is not None


OPERATIONS = (
    f"{cases.CALLS:,} sequential calls",
    f"{2 * cases.CALLS:,} calls, {cases.CONCURRENCY} concurrent (pycircleci: {cases.CONCURRENCY} threads)",
    f"{PAGES} pages of {PAGE_SIZE} pipelines (this SDK: into models; others: into dicts)",
)

SDK = Client(
    "this SDK", "from circleci_async import CircleCI", (cases.calls_sdk, cases.concurrent_sdk, cases.pages_sdk)
)
AIOHTTP = Client(
    "bare aiohttp",
    "import aiohttp",
    (cases.calls_bare, cases.concurrent_bare, partial(cases.pages_bare, number_of=itemgetter("number"))),
)
HTTPX = Client("httpx", "import httpx", (calls_httpx, concurrent_httpx, pages_httpx), "httpx")
PYCIRCLECI = Client(
    "pycircleci",
    "from pycircleci.api import Api",
    (calls_pycircleci, concurrent_pycircleci, pages_pycircleci),
    "pycircleci",
)
CLIENTS = (SDK, AIOHTTP, HTTPX, PYCIRCLECI)


def run(place: Place, rounds: int, only: str = "") -> None:
    """Print the table; run only operations whose name contains `only`."""
    clients = [client for client in CLIENTS if client.is_installed]
    if len(clients) < len(CLIENTS):
        missing = ", ".join(client.name for client in CLIENTS if not client.is_installed)
        print(f"Not installed, and skipped: {missing} (`make bench` installs them).\n")
    print(f"| ms (multiple of {AIOHTTP.name}) | {' | '.join(client.name for client in clients)} |")
    print("|---" + "|--:" * len(clients) + "|")
    for number, operation in enumerate(OPERATIONS):
        if only in operation:
            _print(operation, clients, compare(place, [client.works[number] for client in clients], rounds))
    if only in "import":
        times = timed_imports([client.statement for client in clients], max(rounds, 9))
        _print("import", clients, list(times.values()))
    print()


def compare(place: Place, works: Sequence[Work], rounds: int) -> list[list[float]]:
    """Run the works alternately, in a different order each round; the first round is not counted."""
    times: dict[Work, list[float]] = {work: [] for work in works}
    for round_number in range(rounds + 1):
        start = round_number % len(works)
        for work in (*works[start:], *works[:start]):
            run_work: Callable[[], object] = partial(asyncio.run, work(place))  # type: ignore[arg-type]  # the works are coroutines
            seconds = timed(run_work)
            if round_number:
                times[work].append(seconds)
    return list(times.values())


def _print(operation: str, clients: Sequence[Client], times: Sequence[Sequence[float]]) -> None:
    medians = [statistics.median(seconds) for seconds in times]
    baseline = medians[clients.index(AIOHTTP)]
    cells = [f"{seconds * 1000:,.0f} ({seconds / baseline:.2f})" for seconds in medians]
    print(f"| {operation} | {' | '.join(cells)} |", flush=True)
