"""The pytest plugin, in projects of their own: whichever way they run what awaits, or do without."""

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


async def who_am_i():
    async with ca.CircleCI() as circle:
        return (await circle.users.me()).login
"""

AWAITING = """\
import pytest

import circleci_async as ca
from bot import count_pipelines, who_am_i
from circleci_async.testing import FakeCircleCI

{mark}


async def test_the_server_and_the_client_are_there(fake_circleci, circle):
    assert isinstance(fake_circleci, FakeCircleCI)
    assert isinstance(circle, ca.CircleCI)
    project = fake_circleci.world.project("gh/acme/api")
    project.pipeline()
    assert await count_pipelines(circle, "gh/acme/api") == 1
    project.pipeline()
    assert await count_pipelines(circle, "gh/acme/api") == 2
    assert len(fake_circleci.requests) == 2


async def test_each_test_has_a_server_of_its_own(fake_circleci, circle):
    assert fake_circleci.requests == []
    with pytest.raises(ca.NotFound):
        await count_pipelines(circle, "gh/acme/api")


async def test_code_that_makes_its_own_client_finds_the_server(fake_circleci):
    assert await who_am_i() == fake_circleci.world.me.login


async def test_a_client_may_stay_unused(circle):
    pass


async def test_what_was_cut_leaves_nothing_behind(fake_circleci, circle):
    fake_circleci.fail("*", delay=30)
    import asyncio
    asking = asyncio.ensure_future(circle.users.me())
    while not fake_circleci.requests:
        await asyncio.sleep(0.01)
    asking.cancel()


async def test_artifacts_come_from_all_three_servers(fake_circleci, circle, tmp_path):
    job = fake_circleci.world.project("gh/acme/api").pipeline().workflow().job("test")
    job.artifact("a.bin", size=300_000)
    fake_circleci.fail(origin="storage", cut=100_000)
    report = await circle.artifacts.download_all(circle.artifacts.list("gh/acme/api", job.number), tmp_path)
    report.raise_for_failures()
    assert report.files[0].resumed == 1


async def test_the_server_can_be_away_for_a_while(fake_circleci, circle):
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


async def test_fixtures_that_await_can_use_the_client(greeting, circle, fake_circleci):
    assert greeting == "Hello, octo-dev"
    await circle.users.me()
    assert len(fake_circleci.requests) == 2
"""

NOT_AWAITING = """\
import asyncio
from urllib.request import urlopen

import circleci_async as ca
from bot import count_pipelines, who_am_i


def test_a_test_may_run_what_awaits_by_itself(fake_circleci, circle):
    fake_circleci.world.project("gh/acme/api").pipeline()
    assert asyncio.run(count_pipelines(circle, "gh/acme/api")) == 1
    assert asyncio.run(who_am_i()) == "octo-dev"


def test_the_server_answers_while_a_test_blocks(fake_circleci):
    fake_circleci.world.project("gh/acme/api", public=True)
    with urlopen(f"{fake_circleci.url}/api/v2/project/gh/acme/api") as answer:
        assert answer.status == 200


def test_a_client_may_stay_unused(circle):
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


async def test_options_are_those_of_the_module(fake_circleci):
    assert fake_circleci.token == "of-the-module"


@pytest.mark.fake_circleci(world=make_world, page_size=2)
@pytest.mark.parametrize("turn", [1, 2])
async def test_those_of_the_test_win_and_the_world_is_made_anew(fake_circleci, circle, turn):
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


def pytest_run(folder: Path, test: str, *options: str, autoload: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a project's tests as its owner would."""
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "bot.py").write_text(BOT)
    (folder / "test_bot.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "--strict-markers", *options],
        cwd=folder,
        env={**os.environ, **({} if autoload else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def passed(done: subprocess.CompletedProcess[str]) -> int:
    """Return how many tests passed; nothing else may have happened."""
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    words = done.stdout.splitlines()[-1].strip("= ").split()
    assert words[1:3] == ["passed", "in"], said
    return int(words[0])


@pytest.mark.parametrize(
    ("options", "mark", "fixture"),
    [
        pytest.param(AUTO, "", "@pytest.fixture", id="pytest-asyncio, auto"),
        pytest.param(
            STRICT, STRICT_MARK, "import pytest_asyncio\n@pytest_asyncio.fixture", id="pytest-asyncio, strict"
        ),
        pytest.param(
            STRICT,
            ONE_LOOP_MARK,
            'import pytest_asyncio\n@pytest_asyncio.fixture(loop_scope="module")',
            id="pytest-asyncio, one loop for all",
        ),
        pytest.param(ANYIO, ANYIO_MARK, "@pytest.fixture", id="anyio"),
        pytest.param(BOTH, ANYIO_MARK, "@pytest.fixture", id="anyio beside pytest-asyncio"),
    ],
)
def test_tests_that_await_have_a_server_and_a_client(
    tmp_path: Path, options: tuple[str, ...], mark: str, fixture: str
) -> None:
    test = AWAITING.format(mark=mark) + FIXTURES.format(fixture=fixture)
    assert passed(pytest_run(tmp_path, test, *options)) == 8


@pytest.mark.parametrize("options", [AUTO, STRICT, ANYIO, NEITHER], ids=["auto", "strict", "anyio", "neither"])
def test_tests_that_do_not_await_have_them_too(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert passed(pytest_run(tmp_path, NOT_AWAITING, *options)) == 3


def test_marks_set_the_options_of_the_server(tmp_path: Path) -> None:
    assert passed(pytest_run(tmp_path, MARKS, *AUTO)) == 3


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("fake_circleci(2)", "@pytest.mark.fake_circleci: give options by name, such as page_size=2"),
        ("fake_circleci(page_size=0)", "page_size: expected at least 1, not 0"),
        ("fake_circleci(pagesize=2)", "unexpected keyword argument 'pagesize'"),
    ],
)
def test_a_wrong_mark_is_an_error_of_the_test(tmp_path: Path, mark: str, said: str) -> None:
    test = f"import pytest\n@pytest.mark.{mark}\ndef test(fake_circleci): pass\n"
    done = pytest_run(tmp_path, test, *NEITHER)
    assert done.returncode == 1
    assert said in done.stdout
    assert "1 error" in done.stdout


def test_proxies_of_the_machine_do_not_stand_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "example.com")
    test = """\
    import asyncio, os
    from bot import who_am_i

    def test(fake_circleci):
        assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "example.com,127.0.0.1"
        assert asyncio.run(who_am_i()) == "octo-dev"

    def test_and_are_as_they_were_afterwards():
        assert os.environ["NO_PROXY"] == "example.com"
        assert "no_proxy" not in os.environ
        assert "CIRCLE_TOKEN" not in os.environ
    """
    assert passed(pytest_run(tmp_path, dedent(test), *NEITHER)) == 2


def test_pytest_starts_without_the_package_behind_the_plugin(tmp_path: Path) -> None:
    test = """\
    import json, sys

    def test(request):
        assert request.config.pluginmanager.has_plugin("circleci_async")
        ours = [name for name in sys.modules if name.split(".")[0] in {"aiohttp", "circleci_async"}]
        print("loaded", json.dumps(ours))
    """
    done = pytest_run(tmp_path, dedent(test), *NEITHER, "-s")
    assert passed(done) == 1
    [line] = [line.partition("loaded ")[2] for line in done.stdout.splitlines() if "loaded " in line]
    assert set(json.loads(line)) == {"circleci_async", "circleci_async.pytest_plugin"}


def test_it_can_be_left_out_and_named(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, NOT_AWAITING, *NEITHER, "-p", "no:circleci_async")
    assert done.returncode == 1
    assert "fixture 'fake_circleci' not found" in done.stdout
    assert passed(pytest_run(tmp_path, NOT_AWAITING, "-p", "circleci_async.pytest_plugin", autoload=False)) == 3


def test_it_is_left_out_of_these_tests_for_it_would_be_loaded_before_coverage(request: pytest.FixtureRequest) -> None:
    assert request.config.pluginmanager.is_blocked("circleci_async")
