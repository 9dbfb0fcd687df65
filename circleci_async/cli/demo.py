"""`demo`: the main job of this package, done against an embedded CircleCI."""

import asyncio
import time
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from . import artifacts, builds, watch
from .build_view import view_of
from .formatting import counted, duration, size
from .insights import show_snapshot
from .output import Output

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..downloads.report import DownloadReport
    from .demo_failure import Failure
    from .demo_harvest import Rescue
    from .stage import Stage


class Outcome(NamedTuple):
    """What came of the steps."""

    report: "DownloadReport"
    verified: int
    """Files whose bytes on disk are the server's."""
    all_insights: bool
    built: bool
    failure: "Failure"
    rescue: "Rescue"


async def demo(
    out: Output,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the downloaded files, here.", show_default=False)
    ] = None,
) -> int:
    """See it work, on a CircleCI on this machine.

    Real sockets and real bytes, but no network and no token. The embedded CircleCI limits the rate, takes its time, and
    goes wrong on purpose. The exit code is 1 if anything did not end as it must.
    """
    from ..core.retry import RetryPolicy
    from .stage import stage

    people = Output(is_verbose=out.is_verbose, is_fitted=True, stream=StringIO() if out.is_json else None)
    began = time.monotonic()
    with TemporaryDirectory(prefix="circleci-async-demo-") as temporary:
        async with (
            stage() as embedded,
            embedded.server.client(retry=RetryPolicy(initial_delay=0.2), trust_env=False) as circle,
        ):
            outcome = await _play(
                circle, embedded, people, keep or Path(temporary, "files"), Path(temporary, "harvest")
            )
            seconds = time.monotonic() - began
            checks = _checks(embedded, outcome)
            if out.is_json:
                out.data(_summary(circle, embedded, outcome, checks, seconds))
            else:
                _close(circle, embedded, outcome, checks, seconds, out)
    return 0 if all(checks.values()) else 1


async def _play(circle: "CircleCI", stage: "Stage", out: Output, folder: Path, harvest: Path) -> Outcome:
    """Do the main job, as a program would: nothing is known but a token, a host and the projects' names."""
    from .demo_failure import fail
    from .demo_harvest import rescue

    slug, *_ = projects = list(stage.server.world.projects)
    out.say(
        f"An embedded CircleCI listens at {circle.host}. It answers\n"
        f"{stage.per_second} requests a second, each after {stage.latency * 1000:.0f} ms, and goes wrong"
        f" {len(stage.faults)} times on purpose."
    )

    _head(out, 1, "Who am I?")
    user = await circle.users.me()
    out.say(f"{user.login} ({user.name})")

    _head(out, 2, f"The latest pipelines of {slug}")
    pipelines = await circle.pipelines.list(slug).collect(limit=6)
    out.table(pipelines, builds.PIPELINES)

    _head(out, 3, "A job of the newest one, in detail")
    newest = pipelines[0]
    jobs = [
        job
        async for workflow in circle.pipelines.workflows(newest.id)
        async for job in circle.workflows.jobs(workflow.id)
        if job.job_number is not None
    ]
    number = next(job.job_number for job in jobs if job.job_number and "test" in job.name)
    builds.show_job(out, await circle.jobs.get(slug, number), await circle.jobs.tests(slug, number).collect())

    _head(out, 4, "All artifacts of that pipeline, at once")
    listed = [artifacts.placed(*each) for each in await artifacts.artifacts_of_pipeline(circle, newest.id)]
    report = await artifacts.fetch(circle, out, listed, folder, concurrency=16)
    artifacts.show_report(out, report, folder)
    verified = await asyncio.to_thread(stage.count_verified, [(each.artifact.url, each.path) for each in report.files])
    out.say(f"{verified} of {len(stage.artifacts)} have the same SHA-256 on this disk as on the server.")

    _head(out, 5, f"How the workflows of {counted(len(projects), 'project')} have fared, asked at once")
    all_insights = await show_snapshot(out, projects, circle.insights.snapshot(projects))

    _head(out, 6, f"A new pipeline of {slug}, watched to its end")
    created = await circle.pipelines.trigger(slug, branch="main", parameters={"deploy": False})
    with view_of(out, watch.title_of(created.number, slug)) as view:
        built = (
            await watch.show(circle, out, view, "pipeline", created.id, on_hold="return", every=0.3, within=None) == 0
        )

    _head(out, 7, f"A pipeline of {projects[1]} that fails: a webhook tells of it, the log says why")
    failure = await fail(circle, stage, out)

    _head(out, 8, "A harvest, killed in the middle, and another that goes on from there")
    return Outcome(report, verified, all_insights, built, failure, await rescue(circle, stage, out, harvest))


def _checks(stage: "Stage", outcome: Outcome) -> dict[str, bool]:
    """What must be so in the end."""
    return {
        "every file came, and is the server's": outcome.verified == len(stage.artifacts) and not outcome.report.failed,
        "every file that broke off was taken up again": sum(file.resumed for file in outcome.report.files) > 0,
        "no project's insights are missing": outcome.all_insights,
        "the new pipeline ran to its end": outcome.built,
        "a webhook told of the failure at once": outcome.failure.status == "failed" and outcome.failure.events >= 3,
        "the log says why": outcome.failure.lines > 0,
        "the killed harvest went on, and fetched no file twice": (
            0 < outcome.rescue.kept < len(stage.artifacts) and not outcome.rescue.again
        ),
        "of the half file only the rest was fetched": outcome.rescue.went_on,
        "its tree and its ledger agree, and are the server's": (
            outcome.rescue.agrees and outcome.rescue.verified == len(stage.artifacts)
        ),
        "every fault struck, and every call came through": all(fault.hits for fault in stage.faults.values()),
        "the storage never saw the token": stage.tokens_leaked == 0,
    }


def _summary(
    circle: "CircleCI", stage: "Stage", outcome: Outcome, checks: Mapping[str, bool], seconds: float
) -> dict[str, Any]:
    stats, report = circle.stats, outcome.report
    return {
        "seconds": round(seconds, 3),
        "requests": stats.requests,
        "retries": stats.retries,
        "rate_limited": stats.rate_limited,
        "paused": round(stats.paused, 3),
        "received": stats.received,
        "faults": {what: fault.hits for what, fault in stage.faults.items()},
        "files": len(report.files),
        "bytes": report.bytes,
        "resumed": sum(file.resumed for file in report.files),
        "verified": outcome.verified,
        "harvest": outcome.rescue,
        "checks": dict(checks),
    }


def _close(
    circle: "CircleCI", stage: "Stage", outcome: Outcome, checks: Mapping[str, bool], seconds: float, out: Output
) -> None:
    from rich.text import Text

    stats, report = circle.stats, outcome.report
    _head(out, None, "What happened")
    out.fields(
        [
            ("Time", duration(seconds)),
            ("Requests", f"{stats.requests:,}, of them {counted(stats.retries, 'retry', 'retries')}"),
            ("Rate limit", f"refused {stats.rate_limited} times (429), held all back for {duration(stats.paused)}"),
            *(("Fault", what) for what, fault in stage.faults.items() if fault.hits),
            ("Files", f"{len(report.files)}, {size(report.bytes)}, verified: {outcome.verified}"),
        ]
    )
    out.say("")
    for text, is_so in checks.items():
        out.say(Text.assemble(("ok  " if is_so else "NO  ", "green" if is_so else "bold red"), text))


def _head(out: Output, number: int | None, text: str) -> None:
    out.say("")
    out.say(f"{number}  {text}" if number else text, "bold")
