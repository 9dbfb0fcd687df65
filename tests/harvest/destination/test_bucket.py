"""`Bucket` reads and writes objects of moto's S3 and of obstore's memory store."""

import io
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import circleci_async as ca
from circleci_async.downloads.destination import checked_parts
from circleci_async.harvest.destination.bucket import (
    MAX_KEY,
    MAX_METADATA,
    PART_SIZE,
    Bucket,
)
from circleci_async.harvest.destination.stores import open_bucket
from tests.downloads.file_server import random_bytes
from tests.s3.proxy import FaultProxy
from tests.s3.server import TestBucket

MIB = 1024 * 1024


@pytest.fixture(params=["s3", "memory"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """Return a bucket with a prefix, of each kind of store."""
    if request.param == "memory":
        return open_bucket("into", f"memory://{uuid4().hex}/acme")
    s3: TestBucket = request.getfixturevalue("s3")
    return s3.open("acme")


@pytest.mark.parametrize("size", [0, 1, PART_SIZE, 20 * MIB])
@pytest.mark.parametrize("as_file", [False, True])
def test_put_objects_are_read_in_pieces(bucket: Bucket, size: int, as_file: bool) -> None:
    content = random_bytes(size, size)
    metadata = {"sha256": "ab12", "path": "b%C3%BCild/a%20b"}
    etag = bucket.put("a/b.txt", io.BytesIO(content) if as_file else content, metadata)

    found = bucket.head("a/b.txt")
    assert found is not None
    assert (found.key, found.size, found.etag) == ("a/b.txt", size, etag)
    assert found.modified_at.tzinfo is not None
    described = bucket.metadata("a/b.txt")
    assert described is not None
    assert described[0] == found
    assert described[1].items() >= metadata.items()
    pieces = list(bucket.pieces("a/b.txt"))
    assert b"".join(pieces) == content
    assert [len(piece) for piece in pieces] == [min(PART_SIZE, size - begin) for begin in range(0, size, PART_SIZE)]
    assert list(bucket.list()) == [found]


def test_only_large_objects_are_uploaded_in_parts(s3: TestBucket, s3_proxy: FaultProxy, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(random_bytes(PART_SIZE * 2 + 1))
    bucket = s3.open("acme")
    bucket.put("small", bytes(PART_SIZE - 1), {"sha256": "a"})
    with path.open("rb") as file:
        bucket.put("large", file, {"sha256": "b"})

    assert s3_proxy.count("PUT", "acme/small") == 1
    sizes = {request.query.get("partNumber"): request.size for request in s3_proxy.requests if request.method == "PUT"}
    assert sizes == {None: PART_SIZE - 1, "1": PART_SIZE, "2": PART_SIZE, "3": 1}
    assert s3.files("acme/") == {"large": path.read_bytes(), "small": bytes(PART_SIZE - 1)}
    assert (s3.metadata("acme/small"), s3.metadata("acme/large")) == ({"sha256": "a"}, {"sha256": "b"})
    assert s3.unfinished_uploads() == []


def test_objects_that_do_not_exist(bucket: Bucket) -> None:
    assert bucket.head("none") is None
    assert bucket.metadata("none") is None
    assert bucket.read("none", max_bytes=1) is None
    assert bucket.replace("none", b"x", '"0"') is None
    assert list(bucket.list()) == list(bucket.list("none")) == []
    with pytest.raises(ca.StoreError, match=r"^cannot read .*/none: it does not exist$"):
        list(bucket.pieces("none"))
    bucket.delete(["none"])
    bucket.delete([])


def test_create_keeps_an_object_that_exists(bucket: Bucket) -> None:
    etag = bucket.create("lease", b"first")
    assert etag is not None
    assert bucket.create("lease", b"other") is None
    assert bucket.create("lease", b"first") == etag, "the same content counts as written"
    found = bucket.read("lease", max_bytes=5)
    assert found is not None
    assert (found[0], found[1].etag) == (b"first", etag)


def test_replace_requires_the_etag(bucket: Bucket) -> None:
    first = bucket.put("manifest", b"1")
    assert first is not None
    second = bucket.replace("manifest", b"2", first)
    assert second not in {None, first}
    assert bucket.replace("manifest", b"3", first) is None
    assert bucket.read("manifest", max_bytes=1) == (b"2", bucket.head("manifest"))


def test_read_refuses_large_objects(bucket: Bucket) -> None:
    bucket.put("a", b"12345")
    with pytest.raises(ca.StoreError, match=r"/a has more than 4 bytes"):
        bucket.read("a", max_bytes=4)


def test_list_and_delete(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circleci_async.harvest.destination.bucket.DELETE_SIZE", 3)
    names = sorted(f"{folder}/{number}" for folder in ("a", "ab", "a/b") for number in range(4))
    for name in names:
        bucket.put(name, b"x")
    assert [found.key for found in bucket.list()] == names
    assert [found.key for found in bucket.list("a")] == [name for name in names if name.startswith("a/")]
    bucket.delete(name for name in names if not name.startswith("ab/"))
    assert [found.key for found in bucket.list()] == [name for name in names if name.startswith("ab/")]


def test_an_object_that_changes_while_it_is_read(bucket: Bucket) -> None:
    bucket.put("a", bytes(PART_SIZE + 1))
    pieces = bucket.pieces("a")
    next(pieces)
    bucket.put("a", b"1" * (PART_SIZE + 1))
    with pytest.raises(ca.StoreError, match=r"^cannot read .*/a: "):
        next(pieces)


# --- names ---

_characters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\:")
_names = st.text(_characters, min_size=1, max_size=20)
_paths = st.lists(_names, min_size=1, max_size=3).map("/".join)


def _is_valid(path: str) -> bool:
    try:
        checked_parts(path)
    except ca.UnsafePath:
        return False
    return True


@pytest.mark.parametrize("scheme", ["s3", "memory"])
def test_names_of_artifacts_are_listed_unchanged(scheme: str, request: pytest.FixtureRequest) -> None:
    s3: TestBucket | None = request.getfixturevalue("s3") if scheme == "s3" else None
    whole = s3.open("") if s3 else open_bucket("into", f"memory://{uuid4().hex}")

    @settings(max_examples=100 if s3 is None else 15)
    @given(st.lists(_paths.filter(_is_valid), min_size=1, max_size=10))
    def check(paths: list[str]) -> None:
        bucket = s3.open("acme") if s3 else whole
        prefix = uuid4().hex
        keys = {f"{prefix}/{number}/{path}" for number, path in enumerate(paths)}
        for key in keys:
            bucket.put(key, b"x")
        assert {found.key for found in bucket.list(prefix)} == keys
        assert all(bucket.head(key) for key in keys)
        if s3 is not None:
            assert set(s3.keys(f"acme/{prefix}/")) == {key.removeprefix(f"{prefix}/") for key in keys}
        bucket.delete(keys)
        assert list(bucket.list(prefix)) == []

    check()


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "ü/é",
        "a+b",
        "a%20b",
        "a%2Fb",
        "%zz",
        "a#b?c",
        "x=y&z",
        "'\"<>",
        "a.",
        "...a",
        "~^`{}[]|*",
        "a/ b",
        "😀",
        "ab:c",
    ],
)
def test_special_characters_of_names(bucket: Bucket, name: str) -> None:
    bucket.put(name, b"1")
    assert bucket.create(name, b"2") is None
    assert bucket.read(name, max_bytes=1) == (b"1", bucket.head(name))
    assert [found.key for found in bucket.list()] == [name]
    bucket.delete([name])
    assert list(bucket.list()) == []


def test_names_that_are_too_long(s3: TestBucket) -> None:
    bucket = s3.open("acme")  # the prefix counts
    allowed = "ü" * ((MAX_KEY - 6) // 2) + "x"
    bucket.put(allowed, b"x")
    assert s3.keys() == [f"acme/{allowed}"]
    for write in (bucket.put, bucket.create):
        with pytest.raises(ca.StoreError, match=r"its name has 1,025 bytes, more than the 1,024 that stores allow$"):
            write(allowed + "x", b"x")


@pytest.mark.parametrize("name", ["a\x00b", "a\x7fb", "a//b", "../a", "./a", "\ud800"])
def test_invalid_names_are_refused(bucket: Bucket, name: str) -> None:
    with pytest.raises(ca.StoreError, match=r"^cannot write ") as caught:
        bucket.put(name, b"x")
    assert str(caught.value).isprintable()
    assert list(bucket.list()) == []


# --- metadata ---


@pytest.mark.parametrize(
    "metadata",
    [
        {"path": "ü"},
        {"path": "a\nb"},
        {"path": "a\x00"},
        {"path": "a\tb"},
        {"path": " a"},
        {"path": "a "},
        {"path": ""},
        {"Path": "a"},
        {"a b": "a"},
        {"a-b": "a"},
        {"": "a"},
    ],
)
def test_metadata_that_stores_change_or_refuse(bucket: Bucket, metadata: dict[str, str]) -> None:
    with pytest.raises(ca.StoreError, match=r"^cannot write .*/a: its metadata '") as caught:
        bucket.put("a", b"x", metadata)
    assert str(caught.value).isprintable()
    assert bucket.head("a") is None


def test_metadata_that_is_too_large(bucket: Bucket) -> None:
    bucket.put("a", b"x", {"path": "a" * (MAX_METADATA - 4)})
    with pytest.raises(ca.StoreError, match=r"its metadata has 2,049 bytes, more than the 2,048 that S3 allows$"):
        bucket.put("b", b"x", {"path": "a" * (MAX_METADATA - 3)})


# --- URLs ---


def test_a_memory_url_is_the_same_bucket_in_the_process() -> None:
    url = f"memory://{uuid4().hex}"
    open_bucket("into", url).put("a", b"1")
    assert open_bucket("into", f"{url}/").read("a", max_bytes=1) is not None
    assert list(open_bucket("into", f"{url}2").list()) == []


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s4://bucket/x", "bucket/x"])
def test_a_url_that_names_no_bucket(url: str) -> None:
    with pytest.raises(
        ca.InvalidArgument, match=r"^into must be the URL of a bucket, such as 's3://bucket/prefix', got '.*'$"
    ):
        open_bucket("into", url)


@pytest.mark.parametrize("url", ["s3://me:s3cret@bucket/x", "az://account/x?sig=s3cret", "s3://bucket/x#s3cret"])
def test_a_url_with_credentials_is_refused_without_showing_them(url: str) -> None:
    with pytest.raises(ca.InvalidArgument, match=r"^into must be the URL of a bucket without a password") as caught:
        open_bucket("into", url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_credentials_with_a_line_break(s3: TestBucket, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret\n")
    with pytest.raises(ca.ConfigurationError, match=f"^{name} contains a space, a line break or") as caught:
        s3.open()
    assert "s3cret" not in str(caught.value)


def test_settings_that_are_missing_or_invalid(s3: TestBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ca.ConfigurationError, match=r"^into 'az://x/y' cannot be opened: .*Account must be specified"):
        open_bucket("into", "az://x/y")
    monkeypatch.setenv("AWS_TIMEOUT", "soon")
    with pytest.raises(ca.ConfigurationError, match=r'cannot be opened: failed to parse "soon" as Duration'):
        s3.open()
    monkeypatch.delenv("AWS_TIMEOUT")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ca.ConfigurationError, match=r"cannot be opened: Missing SecretAccessKey: set it in"):
        s3.open()


def test_a_url_with_a_prefix_that_needs_quotes(s3: TestBucket) -> None:
    s3.open("a b/ü").put("x", b"1")
    assert s3.keys() == ["a b/ü/x"]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ca.ConfigurationError) as caught:
        open_bucket("into", "s3://bucket/x")
    assert str(caught.value) == (
        "into 's3://bucket/x' needs the extra 'store': install it with `pip install 'circleci-async[store]'`"
    )
