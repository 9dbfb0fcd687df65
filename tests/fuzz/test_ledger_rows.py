"""A ledger with hostile rows, from an archive or a checkout, raises only `LedgerError`, and changes nothing outside."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from io import StringIO
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.harvest.destination.place import resolve
from circleci_async.harvest.ledger.schema import LEDGER_NAME
from circleci_async.harvest.report import files_of
from circleci_async.testing import FakeCircleCI
from tests.harvest.harvests import QUICK, small_world

EVERY = int(os.environ.get("FUZZ_EXAMPLES", "15")) > 15
"""Whether all values are tried, and not a few for each column."""

NUMBERS: tuple[str, ...] = (
    "9223372036854775807",
    "'x'",
    "NULL",
    "-1",
    "-9223372036854775808",
    "1.5",
    "9e999",
    "x'ff'",
)[: None if EVERY else 2]
TEXTS: tuple[str, ...] = (
    *("'../../escaped'", "CAST(x'ff' AS TEXT)", "x'ff'", "'2026-13-45'", "'done'"),
    *("NULL", "''", "'x'", "7", "'a' || char(0) || 'b'", "'/tmp/escaped'", "'['", "'[]'", "'{}'", "'null'", "'[null]'"),
    *(
        "'0001-01-01T00:00:00+23:59'",
        "'999999999999999999999999'",
        "'done'",
        "'found'",
        "'fetched'",
        "'gone'",
        "'whole'",
    ),
    *("'begun'", "'artifacts'", "'jobs'", "'pipelines'"),
)
TEXTS = TEXTS[: None if EVERY else 2]


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that two harvests left: of all, and of a job whose list failed."""
    into = tmp_path_factory.mktemp("harvest") / "out"

    async def harvest() -> None:
        async with FakeCircleCI(small_world(pipelines=1, jobs=2, artifacts=1, size=10)) as fake:
            fake.fail("*/2/artifacts", status=403, times=None)
            fake.fail("*logs/0.txt*", origin="storage", status=404, times=2)
            async with fake.client(retry=QUICK) as circle:
                await circle.harvest("gh/acme/api", into)
                await circle.harvest("gh/acme/api", into)

    asyncio.run(harvest())
    with closing(sqlite3.connect(into / LEDGER_NAME)) as sql:
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert all(sql.execute(f"SELECT count(*) FROM {table}").fetchone() != (0,) for table in columns_of(into))
    return into


def columns_of(into: Path) -> dict[str, dict[str, str]]:
    """Return the names and types of the columns of each table but the settings."""
    with closing(sqlite3.connect(into / LEDGER_NAME)) as sql:
        return {
            table: {name: kind for _, name, kind, *_ in sql.execute(f"PRAGMA table_info({table})")}
            for table in ("artifacts", "jobs", "listings", "runs")
        }


async def test_hostile_rows_raise_documented_errors(harvested: Path, tmp_path: Path) -> None:
    undocumented: dict[str, str] = {}
    count = 0
    for table, columns in columns_of(harvested).items():
        for column, kind in columns.items():
            for value in NUMBERS if kind == "INTEGER" else TEXTS:
                into = tmp_path / str(count) / "out"
                if not _copy(harvested, into, f"UPDATE OR IGNORE {table} SET {column} = {value}"):
                    continue
                count += 1
                try:
                    await _read(into)
                except Exception as error:  # noqa: BLE001  # the test fails with all of them
                    undocumented[f"{table}.{column} = {value}"] = repr(error)
                assert [each.name for each in into.parent.iterdir()] == ["out"]
                shutil.rmtree(into.parent)
    assert undocumented == {}
    assert count > 30


async def test_harvests_over_hostile_rows_raise_documented_errors(harvested: Path, tmp_path: Path) -> None:
    undocumented: dict[str, str] = {}
    changes = [
        *(f"listings SET detail = {value}" for value in TEXTS),
        *(f"artifacts SET target = {value}" for value in TEXTS),
        *(f"artifacts SET state = 'found', etag = {value}" for value in TEXTS),
        *(f"jobs SET listed = 'whole', name = {value}" for value in TEXTS),
        *(f"artifacts SET node = {value}" for value in NUMBERS),
        *(f"artifacts SET turn = {value}" for value in NUMBERS),
        *(f"runs SET selection = {value}" for value in TEXTS),
    ]
    world = small_world(pipelines=1, jobs=2, artifacts=1, size=10)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        for number, change in enumerate(changes):
            into = tmp_path / str(number) / "out"
            if not _copy(harvested, into, f"UPDATE OR IGNORE {change}"):
                continue
            try:
                with suppress(ca.LedgerError):
                    report = await circle.harvest("gh/acme/api", into)
                    assert isinstance(report.error, ca.CircleCIError | None)
                    assert len(list(report.failed)) == len(report.failed)
            except Exception as error:  # noqa: BLE001  # the test fails with all of them
                undocumented[change] = repr(error)
            assert [each.name for each in into.parent.iterdir()] == ["out"]
    assert undocumented == {}


def _copy(harvested: Path, into: Path, change: str) -> bool:
    """Copy the folder with a changed ledger; return whether its tables allow the change."""
    shutil.copytree(harvested, into)
    with closing(sqlite3.connect(into / LEDGER_NAME)) as sql:
        try:
            sql.execute(change)
        except sqlite3.IntegrityError:
            shutil.rmtree(into.parent)
            return False
        sql.commit()
    return True


async def _read(into: Path) -> None:
    """Read everything in a ledger that can be read without requests."""
    with suppress(ca.LedgerError):
        status = await ca.harvest_status(into)
        assert len(list(status.failures)) == len(status.failures)
    with suppress(ca.LedgerError):
        report = await ca.verify_harvest(into)
        assert report.differences >= 0
    with suppress(ca.LedgerError):
        list(files_of(resolve(into), 1, 10))
    with suppress(ca.LedgerError):
        catalog = await ca.harvest_catalog(into)
        assert catalog.frame().height == catalog.write_csv(StringIO()) == len(catalog)
