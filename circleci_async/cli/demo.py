"""`demo`: shows the main features against an embedded CircleCI, and checks the results."""

import asyncio
import csv
import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from glob import escape
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Annotated, Any

from . import account, artifacts, builds, catalog, harvest, insights, listen, logs, trigger
from .arguments import option
from .output import Output
from .report_summary import show_summary

if TYPE_CHECKING:
    from .. import CircleCI
    from ..models import WebhookEvent
    from ..testing import Artifact, FakeCircleCI, Fault, Pipeline

RATE, LATENCY, RUN_TIME = 8, 0.02, 1.2
KILLED_AFTER = 48  # files that the storage serves before the harvest is killed
POLL_INTERVAL = 600.0  # seconds, so that only the webhook can end the wait for the pipeline that fails
SECRET = "signing secret of the demo"  # noqa: S105
BUCKET = "memory:demo"
QUESTIONS = 2  # of the report that are answered in the terminal
LEAKED = "ghp_" + "d3m0" * 9  # what a step of a job prints
API, WEB = "gh/acme/api", "gh/acme/web"
STATS = ("requests", "retries", "rate_limited", "paused", "received")


class Demo:
    """The embedded CircleCI, a client, and the results of the scenes."""

    def __init__(
        self, out: Output, fake: "FakeCircleCI", circle: "CircleCI", downloads: Path, harvest: Path, page: Path
    ) -> None:
        self.out: Output = out
        self.fake: FakeCircleCI = fake
        self.circle: CircleCI = circle
        self.downloads: Path = downloads
        self.harvest: Path = harvest
        self.page: Path = page
        self.pipeline: Pipeline = fake.world.projects[API].pipelines.all[-1]
        stored = [each for workflow in self.pipeline.workflows for job in workflow.jobs for each in job.artifacts]
        self.stored: list[Artifact] = sorted(stored, key=lambda each: -each.size)
        self.checks: dict[str, bool] = {}
        self.numbers: dict[str, Any] = {}
        largest, second = self.stored[:2]
        fail, project = fake.fail, f"/api/v2/project/{API}"
        self.faults: dict[str, Fault] = {
            "503 with an HTML page": fail("/api/v2/me", status=503, body="<html>Service Unavailable</html>"),
            "connection reset during a list": fail(f"{project}/pipeline", method="GET", reset="after"),
            "interrupted download": fail(escape(largest.key), origin="storage", cut=largest.size // 2),
            "expired signature": fail(escape(second.location), origin="artifacts", expired=True),
            "500 for a job": fail(f"{project}/job/*", status=500),
        }

    async def verify(self, folder: Path) -> int:
        """Count the artifacts in a folder that have the bytes that the server has."""
        found = Counter(await asyncio.to_thread(checksums, folder))
        verified = (Counter(artifact.sha256 for artifact in self.stored) & found).total()
        self.out.say(f"{verified} of {len(self.stored)} have the SHA-256 that the server has.")
        return verified

    def ranges(self, since: int = 0) -> list[str]:
        """Return the `Range` of each request for the largest artifact that did not start at its first byte."""
        key = self.stored[0].key
        asked = [request.headers.get("Range", "") for request in self.fake.requests[since:] if request.path == key]
        return [each for each in asked if each and not each.startswith("bytes=0-")]


async def demo(
    out: Output,
    keep: Annotated[
        Path | None, option("Keep the downloaded files and the page of the report in this folder.", metavar="DIR")
    ] = None,
) -> int:
    """Run a demonstration against an embedded CircleCI.

    It needs no network and no token. The embedded CircleCI limits the request rate, delays its responses, and fails on
    purpose. The page of the report stays, and the next demo replaces it. The exit code is 1 if any check fails.
    """
    from .. import RetryPolicy
    from ..testing import FakeCircleCI, RateLimit, World

    if keep is not None:
        artifacts.make_folder("--keep", keep)
    people = Output(is_verbose=out.is_verbose, is_fitted=True, stream=StringIO() if out.is_json else None)
    started = time.monotonic()
    world = World.generate(seed=7, projects=8, pipelines=25, artifacts=60, artifact_sizes=(1_000, 2_000_000))
    limit = RateLimit(RATE, headers=None)  # without headers, so that the client receives 429s
    with TemporaryDirectory(prefix="circleci-") as temporary:
        async with (
            FakeCircleCI(world, rate_limit=limit, latency=LATENCY, run_time=RUN_TIME) as fake,
            fake.client(retry=RetryPolicy(initial_delay=0.2), trust_env=False) as circle,
        ):
            page = default_page() if keep is None else keep / "report.html"
            play = Demo(people, fake, circle, keep or Path(temporary, "files"), Path(temporary, "harvest"), page)
            people.say(
                f"An embedded CircleCI listens at {circle.host}. It answers\n{RATE} requests per second,"
                f" each after {LATENCY * 1000:.0f} ms, and fails {len(play.faults)} times on purpose."
            )
            for number, scene in enumerate(SCENES, 1):
                people.say(f"\n{number}  {scene.__doc__}".rstrip("."), "bold")
                await scene(play)
            play.checks["every fault occurred, and no call failed"] = all(fault.hits for fault in play.faults.values())
            stored = [str(request.headers) for request in fake.requests if request.origin == "storage"]
            play.checks["the storage never received the token"] = not any(fake.token in each for each in stored)
            faults = {name: fault.hits for name, fault in play.faults.items()}
            numbers = {"seconds": round(time.monotonic() - started, 3), **play.numbers}
            numbers |= {name: round(getattr(circle.stats, name), 3) for name in STATS}
    if out.is_json:
        out.data({**numbers, "faults": faults, "checks": play.checks})
    people.say("\nWhat happened", "bold")
    people.fields(
        [
            *((name, str(value)) for name, value in numbers.items()),
            *(("fault", name) for name, hits in faults.items() if hits),
        ]
    )
    for text, ok in play.checks.items():
        people.say(f"{'ok' if ok else 'FAILED':6}  {text}", "green" if ok else "bold red")
    return 0 if all(play.checks.values()) else 1


async def show_user(demo: Demo) -> None:
    """Show the user that the token belongs to."""
    await account.me(demo.circle, demo.out)


async def list_pipelines(demo: Demo) -> None:
    """List the latest pipelines of gh/acme/api."""
    await builds.pipelines(demo.circle, demo.out, API, limit=6)


async def show_job(demo: Demo) -> None:
    """Show a job of the newest one, and its tests."""
    job = next(job for job in demo.pipeline.workflows[0].jobs if job.number and "test" in job.name)
    await builds.jobs(demo.circle, demo.out, API, job.number)


async def download_artifacts(demo: Demo) -> None:
    """Download all artifacts of that pipeline concurrently."""
    code = await artifacts.download(demo.circle, demo.out, pipeline=demo.pipeline.id, into=demo.downloads)
    verified = await demo.verify(demo.downloads)
    size, resumed = sum(artifact.size for artifact in demo.stored), len(demo.ranges())
    demo.numbers |= {"files": len(demo.stored), "bytes": size, "verified": verified, "resumed": resumed}
    demo.checks["every artifact was downloaded intact"] = code == 0 and verified == len(demo.stored)
    demo.checks["the interrupted download was resumed"] = resumed == 1


async def show_insights(demo: Demo) -> None:
    """Show the workflow metrics of 8 projects."""
    projects = list(demo.fake.world.projects)
    demo.checks["every project has insights"] = await insights.insights(demo.circle, demo.out, projects) == 0


async def follow_pipeline(demo: Demo) -> None:
    """Trigger a pipeline, and watch it until it is finished."""
    project = demo.fake.world.projects[API]
    project.on_trigger("build-and-test", ("lint", "unit-tests", "package"))
    project.on_trigger("docs", ("build-docs",))
    code = await trigger.trigger(demo.circle, demo.out, API, branch="main", wait=True, interval="0.3")
    demo.checks["the triggered pipeline succeeded"] = code == 0


async def receive_webhooks(demo: Demo) -> None:
    """Trigger a pipeline that fails, receive its webhooks, and print the log."""
    from ..webhooks import Receiver

    events: list[WebhookEvent] = []

    def receive(event: "WebhookEvent") -> None:
        listen.show_event(demo.out, event)
        events.append(event)
        demo.circle.notify(event)

    project = demo.fake.world.projects[WEB]
    project.on_trigger("build", ("lint", "unit-tests:failed"))
    async with Receiver(SECRET, receive, concurrency=1).serve() as url:
        project.webhook(url, secret=SECRET)
        demo.out.say(f"A receiver listens at {url}. The next poll is due in {POLL_INTERVAL:.0f} s.")
        result = await demo.circle.pipelines.trigger_and_wait(WEB, interval=(POLL_INTERVAL, POLL_INTERVAL))
        await demo.fake.delivered()
    outputs = [failure.output async for failure in demo.circle.pipelines.failures(result, tail=12)]
    demo.out.say(f"The pipeline has the status {result.status}. The log of the failed step:")
    logs.show_failures(demo.out, outputs)
    demo.checks["webhooks ended the wait"] = result.status == "failed" and len(events) >= 3
    demo.checks["the log of the failure was printed"] = any(output.text for output in outputs)


async def kill_and_resume_harvest(demo: Demo) -> None:
    """Kill a harvest that runs in another process, resume it, and verify the files."""
    workflow = demo.stored[0].job.workflow.name
    demo.out.say(f"$ circleci-async harvest run {API} --latest --workflow {workflow} ...", "dim")
    await _harvest_and_kill(demo, workflow)
    kept = set(await asyncio.to_thread(checksums, demo.harvest))
    demo.out.say(f"Killed (SIGKILL) after {len(kept)} of {len(demo.stored)} files and a partial one. Run again:")

    sent_before = len(demo.fake.requests)
    complete = await harvest.run(demo.circle, demo.out, [API], str(demo.harvest), latest=True, workflow=workflow)
    mismatch = await harvest.verify(demo.out, str(demo.harvest))
    verified = await demo.verify(demo.harvest)
    kept_keys = {artifact.key for artifact in demo.stored if artifact.sha256 in kept}
    repeated = sum(
        request.origin == "storage" and request.path in kept_keys for request in demo.fake.requests[sent_before:]
    )
    resumed = len(demo.ranges(sent_before)) == 1
    demo.numbers |= {"kept_after_kill": len(kept), "downloaded_again": repeated, "verified_after_resume": verified}
    demo.checks["the second harvest downloaded no complete file again"] = (
        0 < len(kept) < len(demo.stored) and not repeated
    )
    demo.checks["the second harvest resumed the partial file"] = resumed
    is_intact = complete == mismatch == 0 and verified == len(demo.stored)
    demo.checks["the files match the ledger and the server"] = is_intact


async def _harvest_and_kill(demo: Demo, workflow: str) -> None:
    """Start a harvest, stall the storage in the middle of the largest file and later for all files, and kill it."""
    key, fail = escape(demo.stored[0].key), demo.fake.fail
    fail(key, origin="storage", cut=demo.stored[0].size * 2 // 3)
    stalls = (
        fail(key, origin="storage", delay=60, times=None),
        fail("/bucket/*", origin="storage", delay=4, times=None, after=KILLED_AFTER),
    )
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "circleci_async", "harvest", "run", API, "--latest", "--workflow", workflow),
        *("--into", str(demo.harvest)),
        env=environment | demo.fake.environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while process.returncode is None and not all(stall.hits for stall in stalls):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)  # for the ledger to record the received files
    if process.returncode is None:
        process.kill()
    await process.wait()
    for stall in stalls:
        stall.stop()


async def archive_into_bucket(demo: Demo) -> None:
    """Archive that pipeline, its logs and tests in a bucket, and write a catalog."""
    from ..harvest.destination.stores import is_installed

    if not is_installed():
        demo.out.say("Left out: buckets need the extra 'store': pip install 'circleci-async[store]'.")
        return
    id, workflow = demo.pipeline.id, demo.stored[0].job.workflow
    workflow.jobs[0].step("Log in", output=f"Using the token {LEAKED}\n")
    demo.out.say(f"The step 'Log in' of {workflow.jobs[0].name} has printed a token of GitHub.")
    what, table = "artifacts,logs,tests", demo.harvest.with_name("files.csv")
    demo.out.say(f"$ circleci-async harvest run ... --into {BUCKET} --what {what}", "dim")
    circle, out = demo.circle, demo.out
    code = await harvest.run(circle, out, [API], BUCKET, what=what, pipeline_id=[id], workflow=workflow.name)
    out.say(f"$ circleci-async harvest catalog {BUCKET} --csv {table.name}", "dim")
    await catalog.catalog(out, BUCKET, csv=table)

    objects, rows = await asyncio.to_thread(_objects_and_rows, table)
    found = Counter(hashlib.sha256(content).hexdigest() for content in objects.values())
    verified = (Counter(artifact.sha256 for artifact in demo.stored) & found).total()
    out.say(f"{verified} of {len(demo.stored)} artifacts have the SHA-256 that the server has.")
    out.fields([(kind, str(count)) for kind, count in Counter(row["kind"] for row in rows).items()])
    log = next(content.decode() for key, content in objects.items() if key.endswith("Log in.txt"))
    out.say(f"The log of 'Log in' is: {log.strip()}")
    demo.numbers["objects"] = len(objects)
    demo.checks["the objects have the bytes of the server"] = code == 0 and verified == len(demo.stored)
    is_leaked = any(LEAKED.encode() in content for content in objects.values())
    demo.checks["no object contains the token, and its log has a mark"] = not is_leaked and "[scrubbed]" in log
    listed = {row["target"]: row["sha256"] for row in rows}
    demo.checks["the catalog has a row for each object"] = listed == {
        key: hashlib.sha256(content).hexdigest() for key, content in objects.items()
    }


def _objects_and_rows(table: Path) -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """Return the objects in the bucket, without the ledger, and the rows of the catalog."""
    from ..harvest.destination.stores import open_bucket

    bucket = open_bucket("into", BUCKET)
    objects = {each.key: b"".join(bucket.pieces(each.key)) for each in bucket.list() if each.key[0] != "."}
    with table.open(encoding="utf-8", newline="") as stream:
        return objects, list(csv.DictReader(stream))


async def report_insights(demo: Demo) -> None:
    """Report 90 days of another organization's runs, as a summary and a page."""
    from ..reports import charts
    from ..testing import FakeCircleCI, World

    if not charts.are_installed():
        demo.out.say("Left out: the page needs the extra 'report': pip install 'circleci-async[report]'.")
        return
    world = World.history(projects=2, runs=800)
    world.organization("gh/acme").usage.export_time = 0.0
    demo.out.say(f"$ circleci-async report gh/acme --usage --into {demo.page.name}", "dim")
    async with FakeCircleCI(world) as fake, fake.client(trust_env=False) as circle:
        report = await circle.insights.report("gh/acme", usage=True)
    show_summary(demo.out, report, questions=QUESTIONS)
    await asyncio.to_thread(report.save, demo.page)
    demo.out.say(f"and {len(report.answers) - QUESTIONS} more questions. The page is\n{demo.page}")

    html = await asyncio.to_thread(demo.page.read_text, "utf-8")
    demo.numbers |= {"runs": len(report.runs), "page": str(demo.page)}
    drawn = html.count('<div class="chart wide">')
    demo.checks["the page has a chart or a table for each question"] = drawn == len(report.answers) - 1
    worse = world.regression
    demo.checks["the page names the regression in the history"] = (
        worse is not None and f"{worse.failing_project} {worse.failing_workflow} fails more often" in html
    )


def default_page() -> Path:
    """Return the path of the page of the report, which is the same for each demo of a user."""
    user = getattr(os, "getuid", int)()
    return Path(gettempdir(), f"circleci-async-demo-{user}.html")


def checksums(folder: Path) -> list[str]:
    """Return the SHA-256 of each file in a folder whose path has no name that starts with a dot."""
    paths = [path for path in folder.rglob("*") if path.is_file() and "/." not in f"/{path.relative_to(folder)}"]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


SCENES: tuple[Callable[[Demo], Awaitable[None]], ...] = (
    *(show_user, list_pipelines, show_job, download_artifacts, show_insights),
    *(follow_pipeline, receive_webhooks, kill_and_resume_harvest, archive_into_bucket, report_insights),
)
