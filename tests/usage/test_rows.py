"""The rows of an export: complete or an error, and requested without the token."""

import asyncio
import gzip
import logging
import traceback
from contextlib import aclosing
from typing import Any

import pytest

from circleci_async import (
    CircleCI,
    DownloadError,
    DownloadInterrupted,
    InvalidArgument,
    RetryPolicy,
    ServerError,
)
from circleci_async.models import UsageExport, UsageExportState, UsageProgress
from circleci_async.testing import World
from tests.downloads.file_server import in_sequence, redirect, served
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_in_use, check_nothing_is_left
from tests.raw_server import Behaviour, answer, raw_server
from tests.testing.clock import Clock
from tests.usage.exports import (
    END,
    NOW,
    ORG,
    QUICK,
    START,
    TOKEN,
    completed,
    credentials,
    one_organization,
    one_server,
    part,
    running,
    sent,
)

FIRST, SECOND = part("A,B", "1,2", "3,4"), part("A,B", "5,6")
ROWS = [{"A": "1", "B": "2"}, {"A": "3", "B": "4"}, {"A": "5", "B": "6"}]
MANY = [{"N": str(n), "TEXT": f'line\n"{n}", {n * 7919 % 104729}'} for n in range(20_000)]
LARGE = part("N,TEXT", *('{},"line\n""{}"", {}"'.format(row["N"], row["N"], row["TEXT"].split()[-1]) for row in MANY))
SIGNATURE = "5ignatur3"


async def rows_of(export: Any) -> list[Any]:
    return [row async for row in export]


def file(content: bytes, **options: Any) -> Behaviour:
    return served(content, **options)


@fast_clock
async def test_an_export_has_a_row_for_each_job_of_all_parts() -> None:
    world, organization = one_organization(jobs=7)
    organization.usage.rows_per_part = 3
    async with running(world) as (fake, circle):
        rows = await rows_of(circle.usage.export(organization.id, START, END))
        assert sorted(row["JOB_NAME"] for row in rows) == [f"job {number}" for number in range(7)]
        assert {row["TOTAL_CREDITS"] for row in rows} == {10.0}
        assert {row["ORGANIZATION_ID"] for row in rows} == {organization.id}
        stored = [request for request in fake.requests if request.origin == "storage"]
        assert [request.status for request in stored] == [200] * 3
        assert all(TOKEN not in str(request.headers) for request in stored)


@fast_clock
async def test_an_export_without_usage_has_no_rows() -> None:
    world, organization = one_organization(jobs=0)
    async with running(world) as (_, circle):
        assert await rows_of(circle.usage.export(organization.id, START, END)) == []


@pytest.mark.parametrize("urls", [None, ()], ids=repr)
async def test_a_completed_export_can_have_no_parts(urls: Any) -> None:
    progress: list[UsageProgress] = []
    export = UsageExport(usage_export_job_id="e-1", state=UsageExportState.COMPLETED, download_urls=urls)
    async with CircleCI(TOKEN, host="http://localhost:1") as circle:
        assert await rows_of(circle.usage.rows(export, on_progress=progress.append)) == []
        assert circle.stats.requests == 0
    assert progress == [UsageProgress(export_id="e-1", state=UsageExportState.COMPLETED, parts_total=0)]


@pytest.mark.parametrize("state", ["created", "processing", "failed", "pending"])
async def test_the_rows_of_an_incomplete_export_are_refused(state: str) -> None:
    export = UsageExport(usage_export_job_id="e-1", state=UsageExportState(state))
    async with CircleCI(TOKEN, host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument, match=f"export e-1 must be completed, got state {state!r}.*usage.wait"):
            circle.usage.rows(export)


@pytest.mark.parametrize("trusted", [False, True])
async def test_the_token_is_never_sent_to_the_storage(trusted: bool) -> None:
    async with raw_server() as storage:
        hosts = [storage.host] if trusted else []
        storage.behaviours += [redirect(f"{storage.url}/moved?X=1"), file(FIRST)]
        async with one_server({"/part": redirect(f"{storage.url}/1?X-Amz-Signature=1")}, artifact_hosts=hosts) as (
            server,
            circle,
        ):
            assert await rows_of(circle.usage.export(ORG, START, END, interval=(0.01, 0.01))) == ROWS[:2]
            assert credentials(storage.requests) == credentials(sent(server, "/part")) == set()
            assert credentials(sent(server, "/api/")) == {"circle-token"}
            assert [request.target for request in storage.requests] == ["/1?X-Amz-Signature=1", "/moved?X=1"]


async def test_parts_can_have_different_columns_and_no_rows() -> None:
    other, unended = part("B", '"7\n8"', end="\r\n"), gzip.compress(b"C\n9")
    files = dict(zip("12345", map(file, (FIRST, part("X"), gzip.compress(b""), other, unended)), strict=True))
    async with one_server({f"/{name}": behaviour for name, behaviour in files.items()}) as (_, circle):
        rows = await rows_of(circle.usage.export(ORG, START, END, interval=(0.01, 0.01)))
        assert rows == [*ROWS[:2], {"B": "7\n8"}, {"C": "9"}]


async def test_a_signed_url_is_sent_unchanged() -> None:
    async with raw_server(file(FIRST)) as server, CircleCI(TOKEN, host="http://localhost:1") as circle:
        target = "/a%2Fb/part%200.csv.gz?X-Amz-Credential=A%2Fb&sig=%2b%2F+%7E&x"
        assert await rows_of(circle.usage.rows(completed(server.url + target))) == ROWS[:2]
        assert server.requests[0].target == target


async def test_an_interrupted_part_is_resumed() -> None:
    thirds = len(LARGE) // 3
    async with one_server({"/1": in_sequence(file(LARGE, cut=thirds), file(LARGE, cut=thirds), file(LARGE))}) as (
        server,
        circle,
    ):
        assert await rows_of(circle.usage.export(ORG, START, END, interval=(0.01, 0.01))) == MANY
        ranges = [request.headers.get("range") for request in sent(server, "/1")]
        assert ranges == [None, f"bytes={thirds}-", f"bytes={2 * thirds}-"]
        assert credentials(sent(server, "/1")) == set()


async def test_a_part_that_restarts_before_its_first_row_is_complete() -> None:
    async with one_server({"/1": in_sequence(file(FIRST, etag=None, cut=15), file(FIRST, etag=None))}) as (
        server,
        circle,
    ):
        progress: list[UsageProgress] = []
        export = circle.usage.export(ORG, START, END, interval=(0.01, 0.01), on_progress=progress.append)
        assert await rows_of(export) == ROWS[:2]
        assert [request.headers.get("range") for request in sent(server, "/1")] == [None, None]
        assert progress[-1].bytes == len(FIRST)


@pytest.mark.parametrize("again", [{"etag": None}, {"etag": '"v2"'}, {"ranges": False}], ids=str)
async def test_a_part_that_restarts_after_its_first_row_is_an_error(again: dict[str, Any]) -> None:
    cut = file(LARGE, etag=again.get("etag", '"v1"') and '"v1"', cut=len(LARGE) // 2)
    async with one_server({"/0": file(part("N,TEXT")), "/1": in_sequence(cut, file(LARGE, **again))}) as (_, circle):
        rows: list[dict[str, str]] = []
        with pytest.raises(
            DownloadError, match=r"part 2 of 2 of usage export e-1 was interrupted.*usage\.rows"
        ) as caught:
            async for row in circle.usage.export(ORG, START, END, interval=(0.01, 0.01)):
                rows.append(row)
        assert rows == MANY[: len(rows)]
        assert caught.value.export_id == "e-1"
        await check_nothing_is_left(circle)

        export = await circle.usage.get_export(ORG, caught.value.export_id)
        assert await rows_of(circle.usage.rows(export)) == MANY


async def test_a_part_that_stays_incomplete_is_an_error() -> None:
    async with one_server({"/1": file(LARGE, cut=1000)}, retry=RetryPolicy(attempts=2, initial_delay=0.001)) as (
        _,
        circle,
    ):
        with pytest.raises(DownloadInterrupted, match="interrupted") as caught:
            await rows_of(circle.usage.export(ORG, START, END, interval=(0.01, 0.01)))
        assert caught.value.export_id == "e-1"
        await check_nothing_is_left(circle)


async def test_a_transient_failure_of_the_storage_is_retried() -> None:
    async with one_server({"/1": in_sequence(answer(503, "slow down"), file(FIRST)), "/2": file(SECOND)}) as (
        _,
        circle,
    ):
        assert await rows_of(circle.usage.export(ORG, START, END, interval=(0.01, 0.01))) == ROWS
    async with one_server({"/1": answer(503, "slow down")}) as (_, circle):
        with pytest.raises(ServerError) as caught:
            await rows_of(circle.usage.export(ORG, START, END, interval=(0.01, 0.01)))
        assert caught.value.export_id == "e-1"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_an_expired_url_is_a_download_error(status: int) -> None:
    expired = answer(status, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
    async with one_server({"/1": file(FIRST), "/2": expired}) as (server, circle):
        rows: list[dict[str, str]] = []
        with pytest.raises(DownloadError, match=rf"part 2 of 2.*{status}.*36 hours.*usage\.get_export") as caught:
            async for row in circle.usage.export(ORG, START, END, interval=(0.01, 0.01)):
                rows.append(row)
        assert rows == ROWS[:2]
        assert (caught.value.hint, caught.value.export_id) == (None, "e-1")
        assert len(sent(server, "/2")) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>Sign in</html>", "invalid gzip data"),
        (b"", "truncated gzip data"),
        (FIRST[:-4], "truncated gzip data"),
        (part("A,B", "1,2", "3"), "1 fields in row 2, but 2 columns"),
        (gzip.compress(b"A\n\xff\n", mtime=0), "not UTF-8"),
    ],
    ids=["html", "nothing", "truncated", "ragged", "latin"],
)
async def test_a_malformed_part_is_an_error_that_names_it(content: bytes, message: str) -> None:
    async with one_server({"/1": file(SECOND), "/2": file(content)}) as (_, circle):
        with pytest.raises(DownloadError, match=f"^part 2 of 2 of usage export e-1 is malformed: {message}") as caught:
            await rows_of(circle.usage.export(ORG, START, END, interval=(0.01, 0.01)))
        assert caught.value.export_id == "e-1"
        assert "1,2" not in str(caught.value)
        await check_nothing_is_left(circle)


@pytest.mark.parametrize("url", ["", "ftp://storage.example.com/part", "/part"], ids=repr)
async def test_an_invalid_url_of_a_part_is_an_error(url: str) -> None:
    async with CircleCI(TOKEN, host="http://localhost:1") as circle:
        with pytest.raises(DownloadError, match="http") as caught:
            await rows_of(circle.usage.rows(completed(url)))
        assert caught.value.export_id == "e-1"
        assert circle.stats.requests == 0


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    "behaviour",
    [answer(403, "expired"), answer(500, "no"), file(FIRST, etag=None, cut=5), file(b"x"), answer(204)],
    ids=["expired", "error", "cut", "no table", "nothing"],
)
async def test_no_error_or_log_contains_a_signature_or_the_token(
    behaviour: Behaviour, trusted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with raw_server(behaviour) as server:
        host = server.url if trusted else "http://localhost:1"
        async with CircleCI(TOKEN, host=host, retry=QUICK) as circle:
            export = completed(f"{server.url}/part?X-Amz-Credential=C&X-Amz-Signature={SIGNATURE}")
            with pytest.raises(Exception) as caught:  # noqa: PT011  # which, is tested elsewhere
                await rows_of(circle.usage.rows(export))
    error: BaseException | None = caught.value
    while error is not None:
        shown = f"{error} {error!r} {vars(error)}"
        assert SIGNATURE not in shown
        assert TOKEN not in shown
        error = error.__cause__ or error.__context__
    job_in = "".join(traceback.format_exception(caught.value))
    assert SIGNATURE not in job_in
    assert SIGNATURE not in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("closing", [True, False], ids=["aclosing", "break"])
async def test_leaving_the_loop_early_closes_everything(closing: bool) -> None:
    async with one_server({"/1": file(LARGE), "/2": file(LARGE)}) as (server, circle):
        export = circle.usage.export(ORG, START, END, interval=(0.01, 0.01))
        if closing:
            async with aclosing(export) as rows:
                async for row in rows:
                    assert row == MANY[0]
                    break
            check_nothing_in_use(circle)
        else:
            async for row in export:
                assert row == MANY[0]
                break
            del export
            await asyncio.sleep(0)  # the event loop closes it
            await asyncio.sleep(0)
        await check_nothing_is_left(circle)
        assert sent(server, "/2") == []


async def test_a_cancellation_closes_everything() -> None:
    async def never(request: Any, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    half = file(LARGE, cut=len(LARGE) // 2, then=never)
    async with one_server({"/1": half}) as (_, circle):
        count = 0

        async def read() -> None:
            nonlocal count
            async for _ in circle.usage.export(ORG, START, END, interval=(0.01, 0.01)):
                count += 1

        reading = asyncio.ensure_future(read())
        while not count:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await check_nothing_is_left(circle)


async def test_other_tasks_run_between_batches() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with one_server({"/1": file(LARGE)}) as (_, circle):
        reading = circle.usage.rows(completed(f"{circle.host}/1"))
        await anext(reading)
        spinning = asyncio.ensure_future(others())
        assert len(await rows_of(reading)) == len(MANY) - 1
        spinning.cancel()
        assert turns >= 5


@fast_clock
async def test_progress_is_reported_from_start_to_end() -> None:
    world, organization = one_organization(jobs=4)
    organization.usage.export_time = 2.1  # the second poll comes after 2.2 s or more
    progress: list[UsageProgress] = []
    async with running(world) as (_, circle):
        rows = await rows_of(circle.usage.export(organization.id, START, END, on_progress=progress.append))
    (export,) = organization.usage.exports.values()
    first, second = (part.content.size for part in export.parts)
    assert len(rows) == 4
    assert {each.export_id for each in progress} == {export.id}
    assert [(each.state, each.parts_done, each.parts_total, each.rows, each.bytes) for each in progress] == [
        ("created", 0, None, 0, 0),
        ("processing", 0, None, 0, 0),
        ("completed", 0, None, 0, 0),
        ("completed", 0, 2, 0, 0),
        ("completed", 0, 2, 2, first),
        ("completed", 1, 2, 2, first),
        ("completed", 1, 2, 4, first + second),
        ("completed", 2, 2, 4, first + second),
    ]


@fast_clock
async def test_a_faulty_callback_is_logged_and_loses_no_row() -> None:
    def fail(progress: UsageProgress) -> None:
        raise RuntimeError("the display is broken")

    world, organization = one_organization()
    with LogCapture() as log:
        async with running(world) as (_, circle):
            assert len(await rows_of(circle.usage.export(organization.id, START, END, on_progress=fail))) == 5
    assert {record.getMessage() for record in log.records} == {"on_progress failed"}
    assert all(record.exc_info and "the display is broken" in str(record.exc_info[1]) for record in log.records)


class LogCapture(logging.Handler):
    """Collect the package's error logs: `caplog` does not work in tests with another event loop."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __enter__(self) -> "LogCapture":
        logging.getLogger("circleci_async").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("circleci_async").removeHandler(self)


@fast_clock
async def test_interruptions_by_the_embedded_storage_are_resumed() -> None:
    world, organization = one_organization(jobs=400)
    organization.usage.rows_per_part = 400
    async with running(world) as (fake, circle):
        fake.fail(origin="storage", cut=700, times=2)
        assert len(await rows_of(circle.usage.export(organization.id, START, END))) == 400
        assert 206 in {request.status for request in fake.requests}
    async with running(world) as (fake, circle):
        fake.fail(origin="storage", expired=True, after=1)
        with pytest.raises(DownloadError, match="Request has expired"):
            await rows_of(circle.usage.export(organization.id, START, END))


async def test_a_url_is_valid_for_36_hours() -> None:
    clock = Clock()
    clock.now = NOW
    world, organization = one_organization(clock=clock)
    async with running(world) as (_, circle):
        begun = await circle.usage.create_export(organization.id, start=START, end=END)
        clock.wait(1)
        export = await circle.usage.wait(organization.id, begun.usage_export_job_id)
        clock.wait(35 * 3600)
        assert len(await rows_of(circle.usage.rows(export))) == 5
        clock.wait(2 * 3600)
        with pytest.raises(DownloadError, match="Request has expired"):
            await rows_of(circle.usage.rows(export))
        export = await circle.usage.get_export(organization.id, begun.usage_export_job_id)
        assert len(await rows_of(circle.usage.rows(export))) == 5


@fast_clock
async def test_shared_organizations_are_exported() -> None:
    world, organization = one_organization()
    assert isinstance(world, World)
    other = world.project("gh/other/web").pipeline().workflow().job("theirs").workflow.pipeline.project.organization
    async with running(world) as (_, circle):
        export = circle.usage.export(organization.id, START, END, shared_org_ids=[other.id])
        assert {row["ORGANIZATION_NAME"] for row in await rows_of(export)} == {"acme", "other"}
