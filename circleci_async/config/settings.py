"""Find token and host: in arguments, environment, the official CLI's config files, and its login in the keyring."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

import attrs
from yarl import URL

from ..errors import ConfigurationError
from .os_keyring import KeyringToken, is_supported
from .redacted import NotPicklable, Redacted, redacted
from .tokens import Token, clean_token
from .trust import Origin, Trust

DEFAULT_HOST: Final = "https://circleci.com"
DEFAULT_ARTIFACT_HOSTS: Final = ("*.circle-artifacts.com",)

_TOKEN_VARIABLES: Final = ("CIRCLE_TOKEN", "CIRCLE_CLI_TOKEN", "CIRCLECI_TOKEN", "CIRCLECI_CLI_TOKEN")
_HOST_VARIABLES: Final = ("CIRCLE_HOST", "CIRCLECI_HOST", "CIRCLECI_CLI_HOST")
_ARTIFACT_HOSTS_VARIABLES: Final = ("CIRCLE_ARTIFACT_HOSTS",)

_HOST = re.compile(
    r"""(?: (?P<scheme> https? ) :// )?
        (?P<authority> (?: \[ [^\]]+ \] | [^\x00-\x20/?\#@\\:\[\]]+ ) (?: : [0-9]+ )? )
        (?P<path> / [^\x00-\x20?\#\\]* )?""",
    re.VERBOSE | re.IGNORECASE,
)
_API_PATH = re.compile(r"/api(/v[0-9.]+)?$")

# A flat line of YAML: `key: value`, with a plain, quoted or missing value. No escapes, nesting or tags.
_FLAT_LINE: Final = r"""(?x)
        (?P<key> [A-Za-z_][\w-]* ) :
        (?: [ ]+ (?: "(?P<double> [^"\\]* )"
                  | '(?P<single> (?: [^'] | '' )* )'
                  | (?P<plain> [^\s"'\[\]{}|>&*!%@`\#,?:-] (?: (?! \s\# | :\s | :$ ) . )*+ ) ) )?
        (?: \s+ (?: \# .* )? )?"""
_FLAT_NULLS: Final = ("~", "null", "Null", "NULL")

_YAML_NULL: Final = "tag:yaml.org,2002:null"
_YAML_TEXT: Final = "tag:yaml.org,2002:str"


@attrs.frozen
class Settings(NotPicklable):
    """Where requests are sent, and with which token. The repr never shows the token."""

    host: str
    """Root address of the installation, normalized, without a trailing slash."""

    token: Token | None = attrs.field(repr=False)
    """None for anonymous requests."""

    _token_source: str

    artifact_hosts: tuple[str, ...]
    """Hosts besides the API host that are sent the token."""

    are_hosts_named: bool = attrs.field(default=False, eq=False)
    """Whether `artifact_hosts` are from an argument or the environment, and not the default for the token."""

    @property
    def token_source(self) -> str:
        """Where the token was found, or why there is none."""
        return self.token.source if isinstance(self.token, KeyringToken) else self._token_source

    @property
    def has_token(self) -> bool:
        """Whether there is a token; of a keyring, once it has been read."""
        return self.token.is_found if isinstance(self.token, KeyringToken) else self.token is not None


def discover(
    token: Token | Redacted[Token | None] | None = None,
    host: str | Redacted[str | None] | None = None,
    artifact_hosts: Iterable[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    keyring: bool = True,
) -> Settings:
    """Return the settings: from arguments, else environment, else the official CLI's config files, else defaults.

    A blank `token` argument means no token, without a search. `environ` and `home` default to the process's own.
    The token of a file is used only for the host of that file. A file is opened only if a setting is still missing.
    Without any, the token is a `KeyringToken`, unless `keyring` is false, the extra is missing, or the host is unsafe.
    Raises `ConfigurationError`, which names the source, for a malformed or unsafe setting or file.
    """
    given, given_host = redacted(token), redacted(host)
    variables = Redacted(os.environ if environ is None else environ)
    del token, host, environ  # a traceback that prints local variables must not print them
    if not callable(given.reveal()):
        _check_text(given, "token argument", "a string or a function")
    _check_text(given_host, "host argument", "a string")
    files = _config_files(variables, home)

    named_host = _argument(given_host, "argument host") or _variable(variables, _HOST_VARIABLES)
    if named_host:
        root, host_source = _root(*named_host), named_host[1]
    elif first := next(files, None):
        root, host_source = first.host, str(first.path)
        files = chain([first], files)  # its token is examined below
    else:
        root, host_source = DEFAULT_HOST, "the default"

    default_artifact_hosts: tuple[str, ...] = DEFAULT_ARTIFACT_HOSTS
    named_token = _argument(given, "the token argument") or _variable(variables, _TOKEN_VARIABLES)
    if named_token:
        found, source = _named_token(*named_token)
    else:
        found, source = _token_for(root, files)
        if keyring and not found.reveal() and Trust(root, ()).trusts(root):
            asked = [named_host[0].reveal()] if named_host else []
            found, source = _keyring_token(root, asked, variables, home, source)
        if found.reveal() and not _same_origin(root, DEFAULT_HOST):  # nor is it for the artifacts of circleci.com
            default_artifact_hosts = ()

    if found.reveal() and not Trust(root, ()).trusts(root):
        raise ConfigurationError(
            f"{root} (from {host_source}) is not https, so the token (from {source}) would be sent unencrypted:"
            " use https, or a host on this machine"
        )

    if artifact_hosts is None and (named_hosts := _variable(variables, _ARTIFACT_HOSTS_VARIABLES)):
        artifact_hosts = named_hosts[0].reveal()
    if isinstance(artifact_hosts, str):  # one name, or a list as in the environment variable
        artifact_hosts = artifact_hosts.replace(",", " ").split()
    hosts = default_artifact_hosts if artifact_hosts is None else tuple(artifact_hosts)
    return Settings(root, found.reveal(), source, hosts, artifact_hosts is not None)


def _check_text(value: Redacted[Any], name: str, right: str) -> None:
    if value.reveal() is not None and not isinstance(value.reveal(), str):
        raise ConfigurationError(f"the {name} must be {right}, got {type(value.reveal()).__name__}")


def _argument(value: Redacted[Any], name: str) -> tuple[Redacted[Any], str] | None:
    """Return value and name of an argument, unless it is None."""
    return None if value.reveal() is None else (value, name)


def _variable(environ: Redacted[Mapping[str, str]], names: Iterable[str]) -> tuple[Redacted[str], str] | None:
    """Return value and name of the first of these variables that is set and not blank."""
    for name in names:
        if environ.reveal().get(name, "").strip():
            return Redacted(environ.reveal()[name]), name
    return None


def _named_token(given: Redacted[Any], source: str) -> tuple[Redacted[Token | None], str]:
    """Return the token of an argument or of a variable, and its source."""
    if callable(given.reveal()):
        return given, "the token function"
    found = Redacted[Token | None](clean_token(given, source))
    return found, source if found.reveal() else "the token argument is blank"  # blank variables are skipped


def _same_origin(one: str, other: str) -> bool:
    return Origin.of(one) == Origin.of(other)


def _root(host: Redacted[Any], source: str) -> str:
    """Return a host as a normalized root address. Raises `ConfigurationError`, which names `source`."""
    text: str = host.reveal()
    match = _HOST.fullmatch(text)
    url = f"{match['scheme'] or 'https'}://{match['authority']}{match['path'] or ''}" if match else ""
    origin = Origin.of(url)
    if origin is None:
        shown = text.rpartition("@")[2].partition("?")[0].partition("#")[0]  # the rest may be secret
        del text, match, url
        raise ConfigurationError(
            f"{source}: {shown!r} is not a valid host: expected the https address of an installation, such as"
            " https://circleci.com or https://ci.example.com:8443, without user name, query or fragment"
        )
    path = URL(url).raw_path.rstrip("/")
    if match := _API_PATH.search(path):
        right = f"{origin}{path[: match.start()]}"
        raise ConfigurationError(f"{source}: the host must be the root address, without {match[0]}: {right}")
    return f"{origin}{path}"


def _token_for(root: str, files: Iterable["_ConfigFile"]) -> tuple[Redacted[Token | None], str]:
    """Return token and source of the first file for this host, or None and the reason."""
    why = "no token found"
    for file in files:
        if file.token.reveal() and _same_origin(file.host, root):
            return file.token, str(file.path)
        if file.token.reveal():
            why = f"the token in {file.path} is for {file.host}, not for {root}"
    return Redacted(None), why


def _keyring_token(
    root: str, asked: list[str], environ: Redacted[Mapping[str, str]], home: Path | None, why: str
) -> tuple[Redacted[Token | None], str]:
    """Return the official CLI's login for this host in the OS keyring, or None and the reason.

    `asked` is the host as an argument or variable spells it. The keyring contains a login under the host as the
    official CLI's settings spell it.
    """
    files = list(_config_files(environ, home))
    if is_supported():
        spellings = [*asked, *(file.written_host for file in files if _same_origin(file.host, root)), root]
        return Redacted(KeyringToken(filter(None, spellings), why)), ""
    cli_file = next(_config_paths(environ, home), None)
    cli_host = next((file.host for file in files if file.path == cli_file), DEFAULT_HOST)
    if cli_file and cli_file.is_file() and _same_origin(cli_host, root):
        why += "; the official CLI can have stored it in the OS keyring: install circleci-async[keyring]"
    return Redacted(None), why


@attrs.frozen
class _ConfigFile:
    path: Path
    written_host: str
    host: str
    token: Redacted[str | None]


def _config_files(environ: Redacted[Mapping[str, str]], home: Path | None) -> Iterator[_ConfigFile]:
    """Yield the official CLI's config files that contain a token or a host, those of the newer CLI first."""
    for path in _config_paths(environ, home):
        entries, fault = _entries(path)
        if fault:  # raised here, where no frame or chained exception holds the file's text
            raise ConfigurationError(f"{path}{fault}")
        token = Redacted(clean_token(Redacted(entries.reveal().get("token")), str(path)))
        host = Redacted(entries.reveal().get("host", "").strip())
        if token.reveal() or host.reveal():
            root = _root(host, str(path)) if host.reveal() else DEFAULT_HOST
            yield _ConfigFile(path, host.reveal(), root, token)


def _config_paths(environ: Redacted[Mapping[str, str]], home: Path | None) -> Iterator[Path]:
    if home is None:
        try:
            home = Path.home()
        except RuntimeError:  # a user without a home, as in some containers
            home = None
    xdg = Path(environ.reveal().get("XDG_CONFIG_HOME", ""))
    if xdg.is_absolute():  # the XDG specification ignores relative paths
        yield xdg / "circleci" / "config.yml"
    elif home:
        yield home / ".config" / "circleci" / "config.yml"
    if home:
        yield home / ".circleci" / "cli.yml"


def _entries(path: Path) -> tuple[Redacted[dict[str, str]], str]:
    """Return the entries of a config file, and its fault ("" for none, also if the file does not exist)."""
    entries, fault = _read_entries(path)
    return Redacted(entries), fault


def _read_entries(path: Path) -> tuple[dict[str, str], str]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return {}, ""
    except OSError as error:
        return {}, f" cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return {}, f", line {line}: invalid UTF-8"
    return _yaml_entries(text)


def _yaml_entries(text: str) -> tuple[dict[str, str], str]:
    """Return the entries of YAML from its nodes, without constructing objects."""
    try:
        import yaml
    except ImportError:
        return _flat_entries(text)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        # The message of the error quotes the file with its token, so only the line is shown.
        position = getattr(error, "problem_mark", None)
        return {}, f", line {position.line + 1}: invalid YAML" if position else ": invalid YAML"
    if root is None or root.tag == _YAML_NULL:
        return {}, ""
    if not isinstance(root, yaml.MappingNode):
        return {}, f", line {root.start_mark.line + 1}: expected `key: value` lines such as `token: ...`"
    entries: dict[str, str] = {}
    for key, value in root.value:
        if key.value not in ("token", "host") or value.tag == _YAML_NULL:
            continue
        if not isinstance(value, yaml.ScalarNode) or value.tag != _YAML_TEXT:
            return {}, f", line {value.start_mark.line + 1}: the {key.value} must be a string: put it in quotes"
        entries[key.value] = value.value
    return entries, ""


def _flat_entries(text: str) -> tuple[dict[str, str], str]:
    """Return the entries of flat `key: value` lines, as the official CLI writes them, without PyYAML."""
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#") or (line.rstrip() == "---" and not entries):
            continue
        match = re.fullmatch(_FLAT_LINE, line)
        if match is None:
            return {}, (
                f", line {number}: without PyYAML only flat `key: value` lines are supported:"
                " install circleci-async[cli], or set token and host in another way"
            )
        if (match["plain"] or "").rstrip() not in _FLAT_NULLS:
            single = (match["single"] or "").replace("''", "'")
            entries[match["key"]] = match["double"] or single or (match["plain"] or "").rstrip()
    return entries, ""
