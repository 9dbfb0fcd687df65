"""A state machine of faults: builds, failing servers, damaged folders and killed processes, and harvests among them.

After each harvest, killed or not, the folder and the report are compared with what the server had. At the end all
faults are removed: one harvest must be complete, and another one must request no file.
"""

import os
import shutil
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from circleci_async.harvest.destination.parts import PARTS_NAME
from circleci_async.testing import Artifact, FakeCircleCI, Job
from tests.downloads.file_server import random_bytes
from tests.harvest.fault_harvests import FaultHarvests
from tests.harvest.harvests import parts
from tests.harvest.hostile import (
    API_FAULTS,
    DOWNLOAD_FAULTS,
    LISTS,
    NAMES,
    REFUSED_PATHS,
    SAFE_PATHS,
    SIZES,
    SPOILED,
    delays,
    positions,
    times,
)
from tests.harvest.truth import files_in, ids_of
from tests.harvest.wire import STORAGE_FAULTS, StorageFault

Step: TypeAlias = Callable[..., None]


def step(**arguments: st.SearchStrategy[Any]) -> Callable[[Step], Step]:
    """Make a rule that is noted, for the message of a failure that a repetition does not show."""

    def decorate(method: Step) -> Step:
        @wraps(method)
        def noted(self: "FaultMachine", **values: Any) -> None:
            self.steps.append(f"{method.__name__}({', '.join(f'{name}={value!r}' for name, value in values.items())})")
            method(self, **values)

        options: dict[str, Any] = dict(arguments)
        made: Step = rule(**options)(noted)  # type: ignore[no-untyped-call]
        return made

    return decorate


def fault(**arguments: st.SearchStrategy[Any]) -> Callable[[Step], Step]:
    """Make a step that can be followed by a harvest: faults have no effect without one."""

    def decorate(method: Step) -> Step:
        @wraps(method)
        def followed(self: "FaultMachine", then: str, **values: Any) -> None:
            method(self, **values)
            if then == "harvest":
                self.harvest(max_files=None, max_bytes=None)
            elif then == "kill":
                self.kill_harvest_before_a_step(step=20)

        return step(then=st.sampled_from(("nothing", "harvest", "kill")), **arguments)(followed)

    return decorate


class FaultMachine(FaultHarvests):
    """The steps of a sequence: builds, faults of the servers, faults of the folder, and harvests."""

    # Builds

    @initialize(
        page_size=st.sampled_from((20, 1, 3)),
        dedupe=st.sampled_from((None, "hardlink")),
        recheck=st.sampled_from((None, "30m")),  # the pipelines are an hour old
        last_kill=st.integers(1, 8),
    )
    def begin(self, page_size: int, dedupe: str | None, recheck: str | None, last_kill: int) -> None:
        self.options["dedupe"] = dedupe
        self.options["recheck"] = recheck
        self.last_kill = last_kill
        self.run(self.serve(FakeCircleCI(self.world, page_size=page_size)))
        self.steps.append(f"begin({page_size=}, {dedupe=}, {recheck=}, {last_kill=})")
        for job, paths, size, nodes in (("test", ["report.xml", "a"], 3_000, 1), ("large", ["a", "b/c"], 1_300_000, 2)):
            self.add_build(paths=paths, job=job, workflow="build", size=size, is_finished=True, nodes=nodes)

    @step(
        paths=st.lists(st.sampled_from((*SAFE_PATHS, *REFUSED_PATHS)), max_size=6, unique=True),
        job=st.sampled_from(NAMES),
        workflow=st.sampled_from(NAMES),
        size=st.sampled_from(SIZES),
        is_finished=st.booleans(),
        nodes=st.integers(1, 2),
    )
    def add_build(self, paths: list[str], job: str, workflow: str, size: int, is_finished: bool, nodes: int) -> None:
        status = "success" if is_finished else "running"
        created = self.project.pipeline().workflow(workflow, status=status).job(job, status=status, parallelism=nodes)
        self.fill(created, paths, size)

    @step(
        paths=st.lists(st.sampled_from(SAFE_PATHS), max_size=3, unique=True), which=positions, is_finished=st.booleans()
    )
    def rerun(self, paths: list[str], which: int, is_finished: bool) -> None:
        """Add a workflow, with a new job and one of an earlier workflow, to a pipeline that is listed again."""
        workflow = one(list(self.world.jobs.values()), which).workflow
        pipeline = workflow.pipeline
        if self.options["recheck"] and all(each.ended for each in pipeline.workflows):
            return
        status = "success" if is_finished else "running"
        new = pipeline.workflow(workflow.name, status=status)
        kept = [job for job in workflow.jobs if job.status != "running"][:1]
        new.jobs += kept
        new.taken_over |= {job.id for job in kept}
        self.fill(new.job("again", status=status), paths, 2_000)

    def fill(self, job: Job, paths: list[str], size: int) -> None:
        for number, path in enumerate(paths):
            node = number % job.parallelism
            if job.artifact_at(node, path) is None:
                self.add(job.artifact(path, random_bytes(size, (path, job.number)), node=node))

    def add(self, artifact: Artifact) -> None:
        self.truth.add(artifact)
        if artifact.path in REFUSED_PATHS:
            self.truth.refused.add(artifact.location)

    @step(paths=st.lists(st.sampled_from(SAFE_PATHS), min_size=1, max_size=3, unique=True), which=positions)
    def add_to_running_job(self, paths: list[str], which: int) -> None:
        running = [job for job in self.world.jobs.values() if job.status == "running"]
        if running:
            self.fill(one(running, which), paths, 2_000)

    @step(which=positions)
    def end_job(self, which: int) -> None:
        running = [job for job in self.world.jobs.values() if job.status == "running"]
        if running:
            job = one(running, which)
            job.end("success", self.world.clock())
            job.workflow.status = "success"

    @step(path=st.sampled_from(SAFE_PATHS), which=positions)
    def add_twin(self, path: str, which: int) -> None:
        """Add a build with an artifact of the same content as another one."""
        job = self.project.pipeline().workflow("twins").job("twin")
        self.add(job.artifact(path, one(self.truth.artifacts, which).data if self.truth.artifacts else b"twin"))

    @step(which=positions, size=st.sampled_from(SIZES))
    def replace_artifact(self, which: int, size: int) -> None:
        if self.truth.artifacts:
            artifact = one(self.truth.artifacts, which)
            artifact.replace(random_bytes(size, (artifact.location, len(self.truth.versions[artifact.location]))))
            self.truth.add(artifact)

    @step(which=positions)
    def delete_artifact(self, which: int) -> None:
        recorded = self.truth.recorded(self.into)
        artifacts = [each for each in self.truth.artifacts if recorded.get(each.location) not in self.truth.altered]
        if artifacts:
            one(artifacts, which).delete()
            self.has_deleted = True

    # Faults of the servers

    @fault(kind=st.sampled_from(sorted(SPOILED)), which=positions, value=positions)
    def spoil_item(self, kind: str, which: int, value: int) -> None:
        """Let the API answer with a name or number that no harvest can use."""
        field, spoiled = one(SPOILED[kind], value)
        artifacts = self.truth.artifacts
        if not artifacts:
            return
        artifact = one(artifacts, which)
        location, job, workflow, pipeline = ids_of(artifact)
        id = {"pipeline": pipeline, "workflow": workflow, "job": job, "artifact": location}[kind]
        self.truth.spoiled.add(id)
        self.wire.spoiled[f"http://{self.fake.artifact_host}{id}" if kind == "artifact" else id] = {field: spoiled}

    @fault(
        lists=st.sampled_from(sorted(LISTS)), failure=st.sampled_from(sorted(API_FAULTS)), times=times, after=positions
    )
    def fail_lists(self, lists: str, failure: str, times: int | None, after: int) -> None:
        self.faults.append(self.fake.fail(LISTS[lists], origin="api", times=times, after=after, **API_FAULTS[failure]))

    @fault(
        origin=st.sampled_from(("artifacts", "storage")),
        failure=st.sampled_from(sorted(DOWNLOAD_FAULTS)),
        times=times,
        which=positions,
        is_for_all=st.booleans(),
    )
    def fail_downloads(self, origin: Any, failure: str, times: int | None, which: int, is_for_all: bool) -> None:
        if artifacts := self.truth.artifacts:
            artifact = one(artifacts, which)
            path = "*" if is_for_all else artifact.location if origin == "artifacts" else artifact.key
            options = {"origin": origin, **DOWNLOAD_FAULTS[failure]}
            self.faults.append(self.fake.fail(escape(path), times=times, **options))

    @fault(failure=st.sampled_from(STORAGE_FAULTS), times=times, which=positions, is_for_all=st.booleans())
    def spoil_downloads(self, failure: str, times: int | None, which: int, is_for_all: bool) -> None:
        if artifacts := self.truth.artifacts:
            path = None if is_for_all else one(artifacts, which).key
            self.wire.storage_faults.append(StorageFault(failure, path, times))

    @fault(after=delays)
    def revoke_token(self, after: int) -> None:
        self.faults.append(self.fake.fail(origin="api", status=401, times=None, after=after))
        self.faults.append(self.fake.fail(origin="artifacts", status=401, times=None, after=after))

    @step()
    def end_faults(self) -> None:
        for fault in self.faults:
            self.place.counts["faulty responses"] += fault.hits
            fault.stop()
        self.faults.clear()
        self.wire.storage_faults.clear()
        self.wire.spoiled.clear()
        self.truth.spoiled.clear()
        self.filler.unlink(missing_ok=True)

    # Faults of the folder

    @fault(which=positions, change=st.sampled_from(("shorten", "lengthen", "alter", "delete", "link", "folder")))
    def damage_file(self, which: int, change: str) -> None:
        files = sorted(set(self.truth.recorded(self.into).values()) & set(files_in(self.into)))
        wanted = {path for location, path in self.truth.recorded(self.into).items() if location in self.truth.wanted}
        files = [path for path in files if path in wanted]
        if not files or self.filler.exists():
            return
        path = one(files, which)
        file = self.into / path
        content = file.read_bytes()
        before = files_in(self.into)
        if change in {"delete", "link", "folder"}:
            file.unlink()
            self.truth.altered.pop(path, None)
            if change == "link":
                file.symlink_to(self.outside / "target")
            elif change == "folder":
                file.mkdir()
            return
        changed = {"shorten": content[:-1], "lengthen": content + b"\0", "alter": b"\xff" * len(content)}[change]
        file.write_bytes(changed)
        after = files_in(self.into)
        self.truth.altered |= {each: after[each] for each in after if after[each] != before[each]}

    @fault(depth=st.integers(0, 4), which=positions)
    def link_folder(self, depth: int, which: int) -> None:
        """Replace a folder by a link to a folder outside."""
        folders = [self.into / path for path in sorted(files_in(self.into))]
        if not folders:
            return
        relative = one(folders, which).relative_to(self.into)
        folder = self.into.joinpath(*relative.parts[: min(depth + 1, len(relative.parts) - 1)])
        shutil.rmtree(folder)
        folder.symlink_to(self.outside)

    @fault(room=st.sampled_from((0, 20_000, 200_000, 1_500_000)))
    def fill_disk(self, room: int) -> None:
        if not self.place.is_small:
            return
        free = shutil.disk_usage(self.place.root).free
        with self.filler.open("ab") as file:
            file.write(bytes(max(0, free - room)))

    @fault(name=st.sampled_from((".1." + "0" * 64 + ".part", ".2." + "f" * 64 + ".part", "stray", ".99.part")))
    def leave_part(self, name: str) -> None:
        """Leave a file among the partial ones."""
        folder = self.into / PARTS_NAME
        if folder.is_dir() and not self.filler.exists():
            (folder / name).write_bytes(b"?" * 5_000)

    @fault(which=positions)
    def shorten_part(self, which: int) -> None:
        """Lose the end of a partial file, as after a power failure."""
        if names := parts(self.into):
            path = self.into / PARTS_NAME / one(names, which)
            os.truncate(path, path.stat().st_size // 2)

    # Harvests

    @step(max_files=st.sampled_from((None, None, 3)), max_bytes=st.sampled_from((None, None, 50_000)))
    def harvest(self, max_files: int | None, max_bytes: int | None) -> None:
        self.place.counts["harvests"] += 1
        self.run(self.check_harvest(max_files=max_files, max_bytes=max_bytes))

    @step(after=st.integers(1, 60))
    def cancel_harvest(self, after: int) -> None:
        """Cancel a harvest when it sends a request."""
        self.place.counts["cancelled harvests"] += 1
        self.run(self.check_cancel(after))

    @step(after=st.integers(1, 40), which=positions, what=st.sampled_from(("replace", "delete")))
    def change_while_harvesting(self, after: int, which: int, what: str) -> None:
        self.place.counts["harvests"] += 1
        change = (
            self.delete_last_artifact
            if what == "delete"
            else lambda which: self.replace_artifact(which=which, size=3_000)
        )
        self.requests.at, self.requests.then = after, lambda: change(which)
        try:
            self.run(self.check_harvest())
        finally:
            self.requests.at = 0

    def delete_last_artifact(self, which: int) -> None:
        """Delete the last artifact of a job, which does not move others to a page that was already read."""
        if self.truth.artifacts and not self.truth.altered:
            one(self.truth.artifacts, which).job.artifacts[-1].delete()
            self.has_deleted = True

    @step(step=st.integers(1, 60))
    def kill_harvest_before_a_step(self, step: int) -> None:
        self.run(self.check_kill(step=step))

    @step(milliseconds=st.integers(1, 80))
    def kill_harvest(self, milliseconds: int) -> None:
        self.run(self.check_kill(seconds=milliseconds / 1000))

    @step(size=st.sampled_from((0, 2_000, 50_000, 1_000_000)))
    def limit_files(self, size: int) -> None:
        """Harvest while the system refuses to make files longer than `size`."""
        self.run(self.check_kill(file_size=size))


def one(things: Any, which: int) -> Any:
    return things[which % len(things)]


def escape(path: str) -> str:
    """Escape a path, so that it is not read as a glob."""
    return path if path == "*" else path.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
