"""`harvest_catalog`: one row per finished file, as rows, CSV, Parquet and data frame."""

import asyncio
import csv
import json
import os
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

import circleci_async as ca
from circleci_async.harvest import catalog as catalogs
from circleci_async.harvest.ledger.schema import connect
from circleci_async.testing import FakeCircleCI, World

from .harvests import harvest, small_world, tree

COLUMNS = [
    *("project", "branch", "tag", "revision", "pipeline", "pipeline_id", "workflow", "job", "number", "node", "kind"),
    *("path", "target", "location", "size", "sha256", "etag", "created_at", "fetched_at", "url"),
]

UTC_TIME = pl.Datetime("us", "UTC")
TYPES = {name: pl.String() for name in COLUMNS} | {
    **dict.fromkeys(("pipeline", "number", "node", "size"), pl.Int64()),
    **dict.fromkeys(("created_at", "fetched_at"), UTC_TIME),
}

HOSTILE = (
    'a "quoted", value',
    "two\nlines\r\nand a \r return",
    "=HYPERLINK(1)",
    "ünïcode \u2028 \U0001f980 \u202e",
    " spaces, tabs\t",
    "'';--",
    "NULL",
)

MADE = datetime(2026, 11, 1, 10, 0, 0, 250_000, UTC)
FETCHED = datetime(2026, 11, 2, 11, tzinfo=UTC)
SHA256 = "ab" * 32


def make_ledger(root: Path, files: int, *, jobs: int = 10, text: str = "main") -> None:
    """Write a ledger with this number of finished files."""
    root.mkdir(parents=True, exist_ok=True)
    numbers = "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ? - 1) "
    with closing(connect(root)) as sql:
        sql.execute("BEGIN")
        sql.execute("INSERT INTO runs (id, selection, began) VALUES (1, '', '2026-11-01T10:00:00+00:00')")
        sql.execute(
            f"{numbers} INSERT INTO jobs (id, project, number, name, workflow, pipeline, listed, run)"
            " SELECT n + 1, 'gh/acme/api', n + 1, ?, ?, n / 2, 'whole', 1 FROM numbers",
            (jobs, text, text),
        )
        sql.execute(
            "INSERT INTO pipelines SELECT DISTINCT project, pipeline, ?, ?, ?, NULL, ? FROM jobs",
            (text, MADE.isoformat(), text, text),
        )
        if files:
            sql.execute(
                f"{numbers} INSERT INTO artifacts"
                " (job, node, path, url, safe, target, state, listed_by, run, turn, size, sha256, etag, finished)"
                " SELECT n % ? + 1, 0, ? || n, ?, 1, 'out/' || n, 'done', 1, 1, n, n, ?, ?, ? FROM numbers",
                (files, jobs, text, text, SHA256, text, FETCHED.isoformat()),
            )
        sql.execute("COMMIT")


def changed(into: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(into / ".harvest.sqlite")) as sql, sql:
        sql.execute(statement, values)


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Fail writes beyond this size of a file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder for written files."""
    path = tmp_path / "files"
    path.mkdir()
    return path


# Rows


async def test_a_row_has_everything_known_about_a_file(into: Path) -> None:
    world = World()
    pipeline = world.project("gh/acme/api").pipeline(branch="main")
    job = pipeline.workflow("build").job("test", parallelism=2)
    job.artifact("reports/a.xml", b"<a/>", node=1)
    job.artifact("reports/a.xml", b"<b/>")
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
    by_target = {file.target: file for file in report.files}

    catalog = await ca.harvest_catalog(into)

    assert len(catalog) == 2
    assert catalog.columns == COLUMNS
    first, second = catalog.rows()
    file = by_target["gh/acme/api/1/build/test-1/0/reports/a.xml"]
    assert first == {
        "project": "gh/acme/api",
        "branch": "main",
        "tag": None,
        "revision": pipeline.revision,
        "pipeline": 1,
        "pipeline_id": pipeline.id,
        "workflow": "build",
        "job": "test",
        "number": 1,
        "node": 0,
        "kind": "artifacts",
        "path": "reports/a.xml",
        "target": file.target,
        "location": str(into / file.target),
        "size": 4,
        "sha256": file.sha256,
        "etag": file.etag,
        "created_at": file.created_at,
        "fetched_at": file.finished_at,
        "url": file.url,
    }
    assert list(first) == COLUMNS
    assert (second["node"], second["target"]) == (1, "gh/acme/api/1/build/test-1/1/reports/a.xml")
    assert first["created_at"].tzinfo is UTC
    assert list(catalog) == [by_target[first["target"]], by_target[second["target"]]]
    assert catalog[1] == list(catalog)[1]


async def test_files_know_where_they_are(into: Path) -> None:
    async with FakeCircleCI(small_world()) as fake:
        report = await harvest(fake, into)
        again = await harvest(fake, into)
    seen: list[ca.HarvestedFile] = [*report.files, *again.skipped, *(await ca.harvest_status(into)).files]
    assert len(seen) == 72
    assert {file.target for file in seen} == set(tree(into))
    assert all(file.path == into / file.target and file.location == str(file.path) for file in seen)


async def test_rows_are_in_the_order_of_the_builds_and_equal_harvests_have_equal_catalogs(tmp_path: Path) -> None:
    world = small_world(pipelines=12, jobs=2, artifacts=2, size=10)
    found: list[pl.DataFrame] = []
    async with FakeCircleCI(world) as fake:
        for name, concurrency in (("one", 1), ("many", 32)):
            await harvest(fake, tmp_path / name, concurrency=concurrency)
            catalog = await ca.harvest_catalog(tmp_path / name)
            keys = [
                (row["project"], row["pipeline"], row["workflow"], row["number"], row["path"]) for row in catalog.rows()
            ]
            assert len(keys) == 48
            assert keys == sorted(keys)
            catalog.write_parquet(tmp_path / f"{name}.parquet")
            catalog.write_csv(tmp_path / f"{name}.csv")
            found.append(pl.read_parquet(tmp_path / f"{name}.parquet").drop("location", "fetched_at"))
            lines = (tmp_path / f"{name}.csv").read_text().splitlines()
            assert [row["pipeline"] for row in csv.DictReader(lines)][-1] == "12"
    assert found[0].equals(found[1])


async def test_a_catalog_is_read_while_a_harvest_is_running(into: Path) -> None:
    make_ledger(into, 3)
    catalog = await ca.harvest_catalog(into)
    assert len(catalog) == 3
    reading = catalog.rows()
    next(reading)
    changed(into, "UPDATE artifacts SET state = 'failed' WHERE id = 2")
    assert len(list(reading)) == 2
    assert len(catalog) == len(list(catalog)) == 2


async def test_only_finished_files_are_in_the_catalog(into: Path) -> None:
    make_ledger(into, 8)
    for number, state in enumerate(("listed", "found", "fetched", "failed", "gone", "pruning", "pruned"), 1):
        changed(into, "UPDATE artifacts SET state = ? WHERE id = ?", state, number)
    assert [row["target"] for row in (await ca.harvest_catalog(into)).rows()] == ["out/7"]


async def test_reading_changes_nothing(into: Path, tmp_path: Path) -> None:
    make_ledger(into, 20)
    before = {path.name: path.read_bytes() for path in into.iterdir()}
    catalog = await ca.harvest_catalog(into)
    catalog.write_csv(tmp_path / "a.csv")
    catalog.write_parquet(tmp_path / "a.parquet")
    assert {path.name: path.read_bytes() for path in into.iterdir() if path.name in before} == before


# Types and values


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_survives_in_every_format(text: str, into: Path, tmp_path: Path) -> None:
    make_ledger(into, 3, text=text)
    catalog = await ca.harvest_catalog(into)
    expected = list(catalog.rows())
    assert {row[name] for row in expected for name in ("branch", "workflow", "job", "etag", "url")} == {text}

    assert catalog.write_parquet(tmp_path / "a.parquet") == 3
    assert catalog.write_csv(tmp_path / "a.csv") == 3

    assert catalog.frame().to_dicts() == expected
    assert pl.read_parquet(tmp_path / "a.parquet").to_dicts() == expected
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as lines:
        assert list(csv.DictReader(lines)) == [
            {
                name: "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
                for name, value in row.items()
            }
            for row in expected
        ]
    with duckdb.connect() as sql:
        for file in ("a.parquet", "a.csv"):
            query = f"SELECT branch, workflow, etag, path FROM '{tmp_path / file}' ORDER BY number"
            assert sql.execute(query).fetchall() == [(text, text, text, f"{text}{n}") for n in range(3)]


@pytest.mark.parametrize("count", [0, 1])
async def test_columns_have_their_types_also_without_rows_and_with_nulls(
    count: int, into: Path, tmp_path: Path
) -> None:
    make_ledger(into, count)
    changed(into, "DELETE FROM pipelines")
    changed(into, "UPDATE artifacts SET etag = NULL")
    catalog = await ca.harvest_catalog(into)

    assert catalog.write_parquet(tmp_path / "a.parquet") == len(catalog) == count

    written = pl.read_parquet(tmp_path / "a.parquet")
    assert dict(written.schema) == dict(catalog.frame().schema) == TYPES
    assert catalog.write_csv(stream := StringIO()) == count
    assert stream.getvalue().split("\n")[0] == ",".join(COLUMNS)
    with duckdb.connect() as sql:
        query = f"SELECT column_name, column_type FROM (DESCRIBE FROM '{tmp_path / 'a.parquet'}')"
        described = dict(sql.execute(query).fetchall())
    assert list(described) == COLUMNS
    assert (described["size"], described["created_at"]) == ("BIGINT", "TIMESTAMP WITH TIME ZONE")
    for row in written.to_dicts():
        unknown = ["branch", "created_at", "etag", "pipeline_id", "revision", "tag"]
        assert sorted(name for name, value in row.items() if value is None) == unknown


async def test_a_ledger_of_the_first_edition_has_nulls(into: Path) -> None:
    into.mkdir()
    with closing(sqlite3.connect(into / ".harvest.sqlite")) as sql:
        sql.executescript(Path(__file__).with_name("first_edition.sql").read_text())
    catalog = await ca.harvest_catalog(into)
    assert len(catalog) > 0
    assert {(row["branch"], row["pipeline_id"], row["created_at"]) for row in catalog.rows()} == {(None, None, None)}
    assert catalog.frame()["fetched_at"].dtype == UTC_TIME


async def test_times_are_in_utc_and_a_wrong_one_is_a_ledger_error(into: Path) -> None:
    make_ledger(into, 1)
    changed(into, "UPDATE artifacts SET finished = '2026-11-02T11:00:00+02:00'")
    [row] = (await ca.harvest_catalog(into)).rows()
    assert row["fetched_at"].isoformat() == "2026-11-02T09:00:00+00:00"
    for wrong in ("2026-13-45", "2026-11-02T11:00:00", "0001-01-01T00:00:00+23:59"):
        changed(into, "UPDATE artifacts SET finished = ?", wrong)
        catalog = await ca.harvest_catalog(into)
        with pytest.raises(ca.LedgerError, match="is damaged"):
            list(catalog.rows())
        with pytest.raises(ca.LedgerError, match="is damaged"):
            catalog.write_parquet(into.parent / "a")
    assert not (into.parent / "a").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
async def test_a_folder_whose_name_is_not_unicode(tmp_path: Path) -> None:
    into = tmp_path / os.fsdecode(b"out-\xff")
    make_ledger(into, 1)
    catalog = await ca.harvest_catalog(into)
    catalog.write_csv(tmp_path / "a.csv")
    catalog.write_parquet(tmp_path / "a.parquet")
    assert catalog.frame()["location"].to_list() == [f"{tmp_path}/out-\\udcff/out/0"]


# Files


async def test_an_existing_file_is_replaced(into: Path, folder: Path) -> None:
    make_ledger(into, 2)
    for name in ("a.csv", "a.parquet"):
        (folder / name).write_bytes(b"old" * 10_000)
    catalog = await ca.harvest_catalog(str(into))
    catalog.write_csv(str(folder / "a.csv"))
    catalog.write_parquet(str(folder / "a.parquet"))
    assert len((folder / "a.csv").read_text().splitlines()) == 3
    assert pl.read_parquet(folder / "a.parquet").height == 2
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "a.parquet"]


@pytest.mark.parametrize("method", ["write_csv", "write_parquet"])
async def test_a_path_that_cannot_be_written_is_named(method: str, into: Path, folder: Path) -> None:
    make_ledger(into, 2)
    write = getattr(await ca.harvest_catalog(into), method)
    os.mkfifo(fifo := folder / "fifo")
    for path, problem in (
        (folder, "it is a folder: choose the path of a file"),
        (fifo, "it is not a regular file: choose the path of a file"),
        (folder / "absent" / "a", f"{folder / 'absent'}: no such file or directory"),
        (fifo / "a", f"{fifo}: not a directory"),
    ):
        with pytest.raises(ca.CircleCIError) as caught:
            write(path)
        assert str(caught.value) == f"path {path} cannot be written: {problem}"
    with pytest.raises(ca.InvalidArgument, match=r"path must be a path on this machine, got .* 's3://'"):
        write("s3://bucket/a")
    assert sorted(path.name for path in folder.iterdir()) == ["fifo"]


@pytest.mark.parametrize("method", ["write_csv", "write_parquet"])
async def test_a_full_disk_keeps_the_existing_file(method: str, into: Path, folder: Path) -> None:
    make_ledger(into, 2_000)
    catalog = await ca.harvest_catalog(into)
    file = folder / "a"
    file.write_bytes(b"old")
    with files_limited_to(4_096), pytest.raises(ca.CircleCIError) as caught:
        getattr(catalog, method)(file)
    assert str(caught.value) == f"path {file} cannot be written: file too large"
    assert file.read_bytes() == b"old"
    assert sorted(path.name for path in folder.iterdir()) == ["a"]


@pytest.mark.parametrize("name", ["out/0", "OUT/0", ".harvest.sqlite", ".harvest.lock", ".harvest.sqlite-wal"])
async def test_a_file_of_the_harvest_is_not_replaced(name: str, into: Path) -> None:
    make_ledger(into, 2)
    catalog = await ca.harvest_catalog(into)
    for write in (catalog.write_csv, catalog.write_parquet):
        with pytest.raises(ca.InvalidArgument, match=r"^path must not be a file of the harvest, got "):
            write(into / name)
    assert len(catalog) == 2
    catalog.write_csv(into / "catalog.csv")
    assert (into / "catalog.csv").exists()


async def test_without_the_extra_nothing_is_written(into: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_ledger(into, 2)
    catalog = await ca.harvest_catalog(into)
    monkeypatch.setitem(sys.modules, "polars", None)
    for read in (catalog.frame, lambda: catalog.write_parquet(folder / "absent" / "a.parquet")):
        with pytest.raises(ca.ConfigurationError, match=r"extra 'report'.*pip install 'circleci-async\[report\]'"):
            read()
    assert catalog.write_csv(folder / "a.csv") == 2
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv"]


PROGRAM = """
import asyncio, os, signal, sys
import circleci_async as ca
from circleci_async.harvest import catalog

into, path, method = sys.argv[1:]
found = asyncio.run(ca.harvest_catalog(into))
count, row = 0, catalog._row

def deadly(file):
    global count
    count += 1
    if count == 550:
        os.kill(os.getpid(), signal.SIGKILL)
    return row(file)

catalog._row, catalog.BATCH_SIZE = deadly, 50
getattr(found, method)(path)
"""


@pytest.mark.parametrize("method", ["write_csv", "write_parquet"])
async def test_a_kill_leaves_no_incomplete_file_and_the_next_write_cleans_up(
    method: str, into: Path, folder: Path
) -> None:
    make_ledger(into, 600)
    file = folder / "a.table"
    file.write_bytes(b"old")
    killed = subprocess.run([sys.executable, "-c", PROGRAM, into, file, method], check=False)
    assert killed.returncode == -9
    assert file.read_bytes() == b"old"
    assert len(list(folder.glob(".a.table.*.part"))) == 1

    assert getattr(await ca.harvest_catalog(into), method)(file) == 600

    assert sorted(path.name for path in folder.iterdir()) == ["a.table"]


@pytest.mark.parametrize("method", ["write_csv", "write_parquet"])
async def test_a_write_in_a_thread_is_interrupted(
    method: str, into: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_ledger(into, 20_000)
    catalog = await ca.harvest_catalog(into)
    began, convert = threading.Event(), catalogs._row

    def noted(file: ca.HarvestedFile) -> tuple[Any, ...]:
        if not began.is_set():
            began.set()
            assert catalog._interrupted.wait(20)
        return convert(file)

    monkeypatch.setattr(catalogs, "_row", noted)
    writing = asyncio.create_task(asyncio.to_thread(getattr(catalog, method), folder / "a"))
    assert await asyncio.to_thread(began.wait, 20)
    catalog.interrupt()
    with pytest.raises(ca.LedgerError, match="interrupted"):
        await writing
    with pytest.raises(ca.LedgerError, match="interrupted"):
        list(catalog)
    assert sorted(path.name for path in folder.iterdir()) == []


# Limits and failures


async def test_no_harvest_is_a_ledger_error(tmp_path: Path) -> None:
    for into in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ca.LedgerError, match="no harvest in"):
            await ca.harvest_catalog(into)
    with pytest.raises(ca.InvalidArgument, match=r"^into must be a folder, or a URL"):
        await ca.harvest_catalog("ftp://host/x")


MEASURED = """
import asyncio, json, sys
import circleci_async as ca
from circleci_async.harvest import catalog, parquet

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM:"))

catalog.BATCH_SIZE, parquet.ROWS_PER_GROUP = 200, 1_000
*folders, path = sys.argv[1:]
print(json.dumps([(asyncio.run(ca.harvest_catalog(into)).write_parquet(path), peak()) for into in folders]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    """With batches and groups of a twentieth of their size, so that fewer files show it."""
    sizes = (2_000, 20_000)
    for size in sizes:
        make_ledger(tmp_path / str(size), size, jobs=size // 100)
    command = [
        sys.executable,
        "-c",
        MEASURED,
        *(str(tmp_path / str(size)) for size in sizes),
        str(tmp_path / "a.parquet"),
    ]
    measured = subprocess.run(command, check=True, capture_output=True)
    (few, peak_of_few), (many, peak_of_many) = json.loads(measured.stdout)
    assert (few, many) == sizes
    assert peak_of_many - peak_of_few < 20  # it is 9, and 31 if all rows are kept


async def test_a_bucket_has_urls_as_locations(tmp_path: Path) -> None:
    async with FakeCircleCI(small_world(pipelines=1)) as fake, fake.client() as circle:
        report = await circle.harvest("gh/acme/api", "memory:///catalog", ledger=tmp_path / "ledger")
    catalog = await ca.harvest_catalog("memory:///catalog", ledger=tmp_path / "ledger")
    assert [row["location"] for row in catalog.rows()] == sorted(file.location for file in report.files)
    assert {row["location"] for row in catalog.rows()} == {f"memory:///catalog/{file.target}" for file in report.files}
    with pytest.raises(ca.InvalidArgument, match="path must not be a file of the harvest"):
        catalog.write_csv(tmp_path / "ledger" / ".harvest.sqlite")
    assert catalog.write_csv(tmp_path / "a.csv") == 8
