"""Sources of token, host and artifact hosts, and rejected values."""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from circleci_async.config.settings import DEFAULT_ARTIFACT_HOSTS, DEFAULT_HOST, Settings, discover
from circleci_async.config.tokens import Token, clean_token
from circleci_async.errors import ConfigurationError

SERVER = "https://ci.example.com"
SECRET = "CCIPAT_s3cret"

Find = Callable[..., Settings]
Write = Callable[[str | bytes], Path]


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """Call `discover` with the arguments and environment variables of the test, and an empty home folder."""

    def find_(token: Token | None = None, host: str | None = None, hosts: Any = None, **environ: str) -> Settings:
        return discover(token, host, hosts, environ=environ, home=tmp_path, keyring=False)

    return find_


@pytest.fixture
def write_new(tmp_path: Path) -> Write:
    """Write the config file of the official CLI."""
    return lambda content: _written(tmp_path / ".config" / "circleci" / "config.yml", content)


@pytest.fixture
def write_old(tmp_path: Path) -> Write:
    """Write the config file of the official CLI's earlier generation."""
    return lambda content: _written(tmp_path / ".circleci" / "cli.yml", content)


@pytest.fixture(params=["yaml", "flat"])
def either_reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with PyYAML and without."""
    if request.param == "flat":
        monkeypatch.setitem(sys.modules, "yaml", None)


@pytest.fixture
def without_pyyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)


def _written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _refusal(find: Find, *args: Any, **environ: str) -> str:
    """Return the message of the error, and check that no traceback shows the secret."""
    with pytest.raises(ConfigurationError) as caught:
        find(*args, **environ)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert SECRET not in "".join(traceback.format_exception(error))
    assert SECRET not in repr(error)
    return str(error)


# --- sources


def test_the_default_is_an_anonymous_client_of_the_cloud(find: Find) -> None:
    assert find() == Settings(DEFAULT_HOST, None, "no token found", DEFAULT_ARTIFACT_HOSTS)
    assert DEFAULT_HOST == "https://circleci.com"
    assert DEFAULT_ARTIFACT_HOSTS == ("*.circle-artifacts.com",)


def test_the_token_argument_takes_precedence(find: Find, write_new: Write) -> None:
    write_new("token: from-file")
    settings = find("given", CIRCLE_TOKEN="from-env")
    assert (settings.token, settings.token_source) == ("given", "the token argument")


@pytest.mark.parametrize(
    ("environ", "token", "source"),
    [
        ({"CIRCLE_TOKEN": "a", "CIRCLECI_TOKEN": "b", "CIRCLECI_CLI_TOKEN": "c"}, "a", "CIRCLE_TOKEN"),
        ({"CIRCLECI_TOKEN": "b", "CIRCLECI_CLI_TOKEN": "c"}, "b", "CIRCLECI_TOKEN"),
        ({"CIRCLECI_CLI_TOKEN": "c"}, "c", "CIRCLECI_CLI_TOKEN"),
        ({"CIRCLE_TOKEN": "", "CIRCLECI_TOKEN": " \t\n", "CIRCLECI_CLI_TOKEN": " c\n"}, "c", "CIRCLECI_CLI_TOKEN"),
    ],
)
def test_token_variables_precede_the_files_in_order(
    find: Find, write_new: Write, environ: dict[str, str], token: str, source: str
) -> None:
    write_new("token: from-file")
    settings = find(**environ)
    assert (settings.token, settings.token_source) == (token, source)


def test_blank_variables_count_as_unset(find: Find, write_new: Write) -> None:
    path = write_new("token: from-file")
    settings = find(CIRCLE_TOKEN="", CIRCLECI_TOKEN=" ", CIRCLE_HOST="", CIRCLECI_HOST=" ", CIRCLE_ARTIFACT_HOSTS="\t")
    assert settings == Settings(DEFAULT_HOST, "from-file", str(path), DEFAULT_ARTIFACT_HOSTS)


def test_the_config_file_of_the_new_cli_precedes_that_of_the_old_one(
    find: Find, write_new: Write, write_old: Write
) -> None:
    old = write_old("token: old")
    assert (find().token, find().token_source) == ("old", str(old))
    new = write_new("token: new")
    assert (find().token, find().token_source) == ("new", str(new))


def test_an_absolute_xdg_config_home_replaces_the_default(find: Find, write_new: Write, tmp_path: Path) -> None:
    write_new("token: at-home")
    path = _written(tmp_path / "xdg" / "circleci" / "config.yml", "token: in-xdg")
    settings = find(XDG_CONFIG_HOME=str(tmp_path / "xdg"))
    assert (settings.token, settings.token_source) == ("in-xdg", str(path))
    assert find(XDG_CONFIG_HOME=str(tmp_path / "elsewhere")).token is None


@pytest.mark.parametrize("folder", ["", " ", "relative/folder", "~/config"])
def test_a_blank_or_relative_xdg_config_folder_is_ignored(find: Find, write_new: Write, folder: str) -> None:
    write_new("token: at-home")
    assert find(XDG_CONFIG_HOME=folder).token == "at-home"


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_a_blank_token_argument_means_anonymous_without_a_search(find: Find, write_new: Write, blank: str) -> None:
    write_new("token: from-file")
    settings = find(blank, CIRCLE_TOKEN="from-env")
    assert (settings.token, settings.token_source) == (None, "the token argument is blank")


def test_a_token_function_is_kept_and_not_called(find: Find) -> None:
    def never() -> str:
        raise AssertionError

    async def never_either() -> str | None:
        raise AssertionError

    for function in (never, never_either):
        settings = find(function, CIRCLE_TOKEN="from-env")
        assert settings.token is function
        assert settings.token_source == "the token function"


def test_the_host_argument_takes_precedence(find: Find, write_new: Write) -> None:
    write_new("host: https://file.example.com")
    assert find(host="https://given.example.com", CIRCLE_HOST=SERVER).host == "https://given.example.com"


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({"CIRCLE_HOST": "https://a", "CIRCLECI_HOST": "https://b", "CIRCLECI_CLI_HOST": "https://c"}, "https://a"),
        ({"CIRCLE_HOST": " ", "CIRCLECI_HOST": "https://b", "CIRCLECI_CLI_HOST": "https://c"}, "https://b"),
        ({"CIRCLE_HOST": "", "CIRCLECI_HOST": "", "CIRCLECI_CLI_HOST": "https://c"}, "https://c"),
    ],
)
def test_host_variables_precede_the_files_in_order(
    find: Find, write_new: Write, environ: dict[str, str], host: str
) -> None:
    write_new("host: https://file.example.com")
    assert find(**environ).host == host


def test_the_host_of_a_file_is_used_with_a_token_from_elsewhere(find: Find, write_old: Write) -> None:
    write_old(f"host: {SERVER}")
    settings = find("given")
    assert (settings.host, settings.token) == (SERVER, "given")
    assert settings.artifact_hosts == DEFAULT_ARTIFACT_HOSTS
    assert find(CIRCLE_TOKEN="env").host == SERVER


def test_the_first_file_with_a_token_or_host_determines_the_host(
    find: Find, write_new: Write, write_old: Write
) -> None:
    write_old(f"host: {SERVER}\ntoken: old")
    write_new("telemetry: false")
    assert (find().host, find().token) == (SERVER, "old")
    write_new("token: new")  # without a host, it is for the cloud
    assert (find().host, find().token) == (DEFAULT_HOST, "new")
    write_new("host: https://other.example.com")
    assert (find().host, find().token) == ("https://other.example.com", None)


def test_the_environment_and_home_of_the_process_are_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("CIRCLE_TOKEN", "CIRCLECI_TOKEN", "CIRCLECI_CLI_TOKEN", "XDG_CONFIG_HOME", "CIRCLECI_CLI_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    path = _written(tmp_path / ".circleci" / "cli.yml", f"host: {SERVER}\ntoken: from-file")
    monkeypatch.setenv("CIRCLE_HOST", SERVER)
    monkeypatch.setenv("CIRCLE_ARTIFACT_HOSTS", "files.example.com")
    assert discover() == Settings(SERVER, "from-file", str(path), ("files.example.com",))


def test_a_user_without_a_home_has_no_config_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert discover(environ={}, keyring=False).token_source == "no token found"
    path = _written(tmp_path / "circleci" / "config.yml", "token: in-xdg")
    assert discover(environ={"XDG_CONFIG_HOME": str(tmp_path)}).token_source == str(path)


# --- a file's token goes only to that file's host


@pytest.mark.parametrize(
    ("content", "host"),
    [
        ("token: t", "https://circleci.com"),
        ("token: t", "HTTPS://CircleCI.com:443/"),
        ("token: t\nhost: ''", "circleci.com"),
        (f"token: t\nhost: {SERVER}", "https://CI.example.com/"),
        ("token: t\nhost: ci.example.com", SERVER),
        (f"token: t\nhost: {SERVER}", "https://ci.example.com/below"),
        ("token: t\nhost: http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_the_token_of_a_file_is_used_for_its_host(find: Find, write_new: Write, content: str, host: str) -> None:
    write_new(content)
    assert find(host=host).token == "t"
    assert find(CIRCLE_HOST=host).token == "t"
    assert find().token == "t"


@pytest.mark.parametrize(
    ("content", "own", "host"),
    [
        ("token: t", "https://circleci.com", SERVER),
        ("token: t", "https://circleci.com", "https://circleci.com:8443"),
        ("token: t", "https://circleci.com", "http://circleci.com"),
        ("token: t", "https://circleci.com", "https://circleci.com.evil.org"),
        (f"token: t\nhost: {SERVER}", SERVER, "https://circleci.com"),
        (f"token: t\nhost: {SERVER}:8443", f"{SERVER}:8443", SERVER),
        ("token: t\nhost: http://localhost:1", "http://localhost:1", "http://localhost:2"),
        ("token: t\nhost: http://localhost", "http://localhost", "https://localhost"),
    ],
)
def test_the_token_of_a_file_is_used_for_no_other_host(
    find: Find, write_new: Write, content: str, own: str, host: str
) -> None:
    path = write_new(content)
    for settings in (find(host=host), find(CIRCLECI_CLI_HOST=host)):
        assert settings.token is None
        assert settings.token_source == f"the token in {path} is for {own}, not for {host}"


def test_the_file_for_this_host_provides_the_token(find: Find, write_new: Write, write_old: Write) -> None:
    write_new("token: for-the-cloud")
    old = write_old(f"token: for-the-server\nhost: {SERVER}")
    settings = find(host=SERVER)
    assert (settings.token, settings.token_source) == ("for-the-server", str(old))
    assert find(host=DEFAULT_HOST).token == "for-the-cloud"


def test_a_host_in_one_file_does_not_use_the_token_of_another(find: Find, write_new: Write, write_old: Write) -> None:
    write_new("host: https://evil.example.org")
    old = write_old(f"token: t\nhost: {SERVER}")
    settings = find()
    assert (settings.host, settings.token) == ("https://evil.example.org", None)
    assert settings.token_source == f"the token in {old} is for {SERVER}, not for https://evil.example.org"


def test_the_token_of_a_server_file_is_not_sent_to_cloud_artifacts(find: Find, write_new: Write) -> None:
    write_new(f"token: t\nhost: {SERVER}")
    assert find().artifact_hosts == ()
    assert find(host=SERVER).artifact_hosts == ()
    assert find(hosts=["files.example.com"]).artifact_hosts == ("files.example.com",)
    assert find(CIRCLE_ARTIFACT_HOSTS="files.example.com").artifact_hosts == ("files.example.com",)
    assert find("given", SERVER).artifact_hosts == DEFAULT_ARTIFACT_HOSTS
    assert find(CIRCLE_TOKEN="env").artifact_hosts == DEFAULT_ARTIFACT_HOSTS
    assert find(host=DEFAULT_HOST).artifact_hosts == DEFAULT_ARTIFACT_HOSTS  # the token is not used there
    write_new(f"host: {SERVER}")
    assert find() == Settings(SERVER, None, "no token found", DEFAULT_ARTIFACT_HOSTS)
    write_new("token: t\nhost: https://circleci.com/")
    assert find().artifact_hosts == DEFAULT_ARTIFACT_HOSTS


# --- artifact hosts


@pytest.mark.parametrize("value", ["a.example.com,b.example.com:9000", " a.example.com ,\n\tb.example.com:9000, "])
def test_artifact_hosts_of_the_environment_are_separated_by_commas_or_white_space(find: Find, value: str) -> None:
    assert find(CIRCLE_ARTIFACT_HOSTS=value).artifact_hosts == ("a.example.com", "b.example.com:9000")


def test_the_artifact_hosts_argument_comes_first(find: Find) -> None:
    environ = {"CIRCLE_ARTIFACT_HOSTS": "env.example.com"}
    assert find(hosts=["a.example.com", "b.example.com"], **environ).artifact_hosts == (
        "a.example.com",
        "b.example.com",
    )
    assert find(hosts=iter(["a.example.com"]), **environ).artifact_hosts == ("a.example.com",)
    assert find(hosts=(), **environ).artifact_hosts == ()


def test_one_artifact_host_may_be_a_string(find: Find) -> None:
    assert find(hosts="a.example.com").artifact_hosts == ("a.example.com",)
    assert find(hosts="a.example.com, b.example.com").artifact_hosts == ("a.example.com", "b.example.com")


# --- tokens


BAD_TOKENS = [
    f"{SECRET} b",
    f"{SECRET}\tb",
    f"a\r\n{SECRET}: b",
    f"{SECRET}\x00",
    f"{SECRET}\x7f",
    f"{SECRET}ü",
    f"\ufeff{SECRET}",
]


@pytest.mark.parametrize("token", BAD_TOKENS)
def test_a_token_unfit_for_a_header_is_rejected_without_showing_it(find: Find, token: str) -> None:
    with pytest.raises(ConfigurationError, match=r"the token from the vault .*white space") as caught:
        clean_token(token, "the vault")
    assert SECRET not in str(caught.value)
    assert "the token argument" in _refusal(find, token)
    assert "CIRCLECI_TOKEN" in _refusal(find, CIRCLECI_TOKEN=token)


@pytest.mark.usefixtures("either_reader")
@pytest.mark.parametrize("content", [f"token: {SECRET} b\n", f"host: {SERVER}\ntoken: '{SECRET}ü'\n"])
def test_an_invalid_token_in_a_file_is_rejected_with_the_path(find: Find, write_old: Write, content: str) -> None:
    path = write_old(content)
    assert f"the token from {path} is invalid" in _refusal(find)


def test_settings_never_show_the_token(find: Find) -> None:
    settings = find(SECRET)
    assert settings.token == SECRET
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert SECRET not in f"{settings}"
    assert "the token argument" in repr(settings)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        settings.host = SERVER  # type: ignore[misc]  # this is what must fail


# --- hosts


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("circleci.com", "https://circleci.com"),
        ("https://circleci.com", "https://circleci.com"),
        ("https://circleci.com/", "https://circleci.com"),
        ("https://circleci.com//", "https://circleci.com"),
        ("HTTPS://CircleCI.COM:443/", "https://circleci.com"),
        ("ci.example.com:8443", "https://ci.example.com:8443"),
        ("localhost:8080", "https://localhost:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[0:0::1]:8080", "http://[::1]:8080"),
        ("[::1]:8080", "https://[::1]:8080"),
        ("https://ci.example.com/circleci/", "https://ci.example.com/circleci"),
        ("https://ci.example.com/a/../b c".replace(" ", "%20"), "https://ci.example.com/b%20c"),
        ("https://ci.example.com/apis", "https://ci.example.com/apis"),
        ("https://ci.example.com/my-api", "https://ci.example.com/my-api"),
        ("https://ci.example.com/api/gateway", "https://ci.example.com/api/gateway"),
        ("https://api.example.com", "https://api.example.com"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_a_host_is_normalized(find: Find, text: str, host: str) -> None:
    assert find(host=text).host == host
    assert find(CIRCLE_HOST=text).host == host


BAD_HOSTS = [
    "https://",
    "https:///",
    "https:///path",
    "https:/circleci.com",
    "https:circleci.com",
    "//circleci.com",
    "/circleci.com",
    "://circleci.com",
    "ftp://circleci.com",
    "ws://circleci.com",
    "file:///etc",
    "mailto:me",
    "https://me@circleci.com",
    "https://me:pw@circleci.com",
    "me@circleci.com",
    "https://circleci.com?x=1",
    "https://circleci.com/?",
    "https://circleci.com#top",
    "https://circleci.com/#",
    "https://circleci.com:",
    "https://circleci.com:/",
    "https://circleci.com:0",
    "https://circleci.com:65536",
    "https://circleci.com:abc",
    "https://circleci.com:-1",
    "https://circleci.com:+1",
    "https://circleci.com:\u0663",
    "https://circle ci.com",
    "https://circleci.com /x",
    " https://circleci.com",
    "https://circleci.com\n",
    "https://circleci.com/a b",
    "https://circleci.com\\.evil.org",
    "https://circleci.com/\\x",
    "https://circle..ci.com",
    "https://circleci.com.",
    "https://[::1",
    "https://[circleci]",
    "https://::1",
    "https://*.com",
]


@pytest.mark.parametrize("host", ["", " ", *BAD_HOSTS])
def test_an_invalid_host_argument_is_rejected_by_name(find: Find, host: str) -> None:
    message = _refusal(find, None, host)
    assert message.startswith("argument host: ")
    assert "such as https://circleci.com" in message


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_an_invalid_host_variable_is_rejected_by_name(find: Find, host: str) -> None:
    assert _refusal(find, CIRCLECI_HOST=host).startswith("CIRCLECI_HOST: ")


@pytest.mark.usefixtures("either_reader")
@pytest.mark.parametrize("host", ["ftp://circleci.com", "https://circleci.com:0", "https://circleci.com/api/v2"])
def test_an_invalid_host_in_a_file_is_rejected_by_name(find: Find, write_new: Write, host: str) -> None:
    path = write_new(f"host: {host}")
    assert _refusal(find).startswith(f"{path}: ")


@pytest.mark.parametrize("root", ["https://circleci.com", "http://localhost:8080/below"])
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v2", "/api/v2/", "/api/v1.1", "/api/v1", "/api/v3"])
def test_a_host_with_the_api_path_is_rejected_with_a_correction(find: Find, root: str, path: str) -> None:
    message = _refusal(find, None, root + path)
    assert message.startswith("argument host: ")
    assert path.rstrip("/") in message
    assert message.endswith(f": {root}")


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        (f"https://me:{SECRET}@ci.example.com", "'ci.example.com'"),
        (f"me:{SECRET}@ci.example.com", "'ci.example.com'"),
        (f"https://me:p/{SECRET}@ci.example.com", "'ci.example.com'"),
        (f"https://ci.example.com?circle-token={SECRET}", "'https://ci.example.com'"),
        (f"https://ci.example.com/#{SECRET}", "'https://ci.example.com/'"),
    ],
)
def test_a_secret_in_an_invalid_host_is_not_shown(find: Find, host: str, shown: str) -> None:
    assert _refusal(find, None, host).startswith(f"argument host: {shown} is not a valid host")


# --- unencrypted connections


@pytest.mark.parametrize("host", ["http://ci.example.com", "http://10.0.0.1:8080", "http://localhost.example.com"])
def test_a_token_is_never_sent_unencrypted(find: Find, write_new: Write, host: str) -> None:
    message = _refusal(find, SECRET, host)
    assert message.startswith(f"{host} (from argument host) is not https")
    assert "the token (from the token argument)" in message
    assert "(from CIRCLE_HOST)" in _refusal(find, lambda: SECRET, CIRCLE_HOST=host)
    assert "the token (from CIRCLE_TOKEN)" in _refusal(find, None, host, CIRCLE_TOKEN=SECRET)
    path = write_new(f"token: {SECRET}\nhost: {host}")
    assert _refusal(find).startswith(f"{host} (from {path}) is not https, so the token (from {path})")


@pytest.mark.parametrize("host", ["http://localhost:8080", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]"])
def test_a_loopback_host_may_use_http(find: Find, host: str) -> None:
    assert find("t", host).host == host


def test_without_a_token_any_host_may_use_http(find: Find, write_new: Write) -> None:
    assert find(host="http://ci.example.com").token is None
    assert find("", "http://ci.example.com", CIRCLE_TOKEN="env").token is None
    write_new("token: for-the-cloud")
    assert find(host="http://ci.example.com").token is None


# --- config files


@pytest.mark.usefixtures("either_reader")
@pytest.mark.parametrize(
    "content",
    [
        "token: t0ken\n",
        "token: t0ken",
        'token: "t0ken"\n',
        "token: 't0ken'\n",
        "token:   t0ken   # mine\n",
        'token: "t0ken" # mine\n',
        "\ufefftoken: t0ken\n",
        "---\ntoken: t0ken\n",
        "# a comment\n\n   \n--- \n  # another\ntoken: t0ken\n",
        "host: https://circleci.com\r\ntoken: t0ken\r\ntelemetry: true\r\n",
        "host:\ntoken: t0ken\n",
        "host: # none\ntoken: t0ken\n",
        "host: ''\ntoken: t0ken\n",
        'host: " "\ntoken: t0ken\n',
        "host: null\ntoken: t0ken\n",
        "host: ~\ntoken: t0ken\n",
        "endpoint: graphql-unstable\nrest_endpoint: api/v2\ntls_insecure: false\ntoken: t0ken\n",
        "update-check: 'it''s: #1'\n_x1: {}\ntoken: t0ken\n".replace("{}", "a#b:c"),
        "token: other\ntoken: t0ken\n",
    ],
)
def test_a_flat_file_is_parsed_with_and_without_pyyaml(find: Find, write_old: Write, content: str) -> None:
    path = write_old(content)
    assert find() == Settings(DEFAULT_HOST, "t0ken", str(path), DEFAULT_ARTIFACT_HOSTS)


@pytest.mark.usefixtures("either_reader")
@pytest.mark.parametrize(
    ("written", "token"),
    [
        ("a#b", "a#b"),
        ("a:b", "a:b"),
        ("a-b=c", "a-b=c"),
        ("'it''s'", "it's"),
        ("'#a'", "#a"),
        ('"a:#b"', "a:#b"),
        ("'null'", "null"),
        ("a'b\"c", "a'b\"c"),
    ],
)
def test_quotes_and_comments_are_parsed_as_yaml(find: Find, write_new: Write, written: str, token: str) -> None:
    write_new(f"token: {written}  # comment\n")
    assert find().token == token


@pytest.mark.usefixtures("either_reader")
@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "# nothing\n",
        "---\n",
        "token:\n",
        "token: ''\n",
        'token: "  "\n',
        "token: null\n",
        "token: Null\n",
        "token: NULL\n",
        "token: ~\n",
        "telemetry: true\n",
    ],
)
def test_a_file_without_a_token_gives_none(find: Find, write_new: Write, content: str) -> None:
    write_new(content)
    assert find() == Settings(DEFAULT_HOST, None, "no token found", DEFAULT_ARTIFACT_HOSTS)


def test_with_pyyaml_any_yaml_is_parsed(find: Find, write_new: Write) -> None:
    write_new(
        "%YAML 1.1\n---\n"
        "telemetry: {enabled: yes, since: 2024-99-99}\n"
        "orbs:\n  - a\n  - !mine {b: c}\n"
        "? [complex, key]\n: value\n"
        "other: &anchor t0ken\n"
        '"token": *anchor\n'
        "host: |-\n  https://ci.example.com\n"
    )
    assert (find().token, find().host) == ("t0ken", SERVER)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f"host: x\n  token: {SECRET}\n", 2),
        (f'a: b\ntoken: "{SECRET}\n', 3),
        (f"token: *{SECRET}\n", 1),
        (f'\n\ntoken: "\\q{SECRET}"\n', 3),
        (f"token: @{SECRET}\n", 1),
        (f"token: {SECRET}\n\tx: y\n", 2),
        (f"token: {SECRET}\n- a\n", 2),
        (f"token: {SECRET}: {SECRET}\n", 1),
        (f"token: [{SECRET}\n", 2),
        (f"token: {SECRET}\n---\ntoken: b\n", 2),
        (f"token: !<{SECRET} b\n", 1),
    ],
)
def test_malformed_yaml_is_refused_by_file_and_line_and_never_quoted(
    find: Find, write_new: Write, content: str, line: int
) -> None:
    path = write_new(content)
    assert _refusal(find) == f"{path}, line {line}: invalid YAML"


@pytest.mark.parametrize(
    "content",
    [
        f"token: {SECRET}\x00\n",  # PyYAML reports no line
        f'token: "{SECRET}\\UFFFFFFFF"\n',  # PyYAML raises an OverflowError
        f'token: "{SECRET}\\U00110000"\n',  # PyYAML raises a ValueError
        f"token: {SECRET}\nx: " + "[" * 5000,
    ],
)
def test_yaml_that_fails_without_a_line_is_rejected_by_path(find: Find, write_new: Write, content: str) -> None:
    path = write_new(content)
    assert _refusal(find) == f"{path}: invalid YAML"


@pytest.mark.parametrize(("content", "line"), [(f"- {SECRET}\n", 1), (f"\n{SECRET}\n", 2), (f"---\n'{SECRET}'\n", 2)])
def test_yaml_that_is_not_a_mapping_is_rejected(find: Find, write_new: Write, content: str, line: int) -> None:
    path = write_new(content)
    assert _refusal(find) == f"{path}, line {line}: expected `key: value` lines such as `token: ...`"


@pytest.mark.parametrize("key", ["token", "host"])
@pytest.mark.parametrize(
    "value",
    ["123", "1.5", "true", "2024-01-01", f"[{SECRET}]", f"{{a: {SECRET}}}", f"!mine {SECRET}", f"!!str [{SECRET}]"],
)
def test_a_token_or_host_that_is_not_text_is_refused(find: Find, write_new: Write, key: str, value: str) -> None:
    path = write_new(f"# comment\n{key}: {value}\n")
    assert _refusal(find) == f"{path}, line 2: the {key} must be a string: put it in quotes"


def test_a_quoted_number_is_a_string(find: Find, write_new: Write) -> None:
    write_new("token: '123'\n")
    assert find().token == "123"


@pytest.mark.usefixtures("without_pyyaml")
@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f"token: a\n  host: {SECRET}\n", 2),
        (f" token: {SECRET}\n", 1),
        (f"- {SECRET}\n", 1),
        (f"{SECRET}\n", 1),
        (f"token: |\n  {SECRET}\n", 1),
        (f"token: >-\n  {SECRET}\n", 1),
        (f"a: b\n\n# c\ntoken: [{SECRET}]\n", 4),
        (f"token: {{a: {SECRET}}}\n", 1),
        (f"token: &a {SECRET}\n", 1),
        (f"token: *{SECRET}\n", 1),
        (f"token: !mine {SECRET}\n", 1),
        (f"token: %{SECRET}\n", 1),
        (f"token: @{SECRET}\n", 1),
        (f"token: `{SECRET}\n", 1),
        (f"token: - {SECRET}\n", 1),
        (f"token: ? {SECRET}\n", 1),
        (f"token: {SECRET}: b\n", 1),
        (f"token: {SECRET}:\n", 1),
        (f'token: "{SECRET}\n', 1),
        (f"token: '{SECRET}\n", 1),
        (f'token: "{SECRET}\\n"\n', 1),
        (f'token: "{SECRET}" b\n', 1),
        (f'token: "{SECRET}"#b\n', 1),
        (f"token:{SECRET}\n", 1),
        (f"token:\t{SECRET}\n", 1),
        (f"'token': {SECRET}\n", 1),
        (f"? token\n: {SECRET}\n", 1),
        (f"token: {SECRET}\n---\n", 2),
        (f"%YAML 1.1\n---\ntoken: {SECRET}\n", 1),
        ("orbs:\n  namespace: x\n", 2),
    ],
)
def test_without_pyyaml_only_flat_lines_are_accepted(find: Find, write_new: Write, content: str, line: int) -> None:
    path = write_new(content)
    message = _refusal(find)
    assert message.startswith(f"{path}, line {line}: ")
    assert "circleci-async[cli]" in message


@pytest.mark.usefixtures("either_reader")
@pytest.mark.parametrize(
    ("content", "line"),
    [(b"token: \xff\n", 1), (b"# a\n\ntoken: s\xe9cret", 3), (b"\n\xff", 2), (b"\xef\xbb\xbfa: b\nc: \xff", 2)],
)
def test_invalid_utf8_is_rejected_with_path_and_line(find: Find, write_new: Write, content: bytes, line: int) -> None:
    path = write_new(content)
    assert _refusal(find) == f"{path}, line {line}: invalid UTF-8"


def test_an_unreadable_file_is_rejected_by_name(find: Find, tmp_path: Path) -> None:
    path = tmp_path / ".circleci" / "cli.yml"
    path.mkdir(parents=True)
    assert _refusal(find).startswith(f"{path} cannot be read: ")


def test_a_file_in_place_of_a_folder_counts_as_missing(find: Find, tmp_path: Path) -> None:
    (tmp_path / ".config").write_text("not a folder")
    assert find().token_source == "no token found"


def test_the_frames_of_a_rejected_file_do_not_hold_its_text(find: Find, write_new: Write) -> None:
    write_new(f"token: {SECRET}\n- broken\n")
    with pytest.raises(ConfigurationError) as caught:
        find()
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "entries = Redacted()" in shown  # the traceback shows locals
    assert SECRET not in shown


def test_config_files_are_opened_only_if_a_setting_is_missing(find: Find, write_new: Write, write_old: Write) -> None:
    write_new("- broken\n")
    assert find("given", SERVER).token == "given"
    assert find("", SERVER).token is None
    assert find(CIRCLE_TOKEN="env", CIRCLE_HOST=SERVER).token == "env"
    for arguments in ((), ("given",), (None, SERVER)):
        _refusal(find, *arguments)
    write_new("token: new\n")
    write_old("- broken\n")
    assert find().token == "new"
    assert find("given").host == DEFAULT_HOST
    write_new("telemetry: true\n")
    _refusal(find)
