"""The pytest plugin, in projects with pytest-asyncio, anyio, both or neither."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

SETTINGS = """\
[pytest]
filterwarnings =
    error
    ignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning
"""

BOT = """\
import circleci_async as ca


async def count_pipelines(circle, project):
    return len(await circle.pipelines.list(project).collect())


async def login():
    async with ca.CircleCI() as circle:
        return (await circle.users.me()).login
"""

ASYNC = """\
import pytest

import circleci_async as ca
from bot import count_pipelines, login
from circleci_async.testing import FakeCircleCI

{mark}


async def test_server_and_client(fake_circleci, circle):
    assert isinstance(fake_circleci, FakeCircleCI)
    assert isinstance(circle, ca.CircleCI)
    project = fake_circleci.world.project("gh/acme/api")
    project.pipeline()
    assert await count_pipelines(circle, "gh/acme/api") == 1
    project.pipeline()
    assert await count_pipelines(circle, "gh/acme/api") == 2
    assert len(fake_circleci.requests) == 2


async def test_each_test_has_its_own_server(fake_circleci, circle):
    assert fake_circleci.requests == []
    with pytest.raises(ca.NotFound):
        await count_pipelines(circle, "gh/acme/api")


async def test_environment_configures_other_clients(fake_circleci):
    assert await login() == fake_circleci.world.me.login


async def test_unused_client(circle):
    pass


async def test_cancelled_request_leaks_nothing(fake_circleci, circle):
    fake_circleci.fail("*", delay=30)
    import asyncio
    request = asyncio.ensure_future(circle.users.me())
    while not fake_circleci.requests:
        await asyncio.sleep(0.01)
    request.cancel()


async def test_artifacts_use_all_three_servers(fake_circleci, circle, tmp_path):
    job = fake_circleci.world.project("gh/acme/api").pipeline().workflow().job("test")
    job.artifact("a.bin", size=300_000)
    fake_circleci.fail(origin="storage", cut=100_000)
    report = await circle.artifacts.download_all(circle.artifacts.list("gh/acme/api", job.number), tmp_path)
    report.raise_for_failures()
    assert report.files[0].resumed == 1


async def test_server_can_be_restarted(fake_circleci, circle):
    await fake_circleci.close()
    with pytest.raises(RuntimeError):
        fake_circleci.url
    await fake_circleci.start()
    async with fake_circleci.client() as another:
        await another.users.me()
"""

FIXTURES = """\


{fixture}
async def greeting(circle):
    me = await circle.users.me()
    yield f"Hello, {{me.login}}"
    await circle.users.me()


async def test_async_fixtures_can_use_the_client(greeting, circle, fake_circleci):
    assert greeting == "Hello, octo-dev"
    await circle.users.me()
    assert len(fake_circleci.requests) == 2
"""

SYNC = """\
import asyncio
from urllib.request import urlopen

import circleci_async as ca
from bot import count_pipelines, login


def test_client_in_asyncio_run(fake_circleci, circle):
    fake_circleci.world.project("gh/acme/api").pipeline()
    assert asyncio.run(count_pipelines(circle, "gh/acme/api")) == 1
    assert asyncio.run(login()) == "octo-dev"


def test_server_answers_blocking_code(fake_circleci):
    fake_circleci.world.project("gh/acme/api", public=True)
    with urlopen(f"{fake_circleci.url}/api/v2/project/gh/acme/api") as answer:
        assert answer.status == 200


def test_unused_client(circle):
    pass
"""

MARKS = """\
import pytest

from circleci_async.testing import World

pytestmark = pytest.mark.fake_circleci(page_size=3, token="of-the-module")


def make_world():
    world = World()
    project = world.project("gh/acme/api")
    for _ in range(5):
        project.pipeline()
    return world


async def test_options_of_the_module(fake_circleci):
    assert fake_circleci.token == "of-the-module"


@pytest.mark.fake_circleci(world=make_world, page_size=2)
@pytest.mark.parametrize("run", [1, 2])
async def test_options_of_the_test_take_precedence_and_each_world_is_new(fake_circleci, circle, run):
    project = fake_circleci.world.projects["gh/acme/api"]
    assert len(project.pipelines.all) == 5
    project.pipeline()
    assert await circle.pipelines.list("gh/acme/api").collect()
    assert len(fake_circleci.requests) == 3
    assert fake_circleci.token == "of-the-module"
"""

AUTO = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:anyio")
STRICT = ("-o", "asyncio_mode=strict", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:anyio")
BOTH = ("-o", "asyncio_mode=strict", "-o", "asyncio_default_fixture_loop_scope=function")
ANYIO = ("-p", "no:asyncio")
NEITHER = ("-p", "no:asyncio", "-p", "no:anyio")

ANYIO_MARK = """\
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
STRICT_MARK = "pytestmark = pytest.mark.asyncio"
ONE_LOOP_MARK = 'pytestmark = pytest.mark.asyncio(loop_scope="module")'

UNRELATED_PLUGINS = tuple(f"-pno:{name}" for name in ("cacheprovider", "xdist", "hypothesispytest", "pytest_cov"))
"""Options that disable them: pytest starts in two thirds of the time."""


def pytest_run(folder: Path, *options: str, autoload: bool = True, **tests: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a project with these test modules."""
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "bot.py").write_text(BOT)
    for name, test in tests.items():
        (folder / f"test_{name}.py").write_text(dedent(test))
    return subprocess.run(
        [sys.executable, "-m", "pytest", *UNRELATED_PLUGINS, "--strict-markers", *options],
        cwd=folder,
        env={**os.environ, **({} if autoload else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def passed(done: subprocess.CompletedProcess[str]) -> int:
    """Return the number of passed tests; fail if there is any other outcome."""
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    words = done.stdout.splitlines()[-1].strip("= ").split()
    assert words[1:3] == ["passed", "in"], output
    return int(words[0])


def asynchronous(mark: str, fixture: str) -> str:
    return ASYNC.format(mark=mark) + FIXTURES.format(fixture=fixture)


def test_pytest_asyncio_in_auto_mode(tmp_path: Path) -> None:
    tests = asynchronous("", "@pytest.fixture")
    assert passed(pytest_run(tmp_path, *AUTO, tests=tests, sync=SYNC, marks=MARKS)) == 8 + 3 + 3


def test_pytest_asyncio_in_strict_mode_with_loops_of_a_test_and_of_a_module(tmp_path: Path) -> None:
    test_loop = asynchronous(STRICT_MARK, "import pytest_asyncio\n@pytest_asyncio.fixture")
    module_loop = asynchronous(ONE_LOOP_MARK, 'import pytest_asyncio\n@pytest_asyncio.fixture(loop_scope="module")')
    assert passed(pytest_run(tmp_path, *STRICT, test_loop=test_loop, module_loop=module_loop, sync=SYNC)) == 8 + 8 + 3


def test_anyio(tmp_path: Path) -> None:
    assert passed(pytest_run(tmp_path, *ANYIO, tests=asynchronous(ANYIO_MARK, "@pytest.fixture"), sync=SYNC)) == 8 + 3


def test_anyio_beside_pytest_asyncio(tmp_path: Path) -> None:
    assert passed(pytest_run(tmp_path, *BOTH, tests=asynchronous(ANYIO_MARK, "@pytest.fixture"))) == 8


PROXIES = """\
import asyncio, os
from bot import login

def test_the_server_is_excluded_from_proxies(fake_circleci):
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "example.com,127.0.0.1"
    assert asyncio.run(login()) == "octo-dev"

def test_the_environment_is_restored():
    assert os.environ["NO_PROXY"] == "example.com"
    assert "no_proxy" not in os.environ
    assert "CIRCLE_TOKEN" not in os.environ
"""


def test_no_async_plugin_and_a_proxy_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "example.com")
    assert passed(pytest_run(tmp_path, *NEITHER, proxies=PROXIES, sync=SYNC)) == 2 + 3


WRONG_MARKS = """\
import pytest

@pytest.mark.fake_circleci(2)
def test_positional(fake_circleci): pass

@pytest.mark.fake_circleci(page_size=0)
def test_value(fake_circleci): pass

@pytest.mark.fake_circleci(pagesize=2)
def test_name(fake_circleci): pass
"""


def test_an_invalid_mark_is_an_error_of_the_test(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, *NEITHER, wrong=WRONG_MARKS)
    assert done.returncode == 1
    assert "3 errors" in done.stdout.splitlines()[-1]
    for message in (
        "@pytest.mark.fake_circleci takes keyword arguments only: write page_size=2, for example",
        "page_size must be a positive integer, got 0",
        "unexpected keyword argument 'pagesize'",
    ):
        assert message in done.stdout


def test_the_plugin_imports_the_package_only_in_fixtures(tmp_path: Path) -> None:
    test = """\
    import json, sys

    def test(request):
        assert request.config.pluginmanager.has_plugin("circleci_async")
        ours = [name for name in sys.modules if name.split(".")[0] in {"aiohttp", "circleci_async"}]
        print("loaded", json.dumps(ours))
    """
    done = pytest_run(tmp_path, *NEITHER, "-s", imports=test)
    assert passed(done) == 1
    [line] = [line.partition("loaded ")[2] for line in done.stdout.splitlines() if "loaded " in line]
    assert set(json.loads(line)) == {"circleci_async", "circleci_async.pytest_plugin"}


def test_the_plugin_can_be_disabled(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, *NEITHER, "-p", "no:circleci_async", sync=SYNC)
    assert done.returncode == 1
    assert "fixture 'fake_circleci' not found" in done.stdout


def test_the_plugin_can_be_loaded_by_name(tmp_path: Path) -> None:
    assert passed(pytest_run(tmp_path, "-p", "circleci_async.pytest_plugin", autoload=False, sync=SYNC)) == 3


def test_the_plugin_is_disabled_here_so_that_coverage_measures_the_package(request: pytest.FixtureRequest) -> None:
    assert request.config.pluginmanager.is_blocked("circleci_async")
