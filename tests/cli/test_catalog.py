"""`harvest catalog`."""

import csv
import json
import sys
from io import StringIO
from pathlib import Path

import polars as pl
import pytest

from circleci_async.harvest import catalog as catalogs
from circleci_async.testing import FakeCircleCI, World

from .conftest import Cli, signal_when

COLUMNS = (
    "project,branch,tag,revision,pipeline,pipeline_id,workflow,job,number,node,kind,path,target,location,size,sha256,"
    "etag,created_at,fetched_at,url"
)


@pytest.fixture
def into(cli: Cli, world: World, fake: FakeCircleCI, tmp_path: Path) -> Path:
    """A harvest of two files."""
    job = world.project("gh/acme/api").pipeline(branch='a "b", c').workflow("build").job("test")
    job.artifact("a.txt", b"a")
    job.artifact("b.txt", b"bb")
    assert cli("harvest", "run", "gh/acme/api", "--into", tmp_path / "out").code == 0
    fake.requests.clear()
    return tmp_path / "out"


def test_parquet(cli: Cli, into: Path, tmp_path: Path, fake: FakeCircleCI) -> None:
    file = tmp_path / "catalog.parquet"
    assert cli("harvest", "catalog", into, "--parquet", file) == (0, f"2 files in {file}\n", "")
    written = pl.read_parquet(file)
    assert written.columns == COLUMNS.split(",")
    assert written["size"].to_list() == [1, 2]
    assert fake.requests == []


def test_csv(cli: Cli, into: Path, tmp_path: Path) -> None:
    file = tmp_path / "catalog.csv"
    assert cli("harvest", "catalog", into, "--csv", file) == (0, f"2 files in {file}\n", "")
    printed = cli("harvest", "catalog", into, "--csv", "-")
    assert printed == (0, file.read_text(), "")
    assert printed.out.splitlines()[0] == COLUMNS
    assert [row["branch"] for row in csv.DictReader(StringIO(printed.out))] == ['a "b", c'] * 2


def test_json_lines(cli: Cli, into: Path) -> None:
    for arguments in (("harvest", "catalog", into, "--json"), ("--json", "harvest", "catalog", into)):
        code, out, err = cli(*arguments)
        assert (code, err) == (0, "")
        rows = [json.loads(line) for line in out.splitlines()]
        assert [",".join(row) for row in rows] == [COLUMNS] * 2
        assert [(row["path"], row["size"], row["tag"], row["pipeline"]) for row in rows] == [
            ("a.txt", 1, None, 1),
            ("b.txt", 2, None, 1),
        ]


@pytest.mark.parametrize(
    "options",
    [(), ("--csv", "a", "--json"), ("--csv", "a", "--parquet", "b"), ("--parquet", "b", "--json"), ("--parquet", "-")],
)
def test_exactly_one_format_is_needed(cli: Cli, options: tuple[str, ...], tmp_path: Path) -> None:
    code, out, err = cli("harvest", "catalog", tmp_path / "absent", *options)
    assert (code, out) == (2, "")
    assert err == (
        "error: the format must be one of --parquet FILE, --csv FILE and --json [hint: --csv - and --json print to"
        " stdout]\n"
    )


@pytest.mark.parametrize("option", ["--csv", "--parquet"])
def test_errors_name_the_option(cli: Cli, into: Path, option: str, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    for file, code, message in (
        (tmp_path, 1, f"{option} {tmp_path} cannot be written: it is a folder: choose the path of a file"),
        (absent / "a", 1, f"{option} {absent / 'a'} cannot be written: {absent}: no such file or directory"),
        (
            into / ".harvest.sqlite",
            2,
            f"{option} must not be a file of the harvest, got '{into}/.harvest.sqlite': choose another path",
        ),
    ):
        assert cli("harvest", "catalog", into, option, file) == (code, "", f"error: {message}\n")
    code, out, err = cli("harvest", "catalog", into, option, "s3://bucket/a")
    assert (code, out) == (2, "")
    assert f"invalid value for '{option}': must be a path on this machine" in err


def test_no_harvest(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli("harvest", "catalog", tmp_path, "--csv", tmp_path / "a.csv")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: no harvest in {tmp_path}: ")
    assert not (tmp_path / "a.csv").exists()


def test_a_missing_extra_is_named_before_anything_is_written(
    cli: Cli, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    code, out, err = cli("harvest", "catalog", into, "--parquet", tmp_path / "a")
    assert (code, out) == (1, "")
    assert "pip install 'circleci-async[report]'" in err
    assert not list(tmp_path.glob("*a*"))


def test_ctrl_c_leaves_nothing(cli: Cli, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert = catalogs.HarvestCatalog._rows
    began: list[bool] = []

    def endless(self: catalogs.HarvestCatalog) -> object:
        began.append(True)
        while True:
            yield from convert(self)

    monkeypatch.setattr(catalogs.HarvestCatalog, "_rows", endless)
    with signal_when(lambda: began):
        assert cli("harvest", "catalog", into, "--csv", tmp_path / "a").code == 130
    assert not list(tmp_path.glob("*a*"))
