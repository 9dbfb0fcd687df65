"""Partial files."""

import hashlib
from pathlib import Path

import pytest

from circleci_async.downloads.part_file import PartFile


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != "home"]


def test_a_file_appears_under_its_name_only_when_it_is_committed(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    part = PartFile(target)
    part.write([b"new ", b"", b"bytes"])
    assert target.read_bytes() == b"old"
    [partial] = [name for name in names(tmp_path) if name != "a.txt"]
    assert partial.startswith(".a.txt.")
    assert partial.endswith(".part")
    assert part.commit() == hashlib.sha256(b"new bytes").hexdigest()
    part.discard()
    assert (target.read_bytes(), part.size, names(tmp_path)) == (b"new bytes", 9, ["a.txt"])


def test_discarding_deletes_the_partial_file_and_keeps_the_target(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    part = PartFile(target)
    part.write([b"new"])
    part.discard()
    part.discard()
    assert (target.read_bytes(), names(tmp_path)) == (b"old", ["a.txt"])


def test_starting_over_resets_length_bytes_and_hash(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "a")
    part.write([b"a long beginning"])
    part.start_over()
    part.write([b"short"])
    assert part.size == 5
    assert part.commit() == hashlib.sha256(b"short").hexdigest()
    assert (tmp_path / "a").read_bytes() == b"short"


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, "🎉" * 63 + "abc"])
def test_the_longest_names_leave_room_for_a_temporary_one(name: str, tmp_path: Path) -> None:
    part = PartFile(tmp_path / name)
    part.commit()
    assert names(tmp_path) == [name]


def test_two_partial_files_of_one_target_are_separate(tmp_path: Path) -> None:
    one, other = PartFile(tmp_path / "a"), PartFile(tmp_path / "a")
    one.write([b"one"])
    other.write([b"other"])
    one.commit()
    other.discard()
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"one", ["a"])
