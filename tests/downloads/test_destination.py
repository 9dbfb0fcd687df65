"""Paths of artifacts: never outside of the destination, never the same twice."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import circleci_async as ca
from circleci_async.downloads import destination
from circleci_async.downloads.destination import Destination, checked_parts
from circleci_async.models import Artifact


def artifact(path: str, node: int = 0) -> Artifact:
    return Artifact(path=path, node_index=node, url="https://output.circle-artifacts.com/x")


def placed(root: Path, *paths: str | tuple[str, int]) -> list[str]:
    """Place these artifacts in turn, write each file, and return its path."""
    there = Destination(root)
    places: list[str] = []
    for path in paths:
        file = there.place(artifact(path) if isinstance(path, str) else artifact(*path))
        file.write_bytes(b"x")
        places.append(file.relative_to(root).as_posix())
    return places


HOSTILE = {
    "empty": "",
    "dot": ".",
    "dot dot": "..",
    "dot dot first": "../secret",
    "dot dot inside": "a/../../secret",
    "dot dot that stays inside": "a/../b",
    "dot dot last": "a/..",
    "dot inside": "a/./b",
    "absolute": "/etc/passwd",
    "two slashes first": "//host/share/x",
    "empty name inside": "a//b",
    "slash last": "a/",
    "backslash": "..\\secret",
    "backslash inside": "a/..\\..\\secret",
    "backslash absolute": "\\\\host\\share",
    "drive": "C:/Windows/x",
    "drive without a slash": "c:x",
    "drive inside": "a/C:/x",
    "NUL": "a\0b",
    "newline": "a\nb",
    "carriage return": "a\rb",
    "escape": "a\x1b[2Jb",
    "delete": "a\x7fb",
    "next line of C1": "a\x85b",
    "half of a surrogate pair": "a\ud800b",
    "300 bytes": "a" * 300,
    "256 bytes of 128 characters": "ä" * 128,
    "spaces behind dots": "a/.. /.. /b",
    "space": "a/ /b",
}


@pytest.mark.parametrize("path", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_path_is_refused_and_nothing_is_created(path: str, tmp_path: Path) -> None:
    root = tmp_path / "out"
    with pytest.raises(ca.UnsafePath, match="refused") as caught:
        Destination(root).place(artifact(path))
    assert not root.exists()
    str(caught.value).encode()  # can be shown
    assert not any(c in str(caught.value) for c in "\0\n\r\x1b")


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a/b/c.txt",
        ".coverage",
        ".hidden/x",
        "...",
        "..a",
        "a..",
        "a b",
        "ä/ö.txt",
        "~root",
        "$HOME",
        "%2e%2e",
        "a%2Fb",
        "*?[]",
        "-rf",
        "12:30:59.log",
        "a" * 255,
        "🎉.png",
        "x/" * 100 + "deep",
    ],
)
def test_an_unusual_but_harmless_path_is_kept(path: str, tmp_path: Path) -> None:
    assert Destination(tmp_path).place(artifact(path)) == tmp_path / path
    assert (tmp_path / path).parent.is_dir()


@given(path=st.text(st.characters(exclude_categories=[])) | st.text("./\\ :aAC\0\n~", max_size=12))
def test_any_path_is_refused_or_stays_inside(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "out"
        try:
            place = Destination(root).place(artifact(path))
        except ca.DownloadError:
            return
        assert place.parent.resolve().is_relative_to(root.resolve())
        assert os.path.normpath(place) == str(place)
        assert "/".join(checked_parts(path)) == path


def test_node_zero_uses_the_root_and_each_other_node_a_folder(tmp_path: Path) -> None:
    assert placed(tmp_path, ("log.txt", 0), ("log.txt", 1), ("a/b", 12)) == ["log.txt", "node-1/log.txt", "node-12/a/b"]


def test_a_path_equal_to_the_folder_of_a_node_does_not_collide_with_it(tmp_path: Path) -> None:
    assert placed(tmp_path, "node-1/log.txt", ("log.txt", 1)) == ["node-1/log.txt", "node-1/log~2.txt"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Report.txt", "report.TXT"),
        ("caf\u00e9.txt", "cafe\u0301.txt"),  # one character, or two
        ("STRASSE", "straße"),
        ("\u03aa\u0301", "\u0390"),  # upper and lower case of one Greek letter
        ("\u1fb3\u0323", "\u03b1\u0323\u0345"),  # one letter with two marks, in two orders
        ("same.txt", "same.txt"),
    ],
)
def test_names_that_a_file_system_may_treat_as_equal_get_two_paths(one: str, other: str, tmp_path: Path) -> None:
    first, second = placed(tmp_path, one, other)
    assert first == one
    stem, _, suffix = other.partition(".")
    assert second == f"{stem}~2{'.' if suffix else ''}{suffix}"


def test_folders_that_differ_by_case_are_kept_apart(tmp_path: Path) -> None:
    assert placed(tmp_path, "Logs/x", "logs/x", "LOGS/x") == ["Logs/x", "logs~2/x", "LOGS~3/x"]
    assert placed(tmp_path, "Logs/x", "Logs/X") == ["Logs/x", "Logs/X~2"]


def test_the_number_precedes_the_suffix_and_follows_a_leading_dot(tmp_path: Path) -> None:
    assert placed(tmp_path, *["a.tar.gz"] * 3, *[".env"] * 2, *["Makefile"] * 2) == (
        ["a.tar.gz", "a~2.tar.gz", "a~3.tar.gz", ".env", ".env~2", "Makefile", "Makefile~2"]
    )


def test_a_number_is_not_used_twice(tmp_path: Path) -> None:
    assert placed(tmp_path, "a~2.txt", "a.txt", "a.txt") == ["a~2.txt", "a.txt", "a~3.txt"]


def test_a_file_and_a_folder_of_one_name_get_two_paths(tmp_path: Path) -> None:
    assert placed(tmp_path / "1", "a", "a/b") == ["a", "a~2/b"]
    assert placed(tmp_path / "2", "a/b", "a") == ["a/b", "a~2"]


def test_a_claimed_path_is_kept_before_its_file_exists(tmp_path: Path) -> None:
    destination = Destination(tmp_path)
    assert destination.place(artifact("a")) == tmp_path / "a"
    assert destination.place(artifact("a/b")) == tmp_path / "a~2" / "b"
    assert destination.place(artifact("A")) == tmp_path / "A~3"


def test_a_second_run_gets_the_paths_of_the_first(tmp_path: Path) -> None:
    paths = ["Report.txt", "report.txt", "Logs/x", "logs/x", "a", "a/b"]
    first = placed(tmp_path, *paths)
    assert placed(tmp_path, *paths) == first
    assert len(set(first)) == len(paths)


def test_an_existing_name_that_differs_by_case_is_not_reused(tmp_path: Path) -> None:
    (tmp_path / "README").write_bytes(b"mine")
    assert placed(tmp_path, "readme") == ["readme~2"]
    assert (tmp_path / "README").read_bytes() == b"mine"


def test_a_folder_under_the_name_of_a_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_bytes(b"mine")
    assert placed(tmp_path, "a", "b/c") == ["a~2", "b~2/c"]
    assert (tmp_path / "b").read_bytes() == b"mine"


def test_a_link_to_a_folder_outside_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "out"
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "sub").mkdir()
    (root / "sub" / "up").symlink_to("../..")
    for path in ("link/x", "sub/up/x", "link/deep/x"):
        with pytest.raises(ca.UnsafePath, match="outside of"):
            Destination(root).place(artifact(path))
    assert list(outside.iterdir()) == []


def test_a_link_to_a_folder_inside_is_followed_and_shares_its_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "real").mkdir(parents=True)
    (tmp_path / "out" / "link").symlink_to("real")
    (tmp_path / "out" / "self").symlink_to(".")
    assert placed(Path("out"), "real/x", "link/x", "self/real/x") == ["real/x", "real/x~2", "real/x~3"]


def test_a_link_to_a_file_is_replaced_and_one_to_a_folder_kept(tmp_path: Path) -> None:
    root = tmp_path / "out"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "file").symlink_to("/nowhere")
    (root / "folder").symlink_to(tmp_path / "outside")
    destination = Destination(root)
    assert destination.place(artifact("file")) == root / "file"  # `download` renames over the link itself
    assert destination.place(artifact("folder")) == root / "folder~2"


@pytest.mark.parametrize("link", ["loop", "nowhere"])
def test_a_broken_link_is_not_a_folder(link: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("missing")
    assert placed(tmp_path, f"{link}/x") == [f"{link}~2/x"]


def test_the_destination_can_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    root = tmp_path / "out"
    root.symlink_to("real")
    assert placed(root, "a/b") == ["a/b"]


def test_a_destination_that_is_a_file_is_an_error_that_names_artifact_and_destination(tmp_path: Path) -> None:
    root = tmp_path / "out"
    root.write_bytes(b"mine")
    with pytest.raises(ca.DownloadError, match=r"a/b\.txt: cannot be placed in .*out") as caught:
        Destination(root).place(artifact("a/b.txt"))
    assert not isinstance(caught.value, ca.UnsafePath)
    assert root.read_bytes() == b"mine"


def test_a_path_too_long_for_the_system_is_a_download_error(tmp_path: Path) -> None:
    with pytest.raises(ca.DownloadError, match="cannot be placed"):
        Destination(tmp_path).place(artifact("/".join(["d" * 200] * 30)))


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are compared, in order."""
    names: list[str] = []
    original = destination.fold

    def counting(name: str) -> str:
        names.append(name)
        return original(name)

    monkeypatch.setattr(destination, "fold", counting)
    return names


@pytest.mark.parametrize("variants", [False, True], ids=["equal", "in different cases"])
def test_equal_names_are_numbered_in_linear_time(tmp_path: Path, folded: list[str], variants: bool) -> None:
    count = 512
    letters = "reportxml"
    names = [
        "".join(letter.upper() if variants and number >> bit & 1 else letter for bit, letter in enumerate(letters))
        for number in range(count)
    ]
    there = Destination(tmp_path)
    for expected in (names[0], *(f"{name}~{number}" for number, name in enumerate(names[1:], 2))):
        place = there.place(artifact(expected.partition("~")[0]))
        assert place.name == expected
        place.touch()
    assert len(folded) <= 4 * count
    again = Destination(tmp_path)
    assert [again.place(artifact(name)).name for name in names] == [
        names[0],
        *(f"{name}~{number}" for number, name in enumerate(names[1:], 2)),
    ]
    assert len(folded) <= 10 * count, "and when the files exist"


def test_equal_folder_names_are_numbered_in_linear_time(tmp_path: Path, folded: list[str]) -> None:
    """Each folder has the name of a file."""
    there = Destination(tmp_path)
    for number in range(300):
        there.place(artifact(f"d{number}"))
        assert there.place(artifact(f"d{number}/x")).parent.name == f"d{number}~2"
    assert len(folded) <= 2_000
