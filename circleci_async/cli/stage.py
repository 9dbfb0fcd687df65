"""What the demo plays on: an embedded CircleCI with a generated world, a rate limit, latency, and faults on purpose."""

import hashlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from glob import escape
from pathlib import Path

from attrs import frozen

from ..testing import Artifact, FakeCircleCI, Fault, Pipeline, RateLimit, World

PER_SECOND = 8
LATENCY = 0.02
RUN_TIME = 1.2
HALF = 1_300_000
"""Bytes of the largest file that come before it gets stuck."""
STUCK = 4.0


@frozen
class Stage:
    """The embedded CircleCI, and what it knows that the SDK has to find out."""

    server: FakeCircleCI
    pipeline: Pipeline
    """The newest one of the first project; its jobs left the artifacts."""
    faults: Mapping[str, Fault]
    """By what goes wrong."""
    per_second: int = PER_SECOND
    latency: float = LATENCY

    @property
    def artifacts(self) -> dict[str, Artifact]:
        """The artifacts of the pipeline by their addresses."""
        host = self.server.artifact_host
        return {f"http://{host}{artifact.location}": artifact for artifact in _artifacts(self.pipeline)}

    @property
    def largest(self) -> Artifact:
        """The largest one of the artifacts."""
        return max(_artifacts(self.pipeline), key=lambda artifact: artifact.size)

    def count_verified(self, files: Iterable[tuple[str, Path]]) -> int:
        """Count the files, each with its address, whose bytes on disk hash to what the server has.

        Whatever the SDK says of them.
        """
        artifacts = self.artifacts
        count = 0
        for address, path in files:
            with path.open("rb") as stream:
                count += hashlib.file_digest(stream, "sha256").hexdigest() == artifacts[address].sha256
        return count

    def get_stuck(self, after: int) -> tuple[Fault, Fault]:
        """Let the storage get stuck: in the middle of the largest file, and for a while with all others after so many.

        Not for ever, since after a 429 a client has less requests out at once, and those that are stuck may be all.
        """
        key = escape(self.largest.key)
        self.server.fail(key, origin="storage", cut=HALF)
        return (
            self.server.fail(key, origin="storage", delay=60, times=None),
            self.server.fail("/bucket/*", origin="storage", delay=STUCK, times=None, after=after),
        )

    @property
    def tokens_leaked(self) -> int:
        """How many requests carried the token to the storage, which must never see it, by the server's own record."""
        return sum(
            any(self.server.token in value for value in request.headers.values())
            for request in self.server.requests
            if request.origin == "storage"
        )


@asynccontextmanager
async def stage() -> AsyncGenerator[Stage, None]:
    """Serve it on loopback for a while."""
    world = World.generate(seed=7, projects=8, pipelines=25, artifacts=60, artifact_sizes=(1_000, 2_000_000))
    project = next(iter(world.projects.values()))
    project.on_trigger("build-and-test", ("lint", "unit-tests", "package"))
    project.on_trigger("docs", ("build-docs",))
    failing = [*world.projects.values()][1]
    failing.on_trigger("build", ("lint", "unit-tests:failed"))
    # No rate-limit headers: the client learns of the limit when it is refused, and must take the refusal to heart.
    limit = RateLimit(PER_SECOND, headers=None)
    async with FakeCircleCI(world, rate_limit=limit, latency=LATENCY, run_time=RUN_TIME) as server:
        pipeline = project.pipelines.all[-1]
        yield Stage(server, pipeline, _plan_faults(server, pipeline))


def _plan_faults(server: FakeCircleCI, pipeline: Pipeline) -> dict[str, Fault]:
    largest, second, *_ = sorted(_artifacts(pipeline), key=lambda artifact: -artifact.size)
    api = f"/api/v2/project/{pipeline.project.slug}"
    page = "<html><title>Service Unavailable</title></html>"
    return {
        "a 503 page instead of an answer": server.fail("/api/v2/me", status=503, body=page),
        "a connection reset instead of a list": server.fail(f"{api}/pipeline", method="GET", reset="after"),
        "a file that breaks off in the middle": server.fail(
            escape(largest.key), origin="storage", cut=largest.size // 2
        ),
        "a file whose address has expired": server.fail(escape(second.location), origin="artifacts", expired=True),
        "a 500 instead of a job": server.fail(f"{api}/job/*", status=500),
    }


def _artifacts(pipeline: Pipeline) -> list[Artifact]:
    return [artifact for workflow in pipeline.workflows for job in workflow.jobs for artifact in job.artifacts]
