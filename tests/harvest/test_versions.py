"""The ledger records the version of a partial file before it is written, if it can be resumed."""

from pathlib import Path

import pytest

from circleci_async.downloads.file_threads import FIRST_BATCH, INLINE
from circleci_async.harvest.ledger.queue import LedgerQueue
from circleci_async.testing import FakeCircleCI
from tests.harvest.harvests import all_artifacts, small_world, tree, usual_tree


@pytest.mark.parametrize(
    ("size", "recorded"), [(INLINE, 0), (INLINE + 1, 0), (FIRST_BATCH - 1, 0), (FIRST_BATCH + INLINE + 1, 1)]
)
async def test_a_version_is_recorded_only_of_files_that_are_written_before_they_are_complete(
    size: int, recorded: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids: list[int] = []
    note_version = LedgerQueue.note_version

    async def counted(self: LedgerQueue, id: int, etag: str | None, size: int | None) -> None:
        ids.append(id)
        await note_version(self, id, etag, size)

    monkeypatch.setattr(LedgerQueue, "note_version", counted)
    world = small_world(pipelines=1, jobs=1, artifacts=1, size=size)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        report = await circle.harvest("gh/acme/api", tmp_path)
    report.raise_for_failures()
    assert len(ids) == recorded
    assert tree(tmp_path) == usual_tree(all_artifacts(world))
