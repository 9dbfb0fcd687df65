"""Decide which origins are sent the token. Pure."""

import ipaddress
import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from typing import Final, NamedTuple

from yarl import URL

from ..errors import ConfigurationError

_ANY_PORT: Final = -1
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
# Wildcards are * and ? only, since [ belongs to IPv6. In an IPv4 address they match digits. In a name, a domain of at
# least two labels must follow the last wildcard: * matches dots too, so `*.com` would trust nearly every host.
_ENTRY = re.compile(
    r"""(?: \[ (?P<ipv6> [0-9a-f]* : [0-9a-f:.]* ) \]
          | (?P<ipv4> [0-9]+ (?: \. [0-9*?]+ ){3} )
          | (?P<host> [a-z0-9_-]+ (?: \. [a-z0-9_-]+ )*
                    | [a-z0-9_.*?-]* [*?] [a-z0-9_-]* (?: \. [a-z0-9_-]+ ){2,} ) )
        (?: : (?P<port> [0-9]{1,5} | \* ) )?""",
    re.VERBOSE,
)


class Origin(NamedTuple):
    """Scheme, host and port of an http(s) address, normalized as the HTTP client does."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str | URL) -> "Origin | None":
        """Return the origin of an address, or None if it is ambiguous.

        Pass the `yarl.URL` that is requested, if there is one, so that both agree.
        """
        try:
            url = URL(url) if isinstance(url, str) else url
            return _origin(url.scheme, url.raw_host or "", url.port)
        except ValueError:
            return None

    @property
    def has_default_port(self) -> bool:
        """Whether the port is the default of the scheme."""
        return self.port == _DEFAULT_PORTS[self.scheme]

    @property
    def is_private(self) -> bool:
        """Whether requests are confidential in transit: by https, or on this machine."""
        return self.scheme == "https" or is_loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" if self.has_default_port else f"{self.scheme}://{host}:{self.port}"


@lru_cache(maxsize=256)  # called for each hop of each request
def _origin(scheme: str, host: str, port: int | None) -> Origin | None:
    normal_host = _normal_host(host)
    return Origin(scheme, normal_host, port) if scheme in _DEFAULT_PORTS and normal_host and port else None


class Trust:
    """The origins that are sent the token: the API host and the artifact hosts.

    `host` is the API's root address. Each of `artifact_hosts` is "host", with the scheme's default port, or
    "host:port"; the host may be a glob such as `*.circle-artifacts.com`, which matches subdomains of any depth. All by
    https only, except on this machine (127.0.0.0/8, ::1, localhost). Raises `ConfigurationError` for an invalid entry.
    """

    __slots__ = ("_api", "_artifact_hosts", "_private_api")

    def __init__(self, host: str, artifact_hosts: Iterable[str]) -> None:
        self._api = Origin.of(host)
        if self._api is None:
            raise ConfigurationError(
                f"host {host!r} is invalid: expected the root address, such as https://circleci.com"
            )
        self._private_api = self._api if self._api.is_private else None
        self._artifact_hosts = tuple(_entry(text) for text in artifact_hosts)

    def trusts(self, url: str | URL) -> bool:
        """Return whether the token may be sent to this address. False for an ambiguous address."""
        origin = Origin.of(url)
        if origin is self._private_api is not None:  # nearly always: equal origins are cached
            return True
        if origin is None or not origin.is_private:
            return False
        return origin == self._api or any(
            (origin.has_default_port if port is None else port in (origin.port, _ANY_PORT))
            and host.fullmatch(origin.host)
            for host, port in self._artifact_hosts
        )


def _normal_host(host: str) -> str | None:
    """Return a name in lower case or an IPv6 address in short form; None for anything else."""
    if ":" not in host:
        host = host.lower()
        return host if _NAME.fullmatch(host) else None
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        return None


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: 127.0.0.0/8, ::1 or localhost."""
    if host in ("localhost", "::1"):
        return True
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _entry(text: str) -> tuple[re.Pattern[str], int | None]:
    """Return an artifact host's pattern and port, None for the scheme's default port."""
    match = _ENTRY.fullmatch(text.strip().lower())
    if match:
        port = None if match["port"] is None else _ANY_PORT if match["port"] == "*" else int(match["port"])
        host = match["host"] or _normal_host(match["ipv6"] or "")
        if match["ipv4"]:
            pattern = re.escape(match["ipv4"]).replace(r"\*", "[0-9]+").replace(r"\?", "[0-9]")
        else:
            pattern = translate(host) if host else ""
        if pattern and (port is None or port == _ANY_PORT or 0 < port < 65536):
            return re.compile(pattern), port
    raise ConfigurationError(
        f"artifact_hosts: {text!r} is invalid: expected host or host:port without scheme or path, such as"
        " output.circle-artifacts.com, *.circle-artifacts.com or minio.ci.example.com:9000;"
        " a domain such as example.com must follow the last * or ?"
    )
