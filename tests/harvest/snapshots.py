"""Copies of a destination before each step that changes it: what a process that is killed there leaves."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from circleci_async.downloads.part_file import PartFile

STEPS = ("link", "mkdir", "replace", "rmdir", "unlink", "write")
"""The functions of `os` that change files, besides commits and the writes of `PartFile`."""


def call_before_steps(before: Callable[[str], object], patch: Callable[[Any, str, Any], object]) -> None:
    """Let each step that changes the disk call `before` with its name first. Steps run one at a time."""
    lock = threading.RLock()

    def recorded(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            with lock:
                before(name)
                return function(*args, **options)

        return call

    for name in STEPS:
        patch(os, name, recorded(getattr(os, name), name))
    patch(PartFile, "write", recorded(PartFile.write, "write"))
    connect = sqlite3.connect

    class Connection(sqlite3.Connection):
        changes = 0

        def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
            if statement != "COMMIT" or self.total_changes == self.changes:
                return super().execute(statement, *args)
            self.changes = self.total_changes
            cursor: sqlite3.Cursor = recorded(super().execute, "commit")(statement, *args)
            return cursor

    patch(sqlite3, "connect", lambda *args, **options: connect(*args, factory=Connection, **options))


class Snapshots:
    """Takes the copies while the patch is active. Each copy is consistent, since steps run one at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, into: Path, copies: Path) -> None:
        self.steps: list[str] = []
        self.copies: list[Path] = []
        self._into = into
        self._copies = copies
        self._is_copying = False
        call_before_steps(self._before, monkeypatch.setattr)

    def _before(self, name: str) -> None:
        if not self._is_copying:
            self._record(name)

    def _record(self, name: str) -> None:
        is_repeated = self.steps[-1:] == [name] == ["mkdir"]  # ignore an additional empty folder
        self.steps.append(name)
        if is_repeated or not self._into.exists():
            return
        copy = self._copies / f"{len(self.copies)}-{name}"
        self._is_copying = True
        try:
            shutil.copytree(self._into, copy)
        finally:
            self._is_copying = False
        self.copies.append(copy)
