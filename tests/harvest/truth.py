"""What a harvest may leave in a folder: versions of artifacts that were served, whole, and nothing else."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import circleci_async as ca
from circleci_async.harvest.ledger.schema import LEDGER_NAME
from circleci_async.testing import Artifact, Request, World
from tests.harvest.harvests import rows

PROJECT = "gh/acme/api"


def location_of(url: str) -> str:
    """Return the `location` of an artifact with this URL."""
    return "/" + "/".join(url.split("/")[3:])


def ids_of(artifact: Artifact) -> tuple[str, ...]:
    """Return the location of an artifact, and the ids of all that it belongs to."""
    job = artifact.job
    return artifact.location, job.id, job.workflow.id, job.workflow.pipeline.id


def files_in(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder by its relative path, without hidden ones of the folder; follows no link."""
    found: dict[str, bytes] = {}
    for parent, folders, names in os.walk(folder):
        if Path(parent) == folder:
            folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent, name) for name in names):
            relative = path.relative_to(folder).as_posix()
            if path.is_file() and not path.is_symlink() and not relative.startswith("."):
                found[relative] = path.read_bytes()
    return found


@dataclass
class Truth:
    """The contents that a server had or announced for each artifact, by its `location`."""

    world: World
    versions: dict[str, set[bytes]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Artifacts whose paths cannot be written safely: each is a failure of every harvest."""
    spoiled: set[str] = field(default_factory=set)
    """The items with a name or number that no harvest can use: their ids, and the locations of artifacts."""
    unlisted: set[str] = field(default_factory=set)
    """Artifacts of a job whose list was answered with 404: the server said that there are none."""
    altered: dict[str, bytes] = field(default_factory=dict)
    """Files that were changed by hand, and their new content."""

    def add(self, artifact: Artifact) -> None:
        """Note the content that an artifact has now."""
        self.versions.setdefault(artifact.location, set()).add(artifact.data)

    def announced(self, path: str, content: bytes) -> None:
        """Note a shortened content, which a lying server announced as whole, by the path at the storage."""
        location = next(each.location for each in self.artifacts if each.key == path)
        self.versions[location].add(content)

    @property
    def artifacts(self) -> list[Artifact]:
        """The artifacts that the server has now."""
        return [each for job in self.world.jobs.values() for each in job.artifacts]

    @property
    def wanted(self) -> set[str]:
        """The artifacts that a complete harvest has."""
        usable = {each.location for each in self.artifacts if not self.spoiled & set(ids_of(each))}
        return usable - self.refused - self.unlisted

    def note_missing_lists(self, requests: Iterable[Request]) -> set[str]:
        """Note which lists were answered with 404; return the artifacts that were not reachable for that reason."""
        missing = [each.path.split("/")[-2] for each in requests if (each.origin, each.status) == ("api", 404)]
        of_jobs = {each.location for each in self.artifacts if str(each.job.number) in missing}
        self.unlisted |= of_jobs
        return of_jobs | {each.location for each in self.artifacts if set(missing) & set(ids_of(each))}

    # What must hold at any time, also after a kill

    def check_files(self, into: Path) -> None:
        """Check that each file is whole: a version of an artifact, or changed by hand and not touched since."""
        contents = set().union(*self.versions.values())
        found = files_in(into) if into.exists() else {}
        for path in [path for path, content in self.altered.items() if found.get(path) != content]:
            del self.altered[path]  # it was downloaded again
        wrong = {
            path: content for path, content in found.items() if content not in contents and path not in self.altered
        }
        assert wrong == {}, "a file is not what the server had"
        recorded = self.recorded(into)
        unknown = set(found) - set(recorded.values()) - set(self.altered)
        assert unknown == set(), "a file is not in the ledger"
        for location, path in recorded.items():
            if path in found and path not in self.altered:
                assert found[path] in self.versions[location], f"{path} is another artifact"

    def recorded(self, into: Path) -> dict[str, str]:
        """Return the paths of the artifacts that the ledger calls finished."""
        if not (into / LEDGER_NAME).exists():
            return {}
        with tempfile.TemporaryDirectory() as copy:  # SQLite needs space for reading, which a full disk has not
            for name in (LEDGER_NAME, f"{LEDGER_NAME}-wal"):
                if (into / name).exists():
                    shutil.copy(into / name, copy)
            if not rows(Path(copy), "SELECT 1 FROM sqlite_schema"):
                return {}
            done = rows(Path(copy), "SELECT url, target FROM artifacts WHERE state = 'done'")
        return {location_of(url): target for url, target in done}

    def finished(self, into: Path) -> set[str]:
        """Return the artifacts that must not be requested again: in the ledger, on the disk, not changed."""
        return {
            location
            for location, path in self.recorded(into).items()
            if path not in self.altered and os.path.isfile(into / path)  # noqa: PTH113  # False for a path that is too long
        }

    # What must hold after each harvest that ended

    def check_report(self, report: ca.HarvestReport, into: Path, missing: set[str]) -> None:
        """Check that a report agrees with the files, and that it accounts for every artifact except the `missing`."""
        files, skipped, failed = list(report.files), list(report.skipped), list(report.failed)
        assert len(report.files) == len(files), (
            f"{len(report.files)} files of the report, and {len(files)} in the ledger"
        )
        assert (len(report.skipped), len(report.failed)) == (len(skipped), len(failed))
        assert report.bytes == sum(file.size for file in files)
        has = Counter(location_of(file.url) for file in [*files, *skipped])
        assert has.total() == len(has), "an artifact is reported twice"
        for file in [*files, *skipped]:
            path = file.path.relative_to(into).as_posix()
            content = file.path.read_bytes()
            assert len(content) == file.size, f"{path} has not the size of the report"
            if path not in self.altered:
                assert content in self.versions[location_of(file.url)], f"{path} is not what the server had"
        for file in files:
            assert file.path.relative_to(into).as_posix() not in self.altered
        for failure in failed:
            assert failure.error, failure
            assert str(failure).isprintable(), failure
        artifacts = [(each.number, each.node, each.name) for each in failed if each.kind == "artifact"]
        assert len(artifacts) == len(set(artifacts)), "an artifact is two failures"
        assert report.is_complete == (report.stopped is None and not failed)
        lost = self.wanted - missing - set(has) - {location_of(failure.url) for failure in failed if failure.url}
        if report.stopped is None and {failure.kind for failure in failed} <= {"artifact", "artifacts"}:
            unlisted = {failure.name.split(" ")[1] for failure in failed if failure.kind == "artifacts"}
            lost = {each.location for each in self.artifacts if each.location in lost} - {
                each.location for each in self.artifacts if str(each.job.number) in unlisted
            }
            assert lost == set(), "an artifact is neither on the disk nor a failure"

    def check_complete(self, report: ca.HarvestReport) -> None:
        """Check the report of a harvest without faults: it has everything, and only unsafe paths are failures."""
        assert report.stopped is None, report.stopped
        listed = {each.location for each in self.artifacts}
        kinds = {failure.kind for failure in report.failed}
        assert kinds <= {"artifact"}, list(map(str, report.failed))
        failed = {location_of(failure.url or "") for failure in report.failed}
        assert (self.refused & listed) - self.unlisted <= failed <= self.refused, list(map(str, report.failed))
        assert {location_of(file.url) for file in [*report.files, *report.skipped]} >= self.wanted
        assert report.is_complete == (not failed)
