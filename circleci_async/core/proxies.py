"""Choose the proxy of a request from the environment."""

from collections.abc import Mapping
from urllib.request import proxy_bypass

from yarl import URL

from ..config.trust import Origin
from ..errors import ConfigurationError


def proxy_for(address: URL, proxies: Mapping[str, str]) -> str | None:
    """Return the proxy for an address, or None. `proxies`: as `urllib.request.getproxies` returns them.

    aiohttp's own `trust_env` is not used: it also sends credentials from ~/.netrc, to every host that is named there.
    """
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(address.authority):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if Origin.of(proxy) is None:  # the value is not shown: it may contain a password
        raise ConfigurationError(
            f"{address.scheme.upper()}_PROXY or ALL_PROXY must be an http proxy, such as"
            " http://proxy.example.com:3128 (SOCKS is not supported): change it, or pass trust_env=False"
        )
    return proxy
