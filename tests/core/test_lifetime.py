"""Where a client may be used: in the process and the event loop of its first call."""

import asyncio
import gc
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from circleci_async import CircleCI, ConfigurationError
from circleci_async.models import Artifact
from tests.raw_server import answer, raw_server

ME = {"id": "u-1", "login": "octo"}
NOWHERE = "http://localhost:1"

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not support fork")


async def in_another_loop(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run work in another thread with a new event loop."""
    return await asyncio.to_thread(lambda: asyncio.run(work()))


async def test_a_client_created_before_a_loop_belongs_to_the_first_one() -> None:
    async with raw_server(answer(200, ME)) as server:
        circle = await asyncio.to_thread(CircleCI, "t", host=server.url)
        assert (await circle.users.me()).login == "octo"
        await circle.aclose()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # its first loop ended before it was closed
async def test_a_client_fails_in_the_next_asyncio_run() -> None:
    async with raw_server(answer(200, ME)) as server:

        def runs_twice() -> None:
            circle = CircleCI("t", host=server.url)
            assert asyncio.run(circle.users.me()).login == "octo"
            with pytest.raises(ConfigurationError, match=r"is closed, as after each `asyncio\.run`"):
                asyncio.run(circle.users.me())
            asyncio.run(circle.aclose())
            with pytest.raises(ConfigurationError, match="the client is closed"):
                asyncio.run(circle.users.me())

        await asyncio.to_thread(runs_twice)
        gc.collect()
        assert len(server.requests) == 1
        await server.all_closed()


@pytest.mark.parametrize("call", ["users.me", "a list", "a stream", "aclose"])
async def test_a_client_fails_in_another_loop_and_still_works_in_its_own(call: str) -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI("t", host=server.url) as circle:
        await circle.users.me()

        async def elsewhere() -> None:
            with pytest.raises(ConfigurationError, match=r"belongs to another event loop.*run_coroutine_threadsafe"):
                match call:
                    case "users.me":
                        await circle.users.me()
                    case "a list":
                        await circle.pipelines.list("gh/acme/api").first()
                    case "a stream":
                        async with circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{server.url}/a")):
                            pass
                    case _:
                        await circle.aclose()

        await in_another_loop(elsewhere)
        assert (await circle.users.me()).login == "octo"
        assert len(server.requests) == 2


async def test_a_call_can_be_submitted_to_the_loop_of_the_client() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI("t", host=server.url) as circle:
        await circle.users.me()
        loop = asyncio.get_running_loop()
        handed = await asyncio.to_thread(asyncio.run_coroutine_threadsafe, circle.users.me(), loop)
        assert (await asyncio.wrap_future(handed)).login == "octo"


async def test_a_closed_client_can_be_closed_again_in_any_loop() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI("t", host=server.url) as circle:
        await circle.users.me()
    await in_another_loop(circle.aclose)


def test_a_call_without_a_running_loop_names_the_cause() -> None:
    call = CircleCI("t", host=NOWHERE).users.me()
    with pytest.raises(ConfigurationError, match="no event loop is running"):
        call.send(None)


# Programs that fork run in separate processes, since this one has threads.


async def run(program: str, *arguments: str) -> list[str]:
    """Run a program that forks, and return the lines that it and its children print."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", program, *arguments, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode().splitlines()


IN_A_LOOP_THAT_IS_KEPT = """
import asyncio, os, sys
from circleci_async import CircleCI, ConfigurationError

loop = asyncio.new_event_loop()
circle = CircleCI("t", host=sys.argv[1])
loop.run_until_complete(circle.users.me())
child = os.fork()
if child == 0:
    try:
        loop.run_until_complete(circle.users.me())
    except ConfigurationError as error:
        print("child:", error, flush=True)
    loop.run_until_complete(circle.aclose())
    try:
        loop.run_until_complete(circle.users.me())
    except ConfigurationError as error:
        print("child:", error, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("parent:", loop.run_until_complete(circle.users.me()).login)
loop.run_until_complete(circle.aclose())
loop.close()
"""

INSIDE_OF_A_COROUTINE = """
import asyncio, os, sys
from circleci_async import CircleCI, ConfigurationError

async def main():
    async with CircleCI("t", host=sys.argv[1]) as circle:
        await circle.users.me()
        child = os.fork()
        if child == 0:
            try:
                await circle.users.me()
            except ConfigurationError as error:
                print("child:", error, flush=True)
            await circle.aclose()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print("parent:", (await circle.users.me()).login)

asyncio.run(main())
"""

BY_MULTIPROCESSING = """
import asyncio, multiprocessing, sys
from circleci_async import CircleCI, ConfigurationError

used = CircleCI("t", host=sys.argv[1])
unused = CircleCI("t", host=sys.argv[1])

async def use(circle):
    try:
        return (await circle.users.me()).login
    except ConfigurationError as error:
        return str(error)
    finally:
        await circle.aclose()

def work(_):
    return [asyncio.run(use(circle)) for circle in (used, unused, CircleCI("t", host=sys.argv[1]))]

async def main():
    await used.users.me()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        for said in pool.map(work, [None])[0]:
            print("child:", said)
        pool.close()
        pool.join()
    print("parent:", (await used.users.me()).login)
    await used.aclose()

if __name__ == "__main__":
    asyncio.run(main())
"""


@needs_fork
@pytest.mark.parametrize("program", [IN_A_LOOP_THAT_IS_KEPT, INSIDE_OF_A_COROUTINE], ids=["kept loop", "coroutine"])
async def test_a_client_fails_in_a_forked_child_without_affecting_the_parent(program: str) -> None:
    async with raw_server(answer(200, ME)) as server:
        *child, parent = await run(program, server.url)
        assert parent == "parent: octo"
        assert child[0].startswith("child: this client was in use when the process was forked")
        assert child[0].endswith("create a new client in the child")
        assert all("the client is closed" in said for said in child[1:])
        assert len(server.requests) == 2
        assert server.connections == 1, "closing the client in the child has cut the connection of the parent"


@needs_fork
async def test_a_forked_child_can_use_new_and_unused_clients() -> None:
    async with raw_server(answer(200, ME)) as server:
        refused, *fine = await run(BY_MULTIPROCESSING, server.url)
        assert refused.startswith("child: this client was in use when the process was forked")
        assert fine == ["child: octo", "child: octo", "parent: octo"]
