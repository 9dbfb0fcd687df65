"""The local variables of this package's frames hold no secret after any failure."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from circleci_async import (
    CircleCI,
    CircleCIError,
    ConfigurationError,
    InvalidArgument,
    RetryPolicy,
    TransportError,
    webhooks,
)
from circleci_async.config.settings import discover
from circleci_async.models import Artifact, UsageExport, UsageExportState, WebhookEvent
from tests.frames import exposed
from tests.raw_server import Behaviour, Request, answer, cut, hang, hang_up, raw, raw_server, reset

TOKEN = "CCIPAT_t0kent0kent0ken"
PASSWORD = "pr0xypassw0rd"
VALUE = "v4luev4luev4lue"
SIGNATURE = "5ignatur3"
SECRETS = (TOKEN, PASSWORD, VALUE, SIGNATURE)
CONTEXT = "5034460f-c7c4-4c43-9457-de07e2029e7b"
PROJECT = "gh/acme/api"
QUICK = RetryPolicy(attempts=2, initial_delay=0.001, max_delay=0.001)

Call = Callable[[CircleCI], Awaitable[object]]


def surrogate(text: str) -> str:
    return f"{text}\ud800"


SENDING: dict[str, Call] = {
    "context": lambda circle: circle.contexts.set_variable(CONTEXT, "NAME", VALUE),
    "contexts": lambda circle: circle.contexts.set_variables(CONTEXT, {"A": VALUE, "B": VALUE}),
    "project": lambda circle: circle.environment_variables.set(PROJECT, "NAME", VALUE),
    "projects": lambda circle: circle.environment_variables.set_variables(PROJECT, {"A": VALUE, "B": VALUE}),
    "new webhook": lambda circle: circle.webhooks.create(
        name="x", url=f"https://x/{VALUE}", events=["job-completed"], scope_id=CONTEXT, signing_secret=VALUE
    ),
    "webhook": lambda circle: circle.webhooks.update(CONTEXT, url=f"https://x/{VALUE}", signing_secret=VALUE),
    "continuation": lambda circle: circle.pipelines.continue_(VALUE, configuration="version: 2.1"),
    "exporter": lambda circle: circle.otel.create_exporter(
        CONTEXT, endpoint="x:1", protocol="grpc", headers={"X-Key": VALUE}
    ),
    "any post": lambda circle: circle.request("POST", "/x", json={"a": [VALUE]}),
    "any put": lambda circle: circle.request("PUT", "/x", json=VALUE, headers={"X-Key": VALUE}),
    "any get": lambda circle: circle.request("GET", "/x", headers={"X-Key": VALUE}),
}


def echo(status: int) -> Behaviour:
    """Send back the token, and the values of calls that are known to send one, in a form that no call expects."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        body = json.loads(request.body) if request.body else VALUE
        value = "" if request.path.endswith("/x") else VALUE
        content = {"message": f"no: {value}", "received": value and body, "name": [value], "id": [TOKEN]}
        return await answer(status, content if status != 200 else f"<html>{content}")(request, writer)

    return behave


FAILURES: dict[str, Behaviour] = {
    **{str(status): echo(status) for status in (200, 302, 400, 403, 404, 409, 422, 500)},
    "429 for a day": answer(429, "", {"Retry-After": "86400"}),
    "wrong json": answer(200, [VALUE]),
    "cut": cut(b'{"name": "x"}', 4),
    "reset": reset,
    "hang up": hang_up,
    "no http": raw(b"SSH-2.0-x\r\n\r\n"),
}


SENT_AND_FAILED = [
    (call, failure)
    for call in SENDING
    for failure in FAILURES
    # of `request`, any JSON is a result
    if not (failure == "wrong json" and (call.startswith("any") or call in {"continuation", "webhook", "new webhook"}))
]


@pytest.mark.parametrize(("call", "failure"), SENT_AND_FAILED)
async def test_a_failed_call_does_not_show_the_values_it_sends(call: str, failure: str) -> None:
    async with raw_server(FAILURES[failure]) as server, CircleCI(TOKEN, host=server.url, retry=QUICK) as circle:
        with pytest.raises(CircleCIError) as caught:
            await SENDING[call](circle)
    assert exposed(caught.value, TOKEN, VALUE) == []


@pytest.mark.parametrize("end", ["timeout", "deadline", "close", "retry"])
@pytest.mark.parametrize("call", SENDING)
async def test_a_cancelled_call_does_not_show_the_values_it_sends(call: str, end: str) -> None:
    retry = RetryPolicy(initial_delay=60, max_delay=60, deadline=0.02 if end == "deadline" else None)
    limited = answer(429, "", {"Retry-After": "60"})
    async with (
        raw_server(limited if end == "retry" else hang) as server,
        CircleCI(TOKEN, host=server.url, retry=retry) as circle,
    ):
        with pytest.raises((TimeoutError, CircleCIError)) as caught:
            async with asyncio.timeout(5 if end in {"deadline", "close"} else 0.02):
                running = asyncio.ensure_future(SENDING[call](circle))
                if end == "close":
                    while not server.requests:
                        await asyncio.sleep(0.001)
                    await circle.aclose()
                await running
    assert exposed(caught.value, TOKEN, VALUE) == []


@pytest.mark.parametrize("call", SENDING)
async def test_a_closed_client_does_not_show_the_values(call: str) -> None:
    async with CircleCI(TOKEN, host="http://localhost:1") as circle:
        pass
    with pytest.raises(CircleCIError) as caught:
        await SENDING[call](circle)
    assert exposed(caught.value, TOKEN, VALUE) == []


REFUSED: dict[str, Call] = {
    "a surrogate": lambda circle: circle.contexts.set_variable(CONTEXT, "NAME", surrogate(VALUE)),
    "bytes": lambda circle: circle.environment_variables.set(PROJECT, "NAME", VALUE.encode()),  # type: ignore[arg-type]
    "no name": lambda circle: circle.environment_variables.set(PROJECT, "", VALUE),
    "no context": lambda circle: circle.contexts.set_variables("", {"A": VALUE}),
    "no project": lambda circle: circle.environment_variables.set_variables("x", {"A": VALUE}),
    "one of many": lambda circle: circle.contexts.set_variables(CONTEXT, {"A": VALUE, "B": surrogate(VALUE)}),
    "a wrong name": lambda circle: circle.contexts.set_variables(CONTEXT, {"A": VALUE, "1": VALUE}),
    "a list": lambda circle: circle.contexts.set_variables(CONTEXT, [VALUE]),  # type: ignore[arg-type]
    "concurrency": lambda circle: circle.contexts.set_variables(CONTEXT, {"A": VALUE}, concurrency=0),
    "a url": lambda circle: circle.webhooks.update(CONTEXT, url=f"http://x/{VALUE}"),
    "a secret": lambda circle: circle.webhooks.update(CONTEXT, signing_secret=surrogate(VALUE)),
    "events": lambda circle: circle.webhooks.update(CONTEXT, signing_secret=VALUE, events=[]),
    "headers": lambda circle: circle.otel.create_exporter(
        CONTEXT, endpoint="x:1", protocol="grpc", headers=dict.fromkeys("abcdef", VALUE)
    ),
    "a header": lambda circle: circle.request("GET", "/x", headers={"X-Key": f"{VALUE}\n"}),
    "the name of a header": lambda circle: circle.request("GET", "/x", headers={"X-Key": VALUE, "": "x"}),
    "a path": lambda circle: circle.request("POST", "/../x", json=VALUE, headers={"X-Key": VALUE}),
    "a method": lambda circle: circle.request("P T", "/x", json=VALUE),
    "a set": lambda circle: circle.request("POST", "/x", json=[VALUE, {VALUE}]),
    "bytes in json": lambda circle: circle.request("POST", "/x", json={"a": VALUE.encode()}),
    "nan": lambda circle: circle.request("POST", "/x", json=[VALUE, float("nan")]),
}


@pytest.mark.parametrize("call", REFUSED)
async def test_a_refused_argument_does_not_show_the_values(call: str) -> None:
    async with CircleCI(TOKEN, host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument) as caught:
            await REFUSED[call](circle)
    assert exposed(caught.value, TOKEN, VALUE) == []


PROXIES: dict[str, Behaviour] = {
    "407": answer(407, ""),
    "502": answer(502, "", {"X-Echo": PASSWORD}),
    "hang up": hang_up,
    "reset": reset,
    "no http": raw(b"SSH-2.0-x\r\n\r\n"),
    "no tls": raw(b"HTTP/1.1 200 OK\r\n\r\n"),
    "hang": hang,
}


@pytest.mark.parametrize(
    ("scheme", "failure"),
    [("https", failure) for failure in PROXIES] + [("http", failure) for failure in PROXIES if failure != "no tls"],
)
async def test_a_failing_proxy_does_not_show_its_password(
    failure: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = TOKEN if scheme == "https" else ""
    async with raw_server(PROXIES[failure]) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://me:{PASSWORD}@{proxy.host}")
        host = f"{scheme}://ci.example.com"
        timeout = 0.05 if failure == "hang" else 10
        async with CircleCI(token, host=host, retry=QUICK, timeout=timeout) as circle:
            with pytest.raises(CircleCIError) as caught:
                await circle.contexts.set_variable(CONTEXT, "NAME", VALUE)
        assert proxy.requests
    assert exposed(caught.value, TOKEN, VALUE, PASSWORD) == []


@pytest.mark.parametrize("address", ["socks5://me:{}@x:1", "http://me:{}@x:port", "http://me:{}@"])
async def test_an_invalid_proxy_does_not_show_its_password(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address.format(PASSWORD))
    async with CircleCI(TOKEN, host="https://ci.example.com") as circle:
        with pytest.raises(ConfigurationError, match="must be an http proxy") as caught:
            await circle.contexts.set_variable(CONTEXT, "NAME", VALUE)
    assert exposed(caught.value, TOKEN, VALUE, PASSWORD) == []


async def test_a_cancelled_wait_for_a_proxy_does_not_show_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(hang) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@{proxy.host}")
        async with CircleCI(TOKEN, host="https://ci.example.com") as circle:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.05):
                    await circle.users.me()
    assert exposed(caught.value, TOKEN, PASSWORD) == []


STORAGES: dict[str, Behaviour] = {
    "403": answer(403, f"<Error>{SIGNATURE}</Error>"),
    "404": answer(404, ""),
    "503": answer(503, ""),
    "cut": cut(b"[" * 100, 10),
    "malformed": answer(200, b"\x1f\x8bmalformed"),
    "reset": reset,
    "hang up": hang_up,
    "no http": raw(b"SSH-2.0-x\r\n\r\n"),
    "hang": hang,
    "for ever": answer(302, "", {"Location": f"/x?X-Amz-Signature={SIGNATURE}"}),
    "nowhere": answer(302, "", {"Location": f"ftp://x/?X-Amz-Signature={SIGNATURE}"}),
    "nobody": answer(302, "", {"Location": f"http://127.0.0.1:1/?X-Amz-Signature={SIGNATURE}"}),
}


async def stream(circle: CircleCI, url: str, into: Path) -> None:
    async with circle.artifacts.open(Artifact(path="a", node_index=0, url=url)) as parts:
        async for _ in parts:
            pass


async def download(circle: CircleCI, url: str, into: Path) -> None:
    await circle.artifacts.download(Artifact(path="a", node_index=0, url=url), into)


async def download_all(circle: CircleCI, url: str, into: Path) -> None:
    report = await circle.artifacts.download_all([Artifact(path="a", node_index=0, url=url)], into)
    report.raise_for_failures()


async def rows(circle: CircleCI, url: str, into: Path) -> None:
    export = UsageExport(usage_export_job_id="e", state=UsageExportState.COMPLETED, download_urls=(url,))
    async for _ in circle.usage.rows(export):
        pass


async def request(circle: CircleCI, url: str, into: Path) -> None:
    await circle.request("GET", "/moved")


READS = {"stream": stream, "download": download, "download_all": download_all, "rows": rows, "request": request}


@asynccontextmanager
async def storage_behind(behaviour: Behaviour) -> AsyncGenerator[tuple[str, str]]:
    """Yield the address of an API that redirects to a signed address, and that address."""
    async with raw_server(behaviour) as storage:
        signed = f"{storage.url}/x?X-Amz-Signature={SIGNATURE}"
        async with raw_server(answer(302, "", {"Location": signed})) as server:
            yield server.url, signed


@pytest.mark.parametrize(
    ("read", "failure"),
    [
        (read, failure)
        for read in READS
        for failure in STORAGES
        if failure != "malformed" or read in {"rows", "request"}  # any bytes can be an artifact
    ],
)
async def test_a_failed_read_does_not_show_the_signed_address(read: str, failure: str, tmp_path: Path) -> None:
    timeout = 0.05 if failure == "hang" else 10
    async with (
        storage_behind(STORAGES[failure]) as (api, signed),
        CircleCI(TOKEN, host=api, retry=QUICK, timeout=timeout) as circle,
    ):
        with pytest.raises(CircleCIError) as caught:
            await READS[read](circle, signed if read == "rows" else f"{api}/file", tmp_path)
    assert exposed(caught.value, TOKEN, SIGNATURE) == []


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("end", ["timeout", "closed"])
async def test_a_cancelled_read_does_not_show_the_signed_address(read: str, end: str, tmp_path: Path) -> None:
    async with storage_behind(hang) as (api, signed), CircleCI(TOKEN, host=api) as circle:
        if end == "closed":
            await circle.aclose()
        with pytest.raises((TimeoutError, CircleCIError)) as caught:
            async with asyncio.timeout(0.05):
                await READS[read](circle, signed if read == "rows" else f"{api}/file", tmp_path)
    assert exposed(caught.value, TOKEN, SIGNATURE) == []


@pytest.mark.parametrize("failure", [name for name in STORAGES if name != "hang"])
async def test_output_that_cannot_be_read_does_not_show_the_signed_address(failure: str) -> None:
    async def api(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        return await (answer(503, "") if "/output/" in request.path else answer(200, build))(request, writer)

    async with raw_server(STORAGES[failure]) as storage, raw_server(api) as server:
        action: dict[str, Any] = {"name": "x", "step": 1, "index": 0, "status": "success", "has_output": True}
        action |= {"output_url": f"{storage.url}/o?{SIGNATURE}"}
        build = {"steps": [{"name": "x", "actions": [action]}]}
        async with CircleCI(TOKEN, host=server.url, retry=QUICK) as circle:
            with pytest.raises(CircleCIError) as caught:
                await circle.jobs.output(PROJECT, 42, 1).text()
    assert exposed(caught.value, TOKEN, SIGNATURE) == []


CLIENTS: dict[str, Callable[[], object]] = {
    "host": lambda: CircleCI(TOKEN, host="ftp://x"),
    "password in the host": lambda: CircleCI("x", host=f"https://me:{PASSWORD}@x"),
    "http": lambda: CircleCI(TOKEN, host="http://ci.example.com"),
    "auth": lambda: CircleCI(TOKEN, auth="digest"),  # type: ignore[arg-type]
    "artifact hosts": lambda: CircleCI(TOKEN, artifact_hosts=["*"]),
    "middlewares": lambda: CircleCI(TOKEN, middlewares=[1]),  # type: ignore[list-item]
    "user agent": lambda: CircleCI(TOKEN, user_agent="\n"),
    "concurrency": lambda: CircleCI(TOKEN, concurrency=0),
    "timeout": lambda: CircleCI(TOKEN, timeout=0),
    "token": lambda: CircleCI(f"{TOKEN}\u00e9"),
    "bytes": lambda: CircleCI(TOKEN.encode()),  # type: ignore[arg-type]
    "a token of the environment": lambda: discover(environ={"CIRCLE_TOKEN": f"{TOKEN}\u00e9"}),
    "a host of the environment": lambda: discover(environ={"CIRCLE_TOKEN": TOKEN, "CIRCLE_HOST": "ftp://x"}),
}


@pytest.mark.parametrize("setting", CLIENTS)
def test_a_refused_setting_does_not_show_the_token(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", TOKEN)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@x")
    with pytest.raises(CircleCIError) as caught:
        CLIENTS[setting]()
    assert exposed(caught.value, TOKEN, PASSWORD) == []


@pytest.mark.parametrize(
    "text", ["token: {}\nhost: ftp://x\n", "token: {} x\n", "host: https://me:{}@x\n", "token: [{}]"]
)
def test_a_refused_config_file_does_not_show_the_token(text: str, tmp_path: Path) -> None:
    file = tmp_path / ".circleci" / "cli.yml"
    file.parent.mkdir()
    file.write_text(text.format(TOKEN))
    with pytest.raises(ConfigurationError) as caught:
        discover(home=tmp_path, environ={})
    assert exposed(caught.value, TOKEN) == []


BODY = b'{"id": "e", "type": "ping", "happened_at": "2020-01-01T00:00:00Z"}'
SIGNED = {"circleci-signature": f"v1={hmac.digest(VALUE.encode(), BODY, hashlib.sha256).hex()}"}
UNSIGNED = {"circleci-signature": "v1=00"}
OTHER = hmac.digest(VALUE.encode(), b"[]", hashlib.sha256).hex()
"""The signature of a body that was not signed: it would be accepted."""

RECEIVED: dict[str, Callable[[], object]] = {
    "verify": lambda: webhooks.verify(BODY, UNSIGNED, VALUE),
    "two secrets": lambda: webhooks.verify(BODY, UNSIGNED, [VALUE, VALUE.encode()]),
    "the right signature": lambda: webhooks.verify(b"[]", UNSIGNED, VALUE),
    "unwrap": lambda: webhooks.unwrap(BODY, UNSIGNED, VALUE),
    "no header": lambda: webhooks.unwrap(BODY, {}, VALUE),
    "text": lambda: webhooks.verify("{}", UNSIGNED, VALUE),  # type: ignore[arg-type]
    "an empty secret": lambda: webhooks.verify(BODY, SIGNED, [VALUE, ""]),
    "a surrogate": lambda: webhooks.verify(BODY, SIGNED, [VALUE, surrogate(VALUE)]),
    "a number": lambda: webhooks.verify(BODY, SIGNED, [VALUE, 1]),  # type: ignore[list-item]
    "a mapping": lambda: webhooks.verify(BODY, UNSIGNED, {"old": VALUE, "new": "x"}),
    "a number in a mapping": lambda: webhooks.verify(BODY, SIGNED, {"old": VALUE, VALUE: 1}),
    "a name of bytes": lambda: webhooks.verify(BODY, SIGNED, {"old": VALUE, VALUE.encode(): VALUE}),
    "a mapping of the receiver": lambda: webhooks.Receiver({"old": VALUE, "new": ""}, print),
    "old": lambda: webhooks.verify(BODY, SIGNED, VALUE, max_age=60),
    "an age": lambda: webhooks.unwrap(BODY, SIGNED, VALUE, max_age=-1),
    "receiver": lambda: webhooks.Receiver(VALUE, print, queue=-1),
    "a secret of the receiver": lambda: webhooks.Receiver([VALUE, ""], print),
    "a function of the receiver": lambda: webhooks.Receiver(VALUE, None),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", RECEIVED)
def test_a_refused_webhook_does_not_show_the_signing_secret(case: str) -> None:
    with pytest.raises(CircleCIError) as caught:
        RECEIVED[case]()
    assert exposed(caught.value, VALUE, OTHER) == []


async def test_a_broken_handler_does_not_show_the_signing_secret() -> None:
    caught: list[BaseException] = []

    def fail(event: WebhookEvent) -> None:
        raise OSError

    async with webhooks.Receiver(VALUE, fail, on_error=lambda event, error: caught.append(error)) as receiver:
        assert (await receiver.receive(BODY, SIGNED)).status == 202
    assert exposed(caught[0], VALUE) == []
    with pytest.raises(InvalidArgument) as refused:
        await receiver.__aenter__()
        await receiver.receive("text", SIGNED)  # type: ignore[arg-type]
    assert exposed(refused.value, VALUE) == []


def test_the_frames_are_searched() -> None:
    """The search finds what a frame of the package shows."""
    artifact = Artifact(path="a", node_index=0, url=f"ftp://{SIGNATURE}")

    async def fail() -> None:
        async with CircleCI(TOKEN, host="http://localhost:1") as circle, circle.artifacts.open(artifact):
            pass

    with pytest.raises(CircleCIError) as caught:
        asyncio.run(fail())
    assert "DownloadError: circleci_async.downloads.stream.open_artifact: artifact" in exposed(caught.value, SIGNATURE)


def test_every_secret_counts() -> None:
    error = TransportError(" ".join(SECRETS))
    assert [exposed(error, secret) for secret in SECRETS] == [["TransportError"]] * 4


async def test_values_still_arrive() -> None:
    def sent(request: Request) -> Any:
        return json.loads(request.body)

    ok = answer(200, {"name": "NAME", "variable": "NAME", "value": "xxxx"})
    async with raw_server(ok) as server, CircleCI(TOKEN, host=server.url) as circle:
        await circle.contexts.set_variables(CONTEXT, {"A": VALUE})
        await circle.environment_variables.set(PROJECT, "NAME", VALUE)
        await circle.request("POST", "/x", json={"a": VALUE}, headers={"X-Key": VALUE})
        first, second, third = server.requests
    assert (sent(first), sent(second), sent(third)) == (
        {"value": VALUE},
        {"name": "NAME", "value": VALUE},
        {"a": VALUE},
    )
    assert third.headers["x-key"] == VALUE
