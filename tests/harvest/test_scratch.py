"""The working folder of a bucket."""

import sys
from pathlib import Path

import pytest

from circleci_async.harvest.destination.scratch import working_folder


def test_each_bucket_has_a_working_folder_in_the_cache_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = working_folder("s3://archive/acme")
    assert folder.parent == tmp_path / "circleci-async" / "harvest"
    assert folder == working_folder("s3://archive/acme") != working_folder("s3://archive/other")
    assert not folder.parent.exists()


@pytest.mark.parametrize(("platform", "cache"), [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "local")])
def test_the_cache_folder_is_that_of_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, cache: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the XDG specification ignores relative paths
    assert working_folder("s3://archive").parent == tmp_path / cache / "circleci-async" / "harvest"
