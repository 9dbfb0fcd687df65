"""Choose the proxy of a request from the environment."""

from collections.abc import Mapping
from ipaddress import IPv6Address
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from ..config.trust import Origin, is_loopback
from ..errors import ConfigurationError


def proxy_for(address: URL, proxies: Mapping[str, str]) -> str | None:
    """Return the proxy for an address, or None. `proxies`: as `urllib.request.getproxies` returns them.

    aiohttp's own `trust_env` is not used: it also sends credentials from ~/.netrc, to every host that is named there.
    """
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if not proxy or is_local(address) or proxy_bypass(address.authority):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if Origin.of(proxy) is not None:
        return proxy
    scheme = address.scheme.upper()
    del proxy, proxies, address  # a traceback that prints local variables must not print the password
    raise ConfigurationError(
        f"{scheme}_PROXY or ALL_PROXY must be an http proxy, such as"
        " http://proxy.example.com:3128 (SOCKS is not supported): change it, or pass trust_env=False"
    )


def is_env_proxy_for_loopback(proxy: URL | None, address: URL) -> bool:
    """Return whether aiohttp took a proxy (here without its user) from the environment for an address on this machine.

    A proxy that is set on the session itself is used for these addresses too.
    """
    if proxy is None or not is_local(address):
        return False
    found = getproxies().get(address.scheme)
    return bool(found) and URL(found or "").with_user(None) == proxy


def is_local(address: URL) -> bool:
    """Return whether an address is on this machine. It is never requested through a proxy, as in Go and browsers.

    Such an address may be http, so a proxy would receive the token in clear.
    """
    host = (address.raw_host or "").lower().rstrip(".")
    if host.endswith(".localhost"):
        return True
    if ":" in host:  # an IPv4 address may be written as an IPv6 one
        try:
            host = str(IPv6Address(host).ipv4_mapped or host)
        except ValueError:
            return False
    return is_loopback(host)
