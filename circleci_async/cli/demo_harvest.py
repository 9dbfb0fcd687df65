"""The last scene of the demo: a harvest in a process of its own that is killed, and another that goes on from there."""

import asyncio
import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from . import harvest
from .output import Output

if TYPE_CHECKING:
    from ..client import CircleCI
    from .stage import Stage

FIRST = 48
"""Files that come before the kill."""

PATIENCE = 20.0
"""Seconds to wait for them."""


@frozen
class Rescue:
    """What came of a harvest that was killed, by the server's record and the disk, not by what the SDK says."""

    kept: int
    """Files that were whole when it was killed."""
    again: int
    """Of those, how many were fetched again."""
    went_on: bool
    """Whether of the half file only the rest was fetched."""
    agrees: bool
    """Whether tree and ledger agree in the end."""
    verified: int
    """Files whose bytes on disk are the server's."""


async def rescue(circle: "CircleCI", stage: "Stage", out: Output, folder: Path) -> Rescue:
    """Begin a harvest, kill it in the middle, let another one end it, and verify."""
    from ..harvest.selection import Selection
    from ..harvest.verify import verify_harvest

    slug = stage.pipeline.project.slug
    workflow = stage.largest.job.workflow.name
    out.say(f"$ circleci-async harvest run {slug} --latest --workflow {workflow} ...", "dim")
    await _kill_in_the_middle(stage, slug, "--latest", "--workflow", workflow, "--into", str(folder))
    kept = await asyncio.to_thread(_checksums, folder)
    out.say(f"Killed (SIGKILL) with {len(kept)} of {len(stage.artifacts)} files there, and a half one.")

    mark = len(stage.server.requests)
    report = await circle.harvest(slug, folder, select=Selection(latest=True, workflow=workflow))
    harvest.show_report(out, report, Path("..."))
    verdict = await verify_harvest(folder)
    harvest.show_verified(out, verdict, folder)
    files = [(file.url, file.path) for file in (*report.skipped, *report.files)]
    verified = await asyncio.to_thread(stage.count_verified, files)
    out.say(f"{verified} of {len(stage.artifacts)} have the same SHA-256 on this disk as on the server.")

    asked = [request for request in stage.server.requests[mark:] if request.origin == "storage"]
    of_kept = {artifact.key for artifact in stage.artifacts.values() if artifact.sha256 in kept}
    rest = [request.headers.get("Range", "") for request in asked if request.path == stage.largest.key]
    return Rescue(
        kept=len(kept),
        again=sum(request.path in of_kept for request in asked),
        went_on=len(rest) == 1 and rest[0].startswith("bytes=") and not rest[0].startswith("bytes=0-"),
        agrees=verdict.is_intact and report.is_complete and verdict.files == len(stage.artifacts),
        verified=verified,
    )


async def _kill_in_the_middle(stage: "Stage", *arguments: str) -> None:
    """Let the storage get stuck under a harvest, and kill it when it has come so far."""
    faults = stage.get_stuck(FIRST)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "circleci_async", "harvest", "run", *arguments),
        env=_environment(stage),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while process.returncode is None and not all(fault.hits for fault in faults):  # noqa: ASYNC110  # of another
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)  # what has come is written by then
    except TimeoutError:
        pass  # whatever it has done so far must do
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        for fault in faults:
            fault.stop()


def _environment(stage: "Stage") -> Mapping[str, str]:
    """Return an environment that leads to the embedded CircleCI, and by no proxy."""
    mine = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**mine, **stage.server.environment}


def _checksums(folder: Path) -> set[str]:
    """Return the SHA-256 of each finished file: what has no name that begins with a dot."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        if path.is_file() and not any(name.startswith(".") for name in path.relative_to(folder).parts):
            with path.open("rb") as stream:
                found.add(hashlib.file_digest(stream, "sha256").hexdigest())
    return found
