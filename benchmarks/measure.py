"""Measurements shared by the benchmarks: time, memory, event loop delay, temporary folders, table rows."""

import asyncio
import gc
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attrs import frozen

MIB = 1024 * 1024

TICK = 0.002
"""Seconds between two checks of the event loop's delay."""

_STATUS = Path("/proc/self/status")
_MEMORY = Path("/dev/shm")


@frozen
class Row:
    """One comparison: the seconds of each run, and the goal for the ratio, if any."""

    name: str
    sdk: list[float]
    bare: list[float]
    goal: float | None = None

    @property
    def measured(self) -> str:
        """The row of a table without goals."""
        ours, theirs = statistics.median(self.sdk), statistics.median(self.bare)
        return f"| {self.name} | {ours * 1000:,.0f} | {theirs * 1000:,.0f} | {ours / theirs:.2f} |"

    def __str__(self) -> str:
        if self.goal is None:
            return f"{self.measured} | |"
        ratio = statistics.median(self.sdk) / statistics.median(self.bare)
        return f"{self.measured} {self.goal:.2f} | {'yes' if ratio <= self.goal else 'no'} |"


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def timed_imports(statements: Iterable[str], rounds: int) -> dict[str, list[float]]:
    """Return the seconds that import statements take, alternately, each in a new interpreter.

    One more round, which is not counted, writes the bytecode of all modules to a temporary folder. Otherwise modules
    without bytecode (as in an editable installation with PYTHONDONTWRITEBYTECODE) would be compiled each time.
    """
    times: dict[str, list[float]] = {statement: [] for statement in statements}
    with tempfile.TemporaryDirectory() as cache:
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": cache}
        for round_number in range(rounds + 1):
            for statement, seconds in times.items():
                code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
                done = subprocess.run(
                    [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
                )
                if round_number:
                    seconds.append(float(done.stdout))
    return times


def peak_memory() -> float | None:
    """Return the peak memory of this process in MiB, or None where /proc does not exist."""
    # Not getrusage: a child process inherits the peak of its parent.
    return _peak_in(_STATUS.read_text()) if _STATUS.exists() else None


def _peak_in(status: str) -> float | None:
    found = status.partition("VmHWM:")[2].split()  # missing in the status of a process that has ended
    return int(found[0]) / 1024 if found else None


def peak_memory_of(command: Sequence[str]) -> float | None:
    """Run a program; return its peak memory in MiB, or None where /proc does not exist."""
    peak: float | None = None
    null = subprocess.DEVNULL
    with subprocess.Popen(command, env=direct_environment(), stdin=null, stdout=null) as program:
        status = Path(f"/proc/{program.pid}/status")
        while program.poll() is None:
            with suppress(OSError):
                peak = _peak_in(status.read_text()) or peak
            time.sleep(0.005)
    if program.returncode:
        raise subprocess.CalledProcessError(program.returncode, command)
    return peak


class Lag:
    """Measures how long the event loop is blocked; `longest` is in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK
            await asyncio.sleep(TICK)
            self.longest = max(self.longest, loop.time() - due)


@contextmanager
def folder_for(size: int) -> Generator[Path | None]:
    """Make a folder with room for `size` bytes, in memory if possible; yield None without enough room."""
    for place in (_MEMORY, Path(tempfile.gettempdir())):
        if place.is_dir() and shutil.disk_usage(place).free > size + 1024 * MIB:
            if place == _MEMORY and _memory_left() < size + 1024 * MIB:
                continue
            with tempfile.TemporaryDirectory(dir=place) as folder:
                yield Path(folder)
            return
    yield None


def _memory_left() -> int:
    found = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2].split()
    return int(found[0]) * 1024 if found else 0


def empty(folder: Path) -> None:
    """Remove the contents of a folder."""
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def machine() -> str:
    """Describe the machine and the versions of the installed packages."""
    packages: list[str] = []
    for name in ("aiohttp", "attrs", "cattrs", "backoff", "httpx", "pycircleci"):
        with suppress(PackageNotFoundError):
            packages.append(f"{name} {version(name)}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()} {platform.machine()}, {cores} cores"
    return f"Python {platform.python_version()}, {', '.join(packages)}; {system}."


@contextmanager
def environ(values: Mapping[str, str]) -> Generator[None]:
    """Set environment variables while the block runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def direct_environment() -> dict[str, str]:
    """Return the environment without proxies."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


@contextmanager
def server_process(command: Sequence[str]) -> Generator[str]:
    """Run a server in its own process; yield the URL that it prints."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
