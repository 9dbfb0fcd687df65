"""Compare a harvest into S3 with a download to disk followed by an upload of the files.

moto's server is S3. It needs milliseconds of CPU for each request, which all sides wait for.
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from attrs import field, frozen

from . import limited, rivals
from .measure import Row, direct_environment, empty, environ, folder_for, peak_memory_of, timed
from .rivals import ARIA2C, BY_HAND, CONCURRENCY, CURL, Rival, Task
from .s3 import BUCKET, S3, missing, serving
from .world import World

NAME = "into S3"

PART = 8 * 1024 * 1024
"""Bytes of a part of a multipart upload."""

Upload = Callable[[Path, str], object]
"""Uploads the files of a folder to a prefix."""


@frozen
class Uploader:
    """A tool that uploads files."""

    name: str
    upload: Upload
    command: Callable[[Path, str], list[str]]
    """Returns the program that does the same, for its memory."""
    program: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether its program is installed."""
        return self.program is None or shutil.which(self.program) is not None


def boto3_upload(folder: Path, prefix: str) -> None:
    """Upload with boto3's `upload_file`, as many files at once as a harvest."""
    import boto3  # type: ignore[import-untyped]
    from boto3.s3.transfer import TransferConfig  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    sdk: Any = boto3
    client = sdk.client("s3", config=Config(max_pool_connections=CONCURRENCY))
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)

    def upload(file: Path) -> None:
        client.upload_file(str(file), BUCKET, f"{prefix}/{file.name}", Config=config)

    with ThreadPoolExecutor(CONCURRENCY) as threads:
        list(threads.map(upload, folder.iterdir()))
    client.close()


def _in_python(folder: Path, prefix: str) -> list[str]:
    code = f"from benchmarks.buckets import *; boto3_upload(Path({str(folder)!r}), {prefix!r})"
    return [sys.executable, "-c", code]


def _aws(folder: Path, prefix: str) -> list[str]:
    return ["aws", "s3", "cp", "--recursive", "--quiet", str(folder), f"s3://{BUCKET}/{prefix}/"]


def aws_upload(folder: Path, prefix: str) -> None:
    """Upload with the AWS CLI."""
    subprocess.run(_aws(folder, prefix), env=direct_environment(), stdin=subprocess.DEVNULL, check=True)


BOTO3 = Uploader(f"boto3 `upload_file`, {CONCURRENCY} at once", boto3_upload, _in_python)
AWS = Uploader("`aws s3 cp --recursive`", aws_upload, _aws, "aws")
UPLOADERS = (BOTO3, AWS)

RANGES = Rival(
    f"`aria2c -x{limited.CONNECTIONS} -s{limited.CONNECTIONS}`",
    lambda task: limited.aria2c_file(task.addresses[0], task.folder),
    "aria2c",
    limited.CONNECTIONS,
)


@frozen
class Comparison:
    """One table: a world, its server, and the tools that download its files."""

    name: str
    world: World
    serve: Callable[[World], AbstractContextManager[str]]
    downloaders: tuple[Rival, ...] = (BY_HAND, ARIA2C, CURL)
    goal: float = 1.0
    """The time of the harvest as a multiple of the sum of download and upload."""


@frozen
class Places:
    """The bucket, and the folders for files and lists. The files to upload are in `ready`."""

    server: S3
    files: Path
    notes: Path
    ready: Path
    _numbers: "count[int]" = field(factory=count)

    def new_prefix(self) -> str:
        """Return a prefix without objects."""
        return f"run-{next(self._numbers)}"


@contextmanager
def places(world: World) -> Generator[Places | None]:
    """Make the folders and an empty bucket; yield None without room for the files."""
    with folder_for(3 * sum(world.sizes)) as folder:
        if folder is None:
            yield None
            return
        for name in ("files", "notes", "cache", "served"):
            (folder / name).mkdir()
        world.write(folder / "served", "")
        with serving() as server, environ({"XDG_CACHE_HOME": str(folder / "cache")}):
            yield Places(server, folder / "files", folder / "notes", folder / "served" / "files")


def run(comparisons: list[Comparison], rounds: int) -> None:
    """Print the tables, and name the tools that are missing."""
    if not comparisons:
        return
    if packages := missing():
        print(f"Not installed: {', '.join(packages)} (`make bench` installs them). Skipped: {NAME}.\n")
        return
    programs = [each.program for each in (CURL, ARIA2C, AWS) if not each.is_installed]
    if programs:
        print(f"Not installed, and skipped: {', '.join(map(str, programs))}.\n")
    for comparison in comparisons:
        with places(comparison.world) as place:
            if place is None:
                print(f"No room for {comparison.name}.\n")
                continue
            with comparison.serve(comparison.world) as base:
                task = Task(base, comparison.world.addresses(base), place.files, place.notes)
                print(f"| {comparison.name}, {NAME} | harvest, ms | other tools, ms | ratio of medians | goal | met |")
                print("|---|--:|--:|--:|--:|---|")
                for row in compare(comparison, task, place, rounds):
                    print(row, flush=True)
                print("\n| peak memory | MiB |\n|---|--:|")
                for name, peak in memory(comparison, task, place):
                    print(f"| {name} | {'?' if peak is None else f'{peak:.0f}'} |", flush=True)
        print()


def harvest(task: Task, prefix: str) -> None:
    """Harvest into the bucket."""
    asyncio.run(rivals.harvest(task, into=f"s3://{BUCKET}/{prefix}"))


def compare(comparison: Comparison, task: Task, place: Places, rounds: int) -> list[Row]:
    """Run the harvest, each download and each upload alternately; the first round is not counted.

    Each round is checked: all files, with the right size. Each row adds the times of a download and an upload.
    """
    downloads = {each.name: each.fetch for each in comparison.downloaders if each.is_installed}
    uploads: dict[str, Upload] = {each.name: each.upload for each in UPLOADERS if each.is_installed}
    uploads["harvest"] = lambda folder, prefix: harvest(task, prefix)
    times: dict[str, list[float]] = {name: [] for name in (*downloads, *uploads)}
    sizes = sorted(comparison.world.sizes)
    for round_number in range(rounds + 1):
        for name in list(times)[:: -1 if round_number % 2 else 1]:
            prefix = place.new_prefix()
            if name in downloads:
                seconds = timed(partial(downloads[name], task))
                found = [file.stat().st_size for file in task.folder.iterdir()]
            else:
                seconds = timed(partial(uploads[name], place.ready, prefix))
                found = place.server.sizes(prefix)
            assert sorted(found) == sizes, f"{name}: {len(found)} of {len(sizes)} files"
            empty(task.folder)
            place.server.reset()
            if round_number:
                times[name].append(seconds)
    ours = times["harvest"]
    return [
        Row(
            f"{download}, then {upload}",
            ours,
            [sum(both) for both in zip(times[download], times[upload], strict=True)],
            comparison.goal,
        )
        for download in downloads
        for upload in uploads
        if upload != "harvest"
    ]


def memory(comparison: Comparison, task: Task, place: Places) -> Generator[tuple[str, float | None]]:
    """Yield the peak memory of each tool that is written in Python, in its own process."""
    code = "from benchmarks.buckets import *; task = Task({0.base!r}, [], Path({1!r}), Path({1!r})); "
    code = code.format(task, str(task.folder))
    commands = {"harvest": [sys.executable, "-c", f"{code} harvest(task, {place.new_prefix()!r})"]}
    if BY_HAND in comparison.downloaders:
        commands[BY_HAND.name] = [sys.executable, "-c", f"{code} BY_HAND.fetch(task)"]
    for each in UPLOADERS:
        if each.is_installed:
            commands[each.name] = each.command(place.ready, place.new_prefix())
    for name, command in commands.items():
        yield name, peak_memory_of(command)
        empty(task.folder)
        place.server.reset()
