"""OpenTelemetry's instrumentation of aiohttp records a span for each request, without secrets."""

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor, create_trace_config
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from yarl import URL

from circleci_async import CircleCI, CircleCIError, ConfigurationError, RetryPolicy
from circleci_async.core.credentials import Auth
from circleci_async.models import Artifact
from circleci_async.testing import FakeCircleCI
from tests.raw_server import Behaviour, Request, answer, hang_up, raw, raw_server

ME = {"id": "u-1", "login": "octo"}
TOKEN = "CCIPAT_s3cret"


def without_query(url: URL) -> str:
    return str(url.with_query(None))


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def instrumented(provider: TracerProvider) -> Iterator[None]:
    """Instrument every aiohttp session that the test makes."""
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider, url_filter=without_query)
    yield
    instrumentor.uninstrument()


def url_of(span: ReadableSpan) -> str:
    attributes = span.attributes or {}
    return str(attributes.get("http.url") or attributes["url.full"])


def shown(exporter: InMemorySpanExporter) -> str:
    """Return all finished spans as text."""
    return "".join(span.to_json() for span in exporter.get_finished_spans())


@pytest.mark.usefixtures("instrumented")
async def test_each_request_is_a_child_span_of_the_caller(
    exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    async with raw_server(answer(503, {}), answer(200, ME)) as server:
        with provider.get_tracer("the service").start_as_current_span("who am I") as caller:
            async with CircleCI(TOKEN, host=server.url, retry=RetryPolicy(initial_delay=0.001)) as circle:
                await circle.users.me()
    *requests, outer = exporter.get_finished_spans()
    assert outer.name == "who am I"
    assert [(span.kind, url_of(span)) for span in requests] == [(SpanKind.CLIENT, f"{server.url}/api/v2/me")] * 2
    assert [span.status.status_code for span in requests] == [StatusCode.ERROR, StatusCode.UNSET]
    assert {span.parent and span.parent.span_id for span in requests} == {caller.get_span_context().span_id}
    sent = [request.headers["traceparent"].split("-")[2] for request in server.requests]
    assert sent == [format(span.context.span_id, "016x") for span in requests if span.context]


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
async def test_each_hop_of_a_download_is_a_span_without_token_and_signature(
    auth: Auth, exporter: InMemorySpanExporter, tmp_path: Path
) -> None:
    async with FakeCircleCI() as fake:
        fake.world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("a.txt", b"1")
        async with fake.client(auth=auth) as circle:
            artifacts = await circle.artifacts.list("gh/acme/api", 1).collect()
            await circle.artifacts.download(artifacts[0], tmp_path)
        (signature,) = [request.query["X-Amz-Signature"] for request in fake.requests if request.origin == "storage"]
        assert len(exporter.get_finished_spans()) == len(fake.requests) == 3
    assert fake.token not in shown(exporter)
    assert signature not in shown(exporter)


@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
async def test_a_custom_session_can_have_its_own_tracing(
    auth: Auth, exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    tracing = create_trace_config(tracer_provider=provider, url_filter=without_query)
    async with (
        raw_server(answer(200, ME)) as server,
        aiohttp.ClientSession(trace_configs=[tracing]) as http,
        CircleCI(TOKEN, host=server.url, auth=auth, http=http) as circle,
    ):
        await circle.users.me()
        await circle.request("GET", "/anything?X-Amz-Signature=5ignature")
    assert [url_of(span) for span in exporter.get_finished_spans()] == [
        f"{server.url}/api/v2/me",
        f"{server.url}/api/v2/anything",
    ]
    assert TOKEN not in shown(exporter)


async def echo_token(request: Request, writer: asyncio.StreamWriter) -> None:
    """Send the credentials back as an invalid HTTP response."""
    writer.write(f"{request.headers['circle-token']}\r\n\r\n".encode())
    await writer.drain()


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (hang_up, "ConnectionLost"),
        (echo_token, "TransportError"),
        (raw(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n"), "TransportError"),
    ],
    ids=["hang up", "echo token", "no header"],
)
async def test_a_failed_request_is_an_error_span_without_secrets(
    behaviour: Behaviour, kind: str, exporter: InMemorySpanExporter
) -> None:
    async with (
        raw_server(behaviour) as server,
        CircleCI(TOKEN, host=server.url, retry=RetryPolicy(attempts=1)) as circle,
    ):
        artifact = Artifact(path="a", node_index=0, url=f"{server.url}/a?X-Amz-Signature=5ignature")
        with pytest.raises(CircleCIError):
            async with circle.artifacts.open(artifact):
                pass
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    kinds = [str((event.attributes or {})["exception.type"]).rpartition(".")[2] for event in span.events]
    assert kinds == [kind]
    assert TOKEN not in shown(exporter)
    assert "5ignature" not in shown(exporter)


@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
async def test_captured_headers_do_not_contain_the_token(
    auth: Auth, exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    tracing = create_trace_config(tracer_provider=provider, captured_request_headers=[".*"])
    async with (
        raw_server(answer(200, ME)) as server,
        aiohttp.ClientSession(trace_configs=[tracing]) as http,
        CircleCI(TOKEN, host=server.url, auth=auth, http=http) as circle,
    ):
        await circle.users.me()
    assert "application/json" in shown(exporter), "else this test shows nothing"
    assert TOKEN not in shown(exporter)
    assert b64encode(f"{TOKEN}:".encode()).decode() not in shown(exporter)


@pytest.mark.usefixtures("instrumented")
async def test_closing_the_client_ends_the_span_of_a_running_request(
    exporter: InMemorySpanExporter,
) -> None:
    received = asyncio.Event()

    async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
        received.set()
        await asyncio.Event().wait()

    async with raw_server(hang) as server:
        circle = CircleCI(TOKEN, host=server.url)
        call = asyncio.create_task(circle.users.me())
        await received.wait()
        await circle.aclose()
        with pytest.raises(ConfigurationError):
            await call
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
