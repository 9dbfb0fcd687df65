"""The ledger's ends that the downloads hold. Plain blocking work: all of it happens in the ledger's one thread."""

import os
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from ..errors import DownloadError, InvalidArgument
from .layout import Layout
from .records import Fetched, Settled, Wanted
from .schema import DISK_IS_FULL
from .tree import Tree, checksum

_BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

COLUMNS = "artifacts.id, turn, tries, jobs.project, jobs.number, node, path, url, target, size, etag"
"""The fields of a `Wanted`."""


class Store:
    """The ledger of one run."""

    def __init__(self, connection: sqlite3.Connection, tree: Tree, *, dedupe: bool = False) -> None:
        self._sql = connection
        self._tree = tree
        self._dedupe = dedupe
        self._layout = Layout()
        self._selection = ""
        self.run = 0
        self.first_turn = 0
        self._turn = 0

    def begin(self, layout: Layout, projects: Iterable[str], selection: str) -> None:
        """Begin a run; bring ledger and tree together where an earlier one was killed."""
        self._layout = layout
        self._selection = selection
        with self._transaction():
            self._settle_layout(layout, {*projects})
            self.run = self._insert(
                "INSERT INTO runs (selection, began) VALUES (?, ?)", selection, datetime.now(UTC).isoformat()
            )
        (turn,) = self._sql.execute("SELECT coalesce(max(turn), 0) FROM artifacts").fetchone()
        self._turn = self.first_turn = turn
        if self._dedupe:
            self._sql.execute("CREATE INDEX IF NOT EXISTS contents ON artifacts (sha256) WHERE state = 'done'")
        self._tree.make()
        self._recover()

    def end(self) -> None:
        """Note that the run came to its end."""
        with self._transaction():
            self._sql.execute("UPDATE runs SET ended = ? WHERE id = ?", (datetime.now(UTC).isoformat(), self.run))

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._sql.execute("COMMIT")
        except BaseException:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise

    def _insert(self, statement: str, *values: object) -> int:
        return self._sql.execute(statement, values).lastrowid or 0

    def _settle_layout(self, layout: Layout, projects: set[str]) -> None:
        settings = dict(self._sql.execute("SELECT name, value FROM settings"))
        known = settings.setdefault("layout", layout.template)
        if known != layout.template:
            raise InvalidArgument(
                f"layout={layout.template!r}: files in {self._tree.root} are laid out as {known!r}; give that, or"
                " another destination"
            )
        if not layout.tells_projects_apart:
            projects |= {project for (project,) in self._sql.execute("SELECT DISTINCT project FROM jobs")}
            if len(projects) > 1:
                raise InvalidArgument(
                    f"layout={layout.template!r}: without {{project}} files of {', '.join(sorted(projects))} would"
                    " collide"
                )
        self._sql.execute("INSERT OR REPLACE INTO settings VALUES ('layout', ?)", (known,))

    # What stands in the folder of partial files after a harvest was killed.

    def _recover(self) -> None:
        for number, path in self._tree.parts():
            row = self._sql.execute(
                "SELECT state, target, size, sha256, etag FROM artifacts WHERE id = ?", (number,)
            ).fetchone()
            if row is None:
                os.unlink(path)
                continue
            state, target, size, digest, etag = row
            if state in {"done", "fetched"}:
                if checksum(path) != (size, digest):
                    os.unlink(path)
                elif target is not None:  # killed between the ledger's commit and the file's final name
                    with self._transaction():
                        self._sql.execute("UPDATE artifacts SET state = 'done' WHERE id = ?", (number,))
                    self._tree.settle(number, target)
            elif etag is None:
                os.unlink(path)

    # Fetching

    def take(self, after: int, limit: int) -> list[Wanted]:
        """Return the next artifacts to be fetched, of those that this run asked for."""
        rows = self._sql.execute(
            f"SELECT {COLUMNS} FROM artifacts JOIN jobs ON jobs.id = job"
            " WHERE state = 'found' AND turn > ? ORDER BY turn LIMIT ?",
            (after, limit),
        )
        return [Wanted(*row) for row in rows]

    def note_part(self, id: int, etag: str | None, size: int | None) -> None:
        """Note which version of an artifact its partial file holds, before there is one: so it can be resumed."""
        with self._transaction():
            self._sql.execute("UPDATE artifacts SET etag = ?, size = ? WHERE id = ?", (etag, size, id))

    def finish(self, batch: Sequence[Fetched]) -> list[Settled]:
        """Write what came, note it as done, and only then give the files their names."""
        settled: list[Settled] = []
        whole: list[Fetched] = []
        for each in batch:
            if each.content is None:
                whole.append(each)
                continue
            try:
                self._write(each.wanted.id, each.content)
            except OSError as error:
                settled.append(Settled(each.wanted, each.size, None, error))
                continue
            whole.append(each._replace(sha256=sha256(each.content).hexdigest()))
        try:
            self._note_done(whole)
        except sqlite3.Error:
            for each in whole:
                if each.content is not None:  # the others can be taken up, if they could before
                    self._remove_part(each.wanted.id)
            raise
        return settled + [self._settle(each.wanted, each.size, each.sha256) for each in whole]

    def _note_done(self, files: list[Fetched]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction():
            self._sql.executemany(
                "UPDATE artifacts SET state = CASE WHEN target IS NULL THEN 'fetched' ELSE 'done' END, size = ?,"
                " sha256 = ?, etag = ?, finished = ?, fetched_by = ?, error = NULL WHERE id = ?",
                [(each.size, each.sha256, each.etag, now, self.run, each.wanted.id) for each in files],
            )

    def _remove_part(self, id: int) -> None:
        with suppress(OSError):
            os.unlink(self._tree.part(id))

    def _write(self, id: int, content: bytes) -> None:
        try:
            file = os.open(self._tree.part(id), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o666)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(file, view) :]
            finally:
                os.close(file)
        except OSError:
            self._remove_part(id)
            raise

    def _settle(self, wanted: Wanted, size: int, digest: str) -> Settled:
        """Give a file its name, if it has a place already."""
        target = wanted.target
        if target is None:  # it may have got one meanwhile
            (target,) = self._sql.execute("SELECT target FROM artifacts WHERE id = ?", (wanted.id,)).fetchone()
        if target is None:
            return Settled(wanted, size, None)
        try:
            self._tree.settle(wanted.id, target, self._twin(wanted.id, size, digest) if self._dedupe else None)
        except (OSError, DownloadError) as error:
            self._unsettle(wanted, error)
            return Settled(wanted, size, None, error)
        return Settled(wanted, size, target)

    def _unsettle(self, wanted: Wanted, error: Exception) -> None:
        """Take back what the ledger says of a file that could not be given its name."""
        self._remove_part(wanted.id)
        with self._transaction():
            if isinstance(error, OSError) and error.errno in DISK_IS_FULL:
                self._sql.execute(
                    "UPDATE artifacts SET state = 'found', size = NULL, etag = NULL WHERE id = ?", (wanted.id,)
                )
            else:
                self._fail(wanted.id, error)

    def _twin(self, id: int, size: int, digest: str) -> str | None:
        rows = self._sql.execute(
            "SELECT target FROM artifacts WHERE sha256 = ? AND state = 'done' AND id != ?",
            (digest, id),
        )
        return next((target for (target,) in rows if self._tree.size(target) == size), None)

    def fail(self, wanted: Wanted, error: Exception) -> None:
        """Note that an artifact can't be had."""
        with self._transaction():
            self._fail(wanted.id, error)
            # The next run is to look whether it is still listed, and where.
            self._sql.execute(
                "UPDATE jobs SET listed = 'begun' WHERE id = (SELECT job FROM artifacts WHERE id = ?)", (wanted.id,)
            )

    def _fail(self, id: int, error: Exception) -> None:
        self._sql.execute(
            "UPDATE artifacts SET state = 'failed', run = ?, error = ? WHERE id = ?", (self.run, said(error), id)
        )

    def postpone(self, wanted: Wanted, error: Exception, *, charge: bool) -> None:
        """Leave an artifact for another try, which is counted if it was its own fault."""
        with self._transaction():
            self._sql.execute(
                "UPDATE artifacts SET tries = tries + ?, error = ? WHERE id = ?", (charge, said(error), wanted.id)
            )


def said(error: Exception) -> str:
    """Return what an error says, as text that any database takes."""
    return text(str(error) or type(error).__name__)


def text(value: str) -> str:
    """Return text that is valid, whatever a build put into it."""
    return value.encode("utf-8", "backslashreplace").decode()
