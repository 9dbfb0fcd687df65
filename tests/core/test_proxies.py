"""Which requests are sent through a proxy. This machine is never asked through one: it would receive the token."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from circleci_async import CircleCI
from circleci_async.core.proxies import proxy_for
from circleci_async.models import Artifact
from tests.raw_server import RawServer, answer, raw_server

PROXIES = {"http": "http://proxy:3128", "https": "http://proxy:3128"}
NAMES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]


@asynccontextmanager
async def proxy_of(name: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[RawServer]:
    """Run a proxy that a variable of the environment names."""
    async with raw_server(answer(200, {"from": "the proxy"})) as proxy:
        monkeypatch.setenv(name, proxy.url)
        yield proxy


LOCAL = "127.0.0.1 127.1.2.3 localhost LOCALHOST localhost. ci.localhost [::1] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1]"


@pytest.mark.parametrize("host", LOCAL.split())
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_this_machine_has_no_proxy(host: str, scheme: str) -> None:
    for port in ("", ":8080"):
        assert proxy_for(URL(f"{scheme}://{host}{port}/x"), PROXIES) is None
        assert proxy_for(URL(f"{scheme}://{host}{port}/x"), {"all": "socks5://proxy"}) is None


@pytest.mark.parametrize(
    "host", ["ci.example.com", "localhost.example.com", "notlocalhost", "128.0.0.1", "10.0.0.1", "[::2]", "[fe80::1]"]
)
def test_other_machines_have_one(host: str) -> None:
    assert proxy_for(URL(f"http://{host}/x"), PROXIES) == "http://proxy:3128"


@pytest.mark.parametrize("exempt", ["ci.example.com", "*", ".example.com", "other,ci.example.com:80"])
def test_exempt_hosts_have_none(exempt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", exempt)
    assert proxy_for(URL("http://ci.example.com:80/x"), PROXIES) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("name", NAMES)
async def test_no_proxy_receives_the_requests_to_this_machine(
    name: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy_of(name, monkeypatch) as proxy, raw_server(answer(200, {"from": "the server"})) as server:
        url = server.url.replace("127.0.0.1", host)
        async with CircleCI("the-token", host=url) as circle:
            assert await circle.request("GET", "/x") == {"from": "the server"}
            assert await circle.request("POST", "/x") == {"from": "the server"}
            async with circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{url}/a")) as stream:
                assert b"".join([part async for part in stream]) == b'{"from": "the server"}'
        assert len(server.requests) == 3
        assert proxy.connections == 0


@pytest.mark.parametrize("name", NAMES[:2])
async def test_no_proxy_receives_them_from_a_session_that_trusts_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy_of(name, monkeypatch) as proxy, raw_server(answer(200, {"from": "the server"})) as server:
        async with (
            aiohttp.ClientSession(trust_env=True) as http,
            CircleCI("the-token", host=server.url, http=http) as circle,
        ):
            assert await circle.request("GET", "/x") == {"from": "the server"}
        async with (
            aiohttp.ClientSession(trust_env=True) as http,
            CircleCI("", host="http://ci.example.com", http=http) as circle,
        ):
            assert await circle.request("GET", "/x") == {"from": "the proxy"}
        assert [request.target for request in proxy.requests] == ["http://ci.example.com/api/v2/x"]


async def test_the_proxy_of_a_session_is_its_owners_choice() -> None:
    async with (
        raw_server(answer(200, {"from": "the proxy"})) as proxy,
        aiohttp.ClientSession(proxy=proxy.url, trust_env=True) as http,
        CircleCI("the-token", host="http://127.0.0.1:1", http=http) as circle,
    ):
        assert await circle.request("GET", "/x") == {"from": "the proxy"}
