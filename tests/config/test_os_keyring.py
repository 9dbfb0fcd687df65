"""The official CLI's login in the OS keyring."""

import asyncio
import base64
import getpass
import os
import pwd
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import keyring.core
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, NoKeyringError

from circleci_async import AuthenticationError, CircleCI, ConfigurationError
from circleci_async.config import os_keyring
from circleci_async.config.os_keyring import KeyringToken
from circleci_async.config.settings import discover
from circleci_async.testing import FakeCircleCI

from .file_keyring import FileKeyring

pytestmark = pytest.mark.usefixtures("tmp_path")  # for a home folder

ROOT = Path(__file__).parents[2]
CLOUD = "https://circleci.com"
SERVER = "https://ci.example.com"
SECRET = "CCIPAT_s3cret"
USER = pwd.getpwuid(os.getuid()).pw_name

Use = Callable[[KeyringBackend], None]


class Broken(FileKeyring):
    """A keyring that cannot be read."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error


class Locked(FileKeyring):
    """A keyring that waits for the user."""

    def __init__(self) -> None:
        super().__init__()
        self.unlocked = threading.Event()
        self.reads = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.reads += 1
        self.unlocked.wait()
        return super().get_password(service, username)


@pytest.fixture
def use() -> Iterator[Use]:
    """Return a function that sets the keyring of this process."""
    before = keyring.core._keyring_backend
    yield keyring.set_keyring
    keyring.core._keyring_backend = before


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Use) -> Callable[..., None]:
    """Return a function that stores a token for a host, as the official CLI does."""
    monkeypatch.setenv("FILE_KEYRING", str(tmp_path / "keyring.json"))
    use(FileKeyring())

    def store_(host: str, password: str, user: str = USER) -> None:
        FileKeyring().set_password(f"com.circleci.cli:{host}", user, password)

    return store_


@pytest.fixture
def locked(store: Callable[..., None], use: Use) -> Iterator[Locked]:
    """Return a locked keyring with a token, which is unlocked at the end."""
    store(CLOUD, SECRET)
    backend = Locked()
    use(backend)
    yield backend
    backend.unlocked.set()


@asynccontextmanager
async def signed_in(fake: FakeCircleCI) -> AsyncGenerator[CircleCI]:
    """Yield a client of the fake that finds its token itself."""
    async with CircleCI(host=fake.url) as circle:
        yield circle


def config_file(text: str) -> Path:
    path = Path.home() / ".config" / "circleci" / "config.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


async def found(host: str | None = None, **environ: str) -> str | None:
    """Return the token that is found for a host."""
    token = discover(host=host, environ=environ).token
    assert token is None or isinstance(token, KeyringToken)
    return None if token is None else await token()


# --- where it is found


async def test_requests_carry_the_token_of_the_keyring(store: Callable[..., None]) -> None:
    async with FakeCircleCI() as fake:
        store(fake.url, fake.environment["CIRCLE_TOKEN"])
        async with signed_in(fake) as circle:
            assert circle.token_source == "the OS keyring"
            assert (await circle.users.me()).login == fake.world.me.login
        assert repr(circle) == f"<CircleCI {fake.url}, token: the OS keyring>"


async def test_a_client_that_is_not_entered_reads_the_keyring_at_its_first_call(store: Callable[..., None]) -> None:
    async with FakeCircleCI() as fake:
        store(fake.url, fake.environment["CIRCLE_TOKEN"])
        circle = CircleCI(host=fake.url)
        assert (circle.token_source, circle._settings.has_token) == ("the OS keyring, not read yet", False)
        await circle.users.me()
        assert (circle.token_source, circle._settings.has_token) == ("the OS keyring", True)
        await circle.aclose()


@pytest.mark.parametrize("encode", [str, lambda text: f"go-keyring-base64:{base64.b64encode(text.encode()).decode()}"])
async def test_plain_and_encoded_passwords_are_read(store: Callable[..., None], encode: Callable[[str], str]) -> None:
    store(CLOUD, encode(f"{SECRET}\n"))
    assert await found() == SECRET


@pytest.mark.parametrize("variable", ["LOGNAME", "USER"])
async def test_the_token_is_stored_under_either_name_of_the_user(
    store: Callable[..., None], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "someone-else")
    assert getpass.getuser() == "someone-else" != USER
    store(CLOUD, "by-name", "someone-else")
    assert await found() == "by-name"
    store(CLOUD, "by-uid", USER)
    assert await found() == "by-uid"
    store(CLOUD, "of another user", "root2")
    assert await found() == "by-uid"


@pytest.mark.parametrize(
    ("stored", "argument", "environ", "config"),
    [
        (CLOUD, None, {}, ""),
        (CLOUD, None, {}, "telemetry: false"),
        (CLOUD, "circleci.com", {}, ""),
        (SERVER, SERVER, {}, ""),
        (SERVER, f"{SERVER}:443/", {}, ""),
        (f"{SERVER}/", f"{SERVER}/", {}, ""),
        ("ci.example.com", None, {"CIRCLE_HOST": "ci.example.com"}, ""),
        ("HTTPS://CI.example.com", None, {}, "host: HTTPS://CI.example.com"),
        ("ci.example.com/", SERVER, {}, "host: ci.example.com/"),
        (SERVER, None, {}, "host: ci.example.com/"),
    ],
)
async def test_the_host_is_spelled_as_in_a_setting_or_normalized(
    store: Callable[..., None], stored: str, argument: str | None, environ: dict[str, str], config: str
) -> None:
    config_file(config)
    store(stored, SECRET)
    assert await found(argument, **environ) == SECRET


@pytest.mark.parametrize(
    ("stored", "host"),
    [
        (CLOUD, SERVER),
        (SERVER, CLOUD),
        (SERVER, None),
        (SERVER, f"{SERVER}:8443"),
        (CLOUD, "https://circleci.com.evil.org"),
        ("http://localhost:1", "http://localhost:2"),
    ],
)
async def test_the_token_of_one_host_is_used_for_no_other(
    store: Callable[..., None], stored: str, host: str | None
) -> None:
    store(stored, SECRET)
    assert await found(host) is None


async def test_the_host_of_a_config_file_does_not_lend_its_token(store: Callable[..., None]) -> None:
    config_file(f"host: {SERVER}")
    store(SERVER, SECRET)
    assert await found("https://evil.example.org") is None


def test_the_token_of_a_server_is_not_sent_to_cloud_artifacts(store: Callable[..., None]) -> None:
    assert discover(host=SERVER, environ={}).artifact_hosts == ()
    assert discover(environ={}).artifact_hosts == ("*.circle-artifacts.com",)


def test_a_host_without_tls_is_not_looked_up(store: Callable[..., None]) -> None:
    store("http://ci.example.com", SECRET)
    settings = discover(host="http://ci.example.com", environ={})
    assert (settings.token, settings.token_source) == (None, "no token found")


async def test_argument_variables_and_files_precede_the_keyring(
    store: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(CLOUD, "from-keyring")
    assert await found() == "from-keyring"
    path = config_file("token: from-file")
    assert CircleCI().token_source == str(path)
    for name in ("CIRCLECI_CLI_TOKEN", "CIRCLECI_TOKEN", "CIRCLE_CLI_TOKEN", "CIRCLE_TOKEN"):
        monkeypatch.setenv(name, "from-env")
        assert CircleCI().token_source == name
    assert CircleCI("given").token_source == "the token argument"
    assert CircleCI("").token_source == "the token argument is blank"


async def test_a_keyring_without_a_login_means_no_token(store: Callable[..., None]) -> None:
    store("https://another.example.com", SECRET)
    async with CircleCI() as circle:
        assert (circle.token_source, circle._settings.has_token) == ("no token found", False)
    path = config_file("token: t")
    async with CircleCI(host=SERVER) as circle:
        assert circle.token_source == f"the token in {path} is for {CLOUD}, not for {SERVER}"


async def test_a_machine_without_a_keyring_has_no_token(use: Use) -> None:
    use(Broken(NoKeyringError("No recommended backend was available.")))
    async with CircleCI() as circle:
        assert circle.token_source == "no token found"


# --- keyrings that cannot be read


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (KeyringLocked("Failed to unlock the collection!"), "KeyringLocked: Failed to unlock the collection!"),
        (InitError("no session"), "InitError: no session"),
        (OSError(13, "Permission denied"), "PermissionError: [Errno 13] Permission denied"),
        (ValueError("two\nlines"), "ValueError: two lines"),
    ],
)
async def test_errors_of_a_keyring_say_what_to_do(use: Use, error: Exception, problem: str) -> None:
    use(Broken(error))
    circle = CircleCI()
    for call in (circle.__aenter__, circle.users.me):
        with pytest.raises(ConfigurationError) as caught:
            await call()
        assert str(caught.value) == (
            f"the OS keyring, where the official CLI stores its token, cannot be read ({problem}): unlock it, or set"
            " CIRCLE_TOKEN"
        )
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert circle.token_source == "the OS keyring"
    await circle.aclose()


@pytest.mark.parametrize(
    "password", [f"{SECRET} b", f"{SECRET}ü", f"go-keyring-base64:{SECRET}", "go-keyring-base64:w7w="]
)
async def test_a_malformed_password_is_refused_and_not_shown(store: Callable[..., None], password: str) -> None:
    store(CLOUD, password)
    with pytest.raises(ConfigurationError, match=f"the token from com.circleci.cli:{CLOUD} is invalid") as caught:
        await found()
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert SECRET not in shown.replace(repr(password), "")  # this test's own variable
    assert caught.value.__context__ is None


async def test_a_locked_keyring_does_not_block_the_event_loop(locked: Locked) -> None:
    first, second = (asyncio.create_task(CircleCI().__aenter__()) for _ in range(2))
    circle = CircleCI()
    readers = [asyncio.create_task(circle.__aenter__()) for _ in range(2)]
    while locked.reads < 3:
        await asyncio.sleep(0.001)
    readers[0].cancel()
    await asyncio.wait(readers[:1])
    locked.unlocked.set()
    await asyncio.gather(first, second, readers[1])
    assert readers[0].cancelled()
    assert circle.token_source == "the OS keyring"
    assert locked.reads == 3


async def test_a_call_that_is_cancelled_when_the_keyring_answers_ends(locked: Locked) -> None:
    token = KeyringToken([CLOUD], "")
    reading = asyncio.create_task(token.read())
    while not locked.reads:
        await asyncio.sleep(0)
    assert token._reading is not None
    answered = threading.Event()
    token._reading.add_done_callback(lambda _: answered.set())
    locked.unlocked.set()
    answered.wait()
    asyncio.get_running_loop().call_soon(reading.cancel)  # after the answer, before the call continues
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await token.read()).reveal() == SECRET


async def test_waiting_for_a_locked_keyring_is_bounded(locked: Locked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os_keyring, "TIMEOUT", 0.01)
    circle = CircleCI()
    with pytest.raises(ConfigurationError, match=r"no answer within 0\.01 s\): unlock it, or set CIRCLE_TOKEN$"):
        await circle.__aenter__()
    locked.unlocked.set()  # what the user types later is used by the calls that follow
    monkeypatch.setattr(os_keyring, "TIMEOUT", 10.0)
    async with circle:
        assert circle.token_source == "the OS keyring"


HANGING = """
import asyncio, sys, time
import circleci_async as ca
from circleci_async.config import os_keyring
from tests.config.file_keyring import FileKeyring

class Hanging(FileKeyring):
    def get_password(self, service, username):
        while True:
            time.sleep(1)

async def main():
    async with ca.CircleCI():
        pass

assert "keyring" in sys.modules
__import__("keyring").set_keyring(Hanging())
os_keyring.TIMEOUT = 0.01
asyncio.run(main())
"""


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a Python process with the keyring in a file."""
    backend = {"PYTHON_KEYRING_BACKEND": "tests.config.file_keyring.FileKeyring", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    env = {**os.environ, **backend, **env}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_hanging_keyring_does_not_keep_the_process_from_exiting(tmp_path: Path) -> None:
    done = run("-c", HANGING, FILE_KEYRING=str(tmp_path / "keyring.json"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("circleci_async.errors.ConfigurationError: the OS keyring, where")
    assert "never retrieved" not in done.stderr


# --- the extra, secrets, imports


@pytest.mark.parametrize(
    ("config", "host", "hinted"),
    [
        ("telemetry: false", None, True),
        ("", CLOUD, True),
        (f"host: {SERVER}", None, True),
        (f"host: {SERVER}", f"{SERVER}/", True),
        (f"host: {SERVER}", CLOUD, False),
        ("telemetry: false", SERVER, False),
        (None, None, False),
    ],
)
def test_without_the_extra_a_probable_login_is_named(
    config: str | None, host: str | None, hinted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    if config is not None:
        config_file(config)
    hint = "; the official CLI can have stored it in the OS keyring: install circleci-async[keyring]"
    settings = discover(host=host, environ={})
    assert (settings.token, settings.has_token) == (None, False)
    assert settings.token_source == "no token found" + (hint if hinted else "")


async def test_the_hint_of_a_401_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    async with FakeCircleCI() as fake:
        config_file(f"host: {fake.url}")
        async with CircleCI() as circle:
            with pytest.raises(AuthenticationError) as caught:
                await circle.users.me()
    assert caught.value.hint == (
        f"{AuthenticationError.hint} No token was sent: no token found; the official CLI can have stored it in the OS"
        " keyring: install circleci-async[keyring]."
    )


async def test_the_hint_of_a_401_with_a_token_does_not_say_that_none_was_sent() -> None:
    async with FakeCircleCI() as fake, fake.client(token="wrong") as circle:
        with pytest.raises(AuthenticationError) as caught:
            await circle.users.me()
    assert caught.value.hint == AuthenticationError.hint


def test_the_keyring_is_imported_only_if_no_other_token_is_found() -> None:
    code = "import sys, circleci_async as ca; ca.CircleCI('t'); ca.CircleCI(''); ca.CircleCI(); assert 'keyring' not in"
    done = run("-c", f"{code} sys.modules")
    assert (done.returncode, done.stderr) == (0, "")


async def test_the_token_is_in_no_repr(store: Callable[..., None]) -> None:
    store(CLOUD, SECRET)
    token = KeyringToken([CLOUD], "no token found")
    assert await token() == SECRET
    assert SECRET not in repr(token) + repr(token._reading) + repr(await token.read())


async def test_the_command_line_uses_the_login(store: Callable[..., None]) -> None:
    async with FakeCircleCI() as fake:
        store(fake.url, fake.environment["CIRCLE_TOKEN"])
        done = await asyncio.to_thread(run, "-m", "circleci_async", "me", CIRCLE_HOST=fake.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the OS keyring" in done.stdout
