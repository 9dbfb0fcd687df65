"""Dask clusters whose scheduler and workers are processes. One process imports distributed once, and forks them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TOKEN = "fake-token"

PROGRAM = """
import asyncio, json, logging, os, signal, sys, threading, time
import circleci_async as ca
import circleci_async.client, circleci_async.harvest.run, circleci_async.core.codec, circleci_async.harvest.workers.task
from circleci_async.core import user_agent
from circleci_async.harvest.workers import process, task
import dask
from distributed import Client, Scheduler, Worker

dask.config.set({"distributed.admin.log-format": "%(message)s", "distributed.worker.memory.terminate": False})

async def scheduler(report):
    async with Scheduler(port=0, protocol="tcp", host="127.0.0.1", dashboard_address=":0", allowed_failures=1) as it:
        report(it.address)
        await it.finished()

async def worker(report, address, threads, local):
    async with Worker(address, nthreads=threads, host="127.0.0.1", local_directory=local) as it:
        report(it.address)
        await it.finished()

async def harvest(report, address, host, artifact_host, into):
    retry = ca.RetryPolicy(attempts=3, initial_delay=0.001, max_delay=0.01)
    client = ca.CircleCI("fake-token", host=host, artifact_hosts=[artifact_host], retry=retry, trust_env=False)
    async with client as circle, Client(address, asynchronous=True) as workers:
        report("harvest")
        await circle.harvest("gh/acme/api", into, workers=workers)

def run(order, report):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    logging.disable()
    os.environ.update(order["env"])
    for name in order["without"]:
        os.environ.pop(name, None)
    if order["version"]:
        ca.__version__ = task.VERSION = order["version"]
    if order["is_missing"]:
        for name in [name for name in sys.modules if name.partition(".")[0] == "circleci_async"]:
            sys.modules[name] = None
    if order["harvest"]:
        asyncio.run(harvest(report, order["address"], *order["harvest"]))
    elif order["address"]:
        asyncio.run(worker(report, order["address"], order["threads"], order["local"]))
    else:
        asyncio.run(scheduler(report))

def die_with(parent):
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)

for line in sys.stdin:
    order = json.loads(line)
    parent = os.getpid()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        threading.Thread(target=die_with, args=(parent,), daemon=True).start()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        def report(address):
            os.write(writing, address.encode())
            os.close(writing)
        try:
            run(order, report)
        except BaseException as error:
            if not isinstance(error, SystemExit):
                import traceback; traceback.print_exc()
        finally:
            process_of = task._process.cache_info().currsize and task._process()
            if process_of:
                process_of.close()
            os._exit(0)
    os.close(writing)
    address = os.read(reading, 1000).decode()
    os.close(reading)
    print(json.dumps([child, address]), flush=True)
"""


class Forks:
    """Starts schedulers and workers, and kills them."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder
        self.pids: set[int] = set()

    def start(
        self,
        address: str = "",
        *,
        threads: int = 2,
        env: dict[str, str] | None = None,
        without: tuple[str, ...] = (),
        version: str = "",
        is_missing: bool = False,
        harvest: tuple[str, str, str] | None = None,
    ) -> tuple[int, str]:
        """Start a scheduler, or a worker of the one at an address; return its process id and its address.

        `harvest`: start a harvest instead, with the API's address, the artifact host, and the destination.
        """
        variables = {"CIRCLE_TOKEN": TOKEN, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"} | (env or {})
        order: dict[str, Any] = {
            "address": address,
            "threads": threads,
            "env": variables,
            "without": without,
            "version": version,
        }
        order |= {"local": str(self._folder), "harvest": harvest, "is_missing": is_missing}
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{json.dumps(order)}\n")
        stdin.flush()
        pid, started = json.loads(stdout.readline())
        assert started
        self.pids.add(pid)
        return pid, started

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.pids.discard(pid)


class Cluster:
    """A scheduler and its workers."""

    def __init__(self, forks: Forks, workers: int = 2, **options: Any) -> None:
        self._forks = forks
        self.scheduler, self.address = forks.start()
        self.workers = [forks.start(self.address, **options)[0] for _ in range(workers)]

    def add_worker(self, **options: Any) -> tuple[int, str]:
        pid, address = self._forks.start(self.address, **options)
        self.workers.append(pid)
        return pid, address

    def start_harvest(self, url: str, artifact_host: str, into: Path) -> int:
        return self._forks.start(self.address, harvest=(url, artifact_host, str(into)))[0]

    def kill(self, pid: int) -> None:
        self._forks.kill(pid)

    def close(self) -> None:
        for pid in (*self.workers, self.scheduler):
            if pid in self._forks.pids:
                self._forks.kill(pid)


@contextmanager
def forks(folder: Path) -> Iterator[Forks]:
    command = (sys.executable, "-c", PROGRAM)
    pipe = subprocess.PIPE
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CIRCLE", "XDG_"))}
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parents[3], env={**env, "HOME": str(folder)}
    ) as process:
        started = Forks(process, folder)
        try:
            yield started
        finally:
            for pid in list(started.pids):
                with suppress(ProcessLookupError):
                    started.kill(pid)
