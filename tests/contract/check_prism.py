"""Contract tests against Stoplight Prism, a mock server that validates requests by the OpenAPI description.

`make contract` installs and runs it. Prism rejects requests with an invalid path, query, body or credentials, and
responds with the examples of the description.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from attrs import define, field
from yarl import URL

from circleci_async import ApiError, AuthenticationError, CircleCI, NotCreated, Paged
from tests.endpoints.contract import OPERATIONS
from tests.endpoints.examples import EXAMPLES, P
from tests.endpoints.requests import calls
from tests.models.spec import success

SPEC = Path(__file__).with_name("circleci-v2.slashes.openapi.json")  # slugs as segments, as they are sent
TOOLS = Path(sys.prefix) / "prism"
START_TIMEOUT = 60.0

CALLS = [
    *((str(call), name, call.start) for name, operation in OPERATIONS.items() for call in calls(operation)),
    *((f"{each.name} {number}", each.name, each.start) for number, each in enumerate(EXAMPLES)),
]


@define
class Prism:
    """The server, with the requests of the current test and their violations of the description."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    asked: list[URL] = field(factory=list)
    violations: list[str] = field(factory=list)

    def running(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"Prism exited:\n{self.log.read_text('utf-8', 'replace')}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", urlsplit(self.url).port or 0), timeout=1):
            return True
        return False

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    async def note(self, session: object, context: object, ended: aiohttp.TraceRequestEndParams) -> None:
        """Record a request and its violations, which Prism returns in a header."""
        self.asked.append(ended.url)
        for violation in json.loads(ended.response.headers.get("sl-violations", "[]")):
            self.violations.append(f"{'.'.join(map(str, violation['location']))}: {violation['message']}")

    @asynccontextmanager
    async def client(self, *, token: str = "a-token", prefer: str = "") -> AsyncGenerator[CircleCI, None]:
        """Open a client. `prefer`: the response to return, for operations with several."""
        noting = aiohttp.TraceConfig()
        noting.on_request_end.append(self.note)
        async with (
            aiohttp.ClientSession(headers={"Prefer": prefer} if prefer else {}, trace_configs=[noting]) as http,
            CircleCI(token, host=self.url, http=http) as circle,
        ):
            yield circle


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    if not (TOOLS / "node").exists():
        pytest.fail(f"Prism is not in {TOOLS}: run `make contract`")
    folder = tmp_path_factory.mktemp("prism")
    spec = json.loads(SPEC.read_bytes())
    # Prism ignores the path of the server in the description.
    spec["paths"] = {f"/api/v2{path}": calls for path, calls in spec["paths"].items()}
    (folder / "spec.json").write_text(json.dumps(spec))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    program = [TOOLS / "node", TOOLS / "node_modules/@stoplight/prism-cli/dist/index.js"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*program, "mock", "--errors", "--host", "127.0.0.1", "--port", str(port), folder / "spec.json"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    prism = Prism(f"http://127.0.0.1:{port}", process, folder / "log")
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not prism.running():
            assert time.monotonic() < deadline, f"Prism did not start:\n{prism.log.read_text('utf-8', 'replace')}"
            time.sleep(0.05)
        yield prism
    finally:
        prism.stop()


@pytest.fixture
def prism(server: Prism) -> Iterator[Prism]:
    """Return the server. Its log is shown if the test fails."""
    said = server.log.stat().st_size
    server.asked.clear()
    server.violations.clear()
    yield server
    with server.log.open("rb") as log:
        log.seek(said)
        print(log.read().decode("utf-8", "replace"))


async def finish(started: Any) -> Any:
    """Await a call; of a list that is paged, fetch the first page."""
    if not isinstance(started, Paged):
        return await started
    async with aclosing(started.pages()) as pages:
        return await anext(pages)


@pytest.mark.parametrize(("name", "start"), [call[1:] for call in CALLS], ids=[call[0] for call in CALLS])
async def test_a_call_conforms_to_the_description_and_its_response_is_decoded(
    name: str, start: Callable[[CircleCI], Any], prism: Prism
) -> None:
    status, _ = success(OPERATIONS[name].id)
    async with prism.client(prefer=f"code={status}") as circle:
        try:
            await finish(start(circle))
        except ApiError as error:
            why = "; ".join(prism.violations) or error.message
            pytest.fail(f"Prism refuses {error.method} {error.url} ({error.status}): {why}", pytrace=False)
    assert prism.violations == []


async def test_a_request_without_a_token_raises_authentication_error(prism: Prism) -> None:
    async with prism.client(token="") as circle:
        with pytest.raises(AuthenticationError):
            await circle.users.me()
    assert prism.violations == ["request: Invalid security scheme used"]


async def test_a_run_without_a_pipeline_raises_not_created(prism: Prism) -> None:
    async with prism.client(prefer="code=200") as circle:
        with pytest.raises(NotCreated) as caught:
            await circle.pipelines.run(P, config={"branch": "main"}, checkout={"branch": "main"})
    assert caught.value.status == 200
    assert prism.violations == []


async def test_the_next_page_is_requested_with_the_token_of_the_previous_page(prism: Prism) -> None:
    async with prism.client(prefer="example=more_pages") as circle:
        pages = []
        async with aclosing(circle.pipelines.list(P, branch="main").pages()) as walk:
            async for page in walk:  # endless: the example always has the same token
                pages.append(page)
                if len(pages) == 2:
                    break
    assert all(page.items for page in pages)
    assert [dict(url.query) for url in prism.asked] == [
        {"branch": "main"},
        {"branch": "main", "page-token": pages[0].next_page_token},
    ]
    assert prism.violations == []
