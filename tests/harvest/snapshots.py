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

STEPS = ("mkdir", "replace", "unlink", "write")
"""The functions of `os` that change files, besides commits and the writes of `PartFile`."""


class Snapshots:
    """Takes the copies while the patch is active. Steps run one at a time, so that each copy is consistent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, into: Path, copies: Path) -> None:
        self.steps: list[str] = []
        self.copies: list[Path] = []
        self._into = into
        self._copies = copies
        self._lock = threading.RLock()
        self._is_copying = False
        for name in STEPS:
            monkeypatch.setattr(os, name, self._recorded(getattr(os, name), name))
        monkeypatch.setattr(PartFile, "write", self._recorded(PartFile.write, "write"))
        monkeypatch.setattr(sqlite3, "connect", self._connect(sqlite3.connect))

    def _connect(self, connect: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
        recorded = self._recorded

        class Connection(sqlite3.Connection):
            changes = 0

            def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
                if statement != "COMMIT" or self.total_changes == self.changes:
                    return super().execute(statement, *args)
                self.changes = self.total_changes
                cursor: sqlite3.Cursor = recorded(super().execute, "commit")(statement, *args)
                return cursor

        return lambda *args, **options: connect(*args, factory=Connection, **options)

    def _recorded(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            with self._lock:
                if not self._is_copying:
                    self._record(name)
                return function(*args, **options)

        return call

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
