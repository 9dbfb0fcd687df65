"""One HTTP hop: which hosts receive the token, redirects, TLS, proxies, and invalid HTTP."""

import asyncio
import os
import ssl
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

import circleci_async
from circleci_async import ApiError, CircleCI, ConfigurationError, NotFound, RetryPolicy, TransportError
from circleci_async.core.credentials import Auth
from circleci_async.models import Artifact
from tests.raw_server import Behaviour, RawServer, Request, answer, cut, raw, raw_server

TOKEN = "the-token"
CREDENTIALS = ("circle-token", "authorization", "cookie", "proxy-authorization")
ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(initial_delay=0.001, max_delay=0.001)


def moved(location: str, status: int = 302, body: bytes = b"") -> Behaviour:
    return answer(status, body, {"Location": location})


def credentials(request: Request) -> dict[str, str]:
    return {name: request.headers[name] for name in CREDENTIALS if name in request.headers}


# The token


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        ("circle-token", {"circle-token": TOKEN}),
        ("bearer", {"authorization": f"Bearer {TOKEN}"}),
        ("basic", {"authorization": "Basic " + b64encode(f"{TOKEN}:".encode()).decode()}),
    ],
)
async def test_the_token_is_sent_in_one_header(auth: Auth, sent: dict[str, str]) -> None:
    async with raw_server(answer(200, {})) as server, CircleCI(TOKEN, host=server.url, auth=auth) as circle:
        await circle.request("GET", "/me")
        await circle.request("POST", "/x", json={})
        assert [credentials(request) for request in server.requests] == [sent, sent]


def test_an_unknown_auth_is_rejected_by_name() -> None:
    with pytest.raises(ConfigurationError, match="auth must be one of 'circle-token', 'bearer', 'basic', got 'digest'"):
        CircleCI(TOKEN, auth="digest")  # type: ignore[arg-type]  # this is the point


@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_another_origin_is_never_sent_the_token_by_a_redirect(auth: Auth, status: int) -> None:
    async with raw_server(answer(200, {"a": 1})) as other, raw_server(moved(f"{other.url}/x", status)) as server:
        async with CircleCI(TOKEN, host=server.url, auth=auth) as circle:
            assert await circle.request("GET", "/me") == {"a": 1}
        assert credentials(server.requests[0])
        assert credentials(other.requests[0]) == {}
        assert TOKEN not in str(other.requests[0].headers)


async def test_over_redirects_only_trusted_origins_are_sent_the_token() -> None:
    async with raw_server(moved("/set below")) as home, raw_server(moved(f"{home.url}/back")) as abroad:
        home.behaviours = [moved(f"{abroad.url}/x"), answer(200, {})]
        async with CircleCI(TOKEN, host=home.url) as circle:
            await circle.request("GET", "/me")
        assert [request.path for request in home.requests] == ["/api/v2/me", "/back"]
        assert [credentials(request) for request in home.requests] == [{"circle-token": TOKEN}] * 2
        assert credentials(abroad.requests[0]) == {}


async def test_an_artifact_host_is_sent_the_token_and_the_storage_behind_it_is_not() -> None:
    async with (
        raw_server(answer(200, b"bytes")) as storage,
        raw_server(moved(f"{storage.url}/signed?X-Amz-Signature=s")) as artifacts,
        raw_server(answer(200, {})) as api,
        CircleCI(TOKEN, host=api.url, artifact_hosts=[artifacts.host]) as circle,
    ):
        async with circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{artifacts.url}/a")) as stream:
            assert b"".join([part async for part in stream]) == b"bytes"
        assert credentials(artifacts.requests[0]) == {"circle-token": TOKEN}
        assert credentials(storage.requests[0]) == {}


async def test_cookies_are_ignored() -> None:
    async with raw_server(answer(200, {}, {"Set-Cookie": "session=1"})) as server:
        host = server.url.replace("127.0.0.1", "localhost")  # aiohttp stores no cookies for an IP address
        async with CircleCI(TOKEN, host=host) as circle:
            await circle.request("GET", "/a")
            await circle.request("GET", "/b")
        assert "cookie" not in server.requests[1].headers


async def test_the_user_agent_names_this_package_and_its_version() -> None:
    async with raw_server(answer(200, {})) as server, CircleCI("", host=server.url) as circle:
        await circle.request("GET", "/a")
        assert server.requests[0].headers["user-agent"] == f"circleci-async/{circleci_async.__version__}"


# Redirects


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_only_get_and_head_follow_redirects(method: str, status: int) -> None:
    async with raw_server(answer(200, {})) as other, raw_server(moved(f"{other.url}/x?sig=s", status)) as server:
        async with CircleCI(TOKEN, host=server.url, retry=QUICK) as circle:
            with pytest.raises(ApiError, match="unexpected redirect to") as caught:
                await circle.request(method, "/x", json={})
        assert caught.value.status == status
        assert caught.value.message == f"unexpected redirect to {other.url}/x"
        assert (len(server.requests), len(other.requests)) == (1, 0)


async def test_a_relative_redirect_is_followed_without_its_fragment() -> None:
    async with raw_server(moved("../there?a=%2F+b#part"), answer(200, {"a": 1})) as server:
        async with CircleCI(TOKEN, host=server.url) as circle:
            assert await circle.request("GET", "/one/two") == {"a": 1}
        assert server.requests[1].target == "/api/v2/there?a=%2F+b"


async def test_a_signed_address_is_sent_unchanged() -> None:
    signed = "/b%2Fucket/a%20b+c~d!/x?X-Amz-Credential=A%2F2026%2Fs3&sig=a+b%2B/c==&e=%e4&empty=&flag"
    async with raw_server(answer(200, {})) as storage, raw_server(moved(f"{storage.url}{signed}")) as server:
        async with CircleCI(TOKEN, host=server.url) as circle:
            await circle.request("GET", "/x")
        assert storage.requests[0].target == signed


async def test_a_non_ascii_redirect_is_quoted() -> None:
    async with raw_server(moved("/\u00e4 \u00f6"), answer(200, {"a": 1})) as server:
        async with CircleCI(TOKEN, host=server.url) as circle:
            assert await circle.request("GET", "/x") == {"a": 1}
        assert server.requests[1].target == "/%C3%A4%20%C3%B6"


async def test_endless_redirects_stop_after_ten_without_a_retry() -> None:
    async with raw_server(moved("/again")) as server, CircleCI(TOKEN, host=server.url, retry=QUICK) as circle:
        with pytest.raises(ApiError, match="more than 10 redirects"):
            await circle.request("GET", "/x")
        assert len(server.requests) == 11


async def test_a_token_in_the_address_of_a_redirect_is_not_shown() -> None:
    async with raw_server(moved("/x?a=1&circle-token=SECRET")) as server, CircleCI("", host=server.url) as circle:
        with pytest.raises(ApiError) as caught:
            await circle.request("GET", "/x")
        assert caught.value.url == f"{server.url}/x?a=1"


@pytest.mark.parametrize(
    "location",
    [
        "http://[bad/?sig=SECRET",
        "http://host:99999/?sig=SECRET",
        "ftp://127.0.0.1/x?sig=SECRET",
        "file:///etc/passwd",
        "mailto:somebody",
        "http://a..b/?sig=SECRET",
        "http://ex ample.com/?sig=SECRET",
        "http://x\u2028/?sig=SECRET",
        "",
    ],
)
async def test_a_redirect_to_an_unsupported_address_is_an_error(location: str) -> None:
    async with raw_server(moved(location)) as server:
        async with CircleCI(TOKEN, host=server.url, retry=QUICK) as circle:
            with pytest.raises(ApiError) as caught:
                await circle.request("GET", "/x")
        assert caught.value.status == 302
        assert "SECRET" not in str(caught.value)
        assert len(server.requests) == 1
        await server.all_closed()


@pytest.mark.parametrize(
    "behaviour",
    [
        moved("/there", body=b"x" * 1000),
        moved("/there", body=b"x" * 200_000),
        cut(b"x" * 1000, 10, status=302, headers={"Location": "/there"}),
    ],
    ids=["small", "large", "cut"],
)
async def test_the_body_of_a_redirect_does_not_matter(behaviour: Behaviour) -> None:
    async with raw_server(behaviour, answer(200, {"a": 1})) as server:
        async with CircleCI(TOKEN, host=server.url, retry=ONCE) as circle:
            assert await circle.request("GET", "/x") == {"a": 1}
        await server.all_closed()


@asynccontextmanager
async def secure_server(*behaviours: Behaviour) -> AsyncGenerator[tuple[RawServer, aiohttp.ClientSession, bytes], None]:
    """Serve TLS, with an aiohttp session that trusts it, and the certificate of its CA."""
    authority = trustme.CA()
    served, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(served)
    authority.configure_trust(trusting)
    async with raw_server(*behaviours, tls=served) as server:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as http:
            yield server, http, authority.cert_pem.bytes()
        await server.all_closed()


async def test_a_redirect_from_https_to_http_is_refused_even_to_loopback() -> None:
    async with raw_server(answer(200, {})) as plain:
        async with (
            secure_server(moved(f"{plain.url}/x?sig=SECRET")) as (server, http, _),
            CircleCI(TOKEN, host=server.url, http=http, retry=QUICK) as circle,
        ):
            with pytest.raises(ApiError, match="refused to follow a redirect from https to http") as caught:
                await circle.request("GET", "/x")
        assert "SECRET" not in str(caught.value)
        assert (len(server.requests), len(plain.requests)) == (1, 0)
        assert credentials(server.requests[0]) == {"circle-token": TOKEN}


# TLS


async def test_an_unknown_ca_is_rejected_with_a_hint() -> None:
    async with secure_server(answer(200, {})) as (server, _, _), CircleCI(TOKEN, host=server.url, retry=ONCE) as circle:
        with pytest.raises(TransportError, match="SSL_CERT_FILE") as caught:
            await circle.request("POST", "/x", json={})
        assert not caught.value.sent
        assert server.requests == []


SECURE_CALL = """
import asyncio, sys
import circleci_async as ca

async def main():
    async with ca.CircleCI("t", host=sys.argv[1]) as circle:
        print(*[(await circle.users.me()).login for _ in range(3)])

asyncio.run(main())
"""


async def test_a_private_ca_is_named_with_ssl_cert_file(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    async with secure_server(answer(200, {"id": "u", "login": "octo"})) as (server, _, pem):
        certificate.write_bytes(pem)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SECURE_CALL,
            server.url,
            env={**os.environ, "SSL_CERT_FILE": str(certificate)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, complaint = await process.communicate()
        assert (printed.decode().strip(), complaint.decode()) == ("octo octo octo", "")
        assert server.connections == 1  # session tickets of TLS are not unread data


# Invalid HTTP


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"garbage\r\n\r\n", "invalid HTTP response"),
        (b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", "invalid HTTP response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "invalid HTTP response"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", "invalid HTTP response"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "invalid HTTP response"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "body is incomplete"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!", "body is incomplete"),
        (b"", "without a response"),
    ],
    ids=["no status", "no header", "length", "long", "chunk", "cut chunk", "gzip", "nothing"],
)
async def test_invalid_http_is_a_transport_error_in_one_line(content: bytes, message: str) -> None:
    async with raw_server(raw(content)) as server, CircleCI(TOKEN, host=server.url, retry=ONCE) as circle:
        with pytest.raises(TransportError, match=message) as caught:
            await circle.request("GET", "/x")
        assert "\n" not in str(caught.value)
        assert caught.value.sent
        await server.all_closed()


# A session of the caller


async def test_a_caller_session_is_used_and_never_closed() -> None:
    async with raw_server(answer(200, {})) as server:
        async with aiohttp.ClientSession(headers={"X-Mine": "yes"}) as http:
            async with CircleCI(TOKEN, host=server.url, http=http) as circle:
                await circle.request("GET", "/x")
            assert not http.closed
            async with http.get(server.url) as response:
                assert response.status == 200
        assert server.requests[0].headers["x-mine"] == "yes"
        assert "circle-token" not in server.requests[1].headers


async def test_a_caller_session_with_raise_for_status_works() -> None:
    async with (
        raw_server(answer(404, {"message": "no such thing"})) as server,
        aiohttp.ClientSession(raise_for_status=True) as http,
        CircleCI(TOKEN, host=server.url, http=http) as circle,
    ):
        with pytest.raises(NotFound, match="no such thing"):
            await circle.request("GET", "/x")


async def test_a_closed_caller_session_is_reported() -> None:
    async with aiohttp.ClientSession() as http:
        pass
    async with CircleCI(TOKEN, host="http://localhost:1", http=http) as circle:
        with pytest.raises(ConfigurationError, match="session is closed"):
            await circle.request("GET", "/x")


# Proxies


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_is_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(answer(200, {"a": 1})) as proxy:
        monkeypatch.setenv(name, proxy.url)
        async with CircleCI("", host="http://ci.example.com") as circle:
            assert await circle.request("GET", "/x") == {"a": 1}
        assert proxy.requests[0].target == "http://ci.example.com/api/v2/x"


async def test_a_proxy_may_lack_its_scheme_and_have_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(answer(200, {"a": 1})) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"me:pw@{proxy.host}")
        async with CircleCI("", host="http://ci.example.com") as circle:
            await circle.request("GET", "/x")
        assert credentials(proxy.requests[0]) == {"proxy-authorization": "Basic " + b64encode(b"me:pw").decode()}


async def test_https_is_tunneled_through_the_proxy_without_showing_the_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with raw_server(answer(407, "who are you?")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with CircleCI(TOKEN, host="https://ci.example.com", retry=ONCE) as circle:
            with pytest.raises(TransportError):
                await circle.request("GET", "/x")
        (request,) = proxy.requests
        assert (request.method, request.target) == ("CONNECT", "ci.example.com:443")
        assert TOKEN not in str(request.headers)


@pytest.mark.parametrize("options", [{}, {"trust_env": False}])
async def test_a_proxy_that_does_not_apply_is_not_used(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(answer(200, {})) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "" if options else "ci.invalid")
        async with CircleCI("", host="http://ci.invalid", retry=ONCE, **options) as circle:
            with pytest.raises(TransportError, match="connection failed"):  # no name server knows it
                await circle.request("GET", "/x")
        assert proxy.connections == 0


@pytest.mark.parametrize("proxy", ["socks5://me:pw@127.0.0.1:1080", "http://me:pw@[bad", "http://me:pw@"])
async def test_an_unsupported_proxy_is_rejected_without_showing_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    async with CircleCI("", host="http://ci.example.com", retry=QUICK) as circle:
        with pytest.raises(ConfigurationError, match="HTTP_PROXY or ALL_PROXY") as caught:
            await circle.request("GET", "/x")
        assert "pw" not in str(caught.value)
        assert circle.stats.retries == 0


async def test_netrc_is_never_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\ndefault login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with raw_server(answer(200, {})) as server:
        async with CircleCI("", host=server.url) as circle:
            await circle.request("GET", "/x")
        async with aiohttp.ClientSession(trust_env=True) as http, http.get(server.url) as response:
            assert response.status == 200
        assert credentials(server.requests[0]) == {}
        assert "authorization" in server.requests[1].headers, "else this test shows nothing"
