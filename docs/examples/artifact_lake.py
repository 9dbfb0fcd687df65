"""A nightly job: download the new artifacts of an organization into a partitioned folder, and catalog all files.

    export CIRCLE_TOKEN=...
    python artifact_lake.py gh/acme lake --since 30d --path '**/*.xml' --max-files 100000

A file is at `lake/gh/acme/api/workflow=build/job=test/pipeline=7/41.0/junit.xml`, where 41 is the job's number, and 0
its node. `lake/catalog.jsonl` has one line of JSON for each file, with its project, pipeline, size, SHA-256 and so on.

Run it again after an interruption, even a kill: it continues. The exit code is 0 if everything is downloaded, 1 if
something failed or a limit was reached.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import circleci_async as ca

LAYOUT = "{project}/workflow={workflow}/job={job}/pipeline={pipeline}/{number}.{node}/{path}"

GIB = 1 << 30


async def main(
    projects: Sequence[str],
    into: Path,
    select: ca.Selection,
    *,
    max_files: int | None = None,
    max_gib: float | None = None,
    min_free_gib: float = 1.0,
) -> int:
    """Harvest, write the catalog, and return the exit code."""
    retry = ca.RetryPolicy(attempts=8, max_wait=900)  # seconds: a nightly job can wait for a rate limit
    async with ca.CircleCI(retry=retry) as circle:
        report = await circle.harvest(
            projects,
            into,
            select=select,
            layout=LAYOUT,
            max_files=max_files,
            max_bytes=None if max_gib is None else int(max_gib * GIB),
            min_free=int(min_free_gib * GIB),
        )
    files = (await ca.harvest_status(into)).files
    await asyncio.to_thread(write_catalog, into, files)
    print(f"{len(report.files):,} new files, {report.bytes:,} bytes; {len(files):,} files in the catalog")
    problems = [*map(str, report.failed), *([f"stopped: {report.stopped}"] if report.stopped else [])]
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return 0 if report.is_complete else 1


def write_catalog(into: Path, files: Sequence[ca.HarvestedFile]) -> None:
    """Write a line for each file of all nights. Readers see the previous catalog or the new one."""
    new = into / "catalog.jsonl.new"
    with new.open("w", encoding="utf-8") as lines:
        for file in files:
            record = {**ca.to_dict(file), "path": file.path.relative_to(into).as_posix()}
            lines.write(json.dumps(record) + "\n")
    new.replace(into / "catalog.jsonl")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", metavar="ORGANIZATION_OR_PROJECT")
    parser.add_argument("into", type=Path, metavar="FOLDER")
    parser.add_argument("--since", default="30d", help="only pipelines since then: '30d', '2026-11-24'; default: 30d")
    parser.add_argument("--branch", help="only branches of this name, or glob")
    parser.add_argument("--path", help="only artifacts whose path matches this glob, such as '**/*.xml'")
    parser.add_argument("--max-files", type=int, help="download at most this many files")
    parser.add_argument("--max-gib", type=float, help="download at most this much, in GiB")
    parser.add_argument("--min-free-gib", type=float, default=1.0, help="keep this much of the disk free; default: 1")
    options = vars(parser.parse_args())
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))  # stop as after Ctrl-C
    try:
        select = ca.Selection(**{name: options.pop(name) for name in ("since", "branch", "path")})
        sys.exit(asyncio.run(main(options.pop("projects"), options.pop("into"), select, **options)))
    except ca.CircleCIError as error:  # such as a destination that another harvest uses
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted: complete files are kept, run it again to continue", file=sys.stderr)
        sys.exit(130)
