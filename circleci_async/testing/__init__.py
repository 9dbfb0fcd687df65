"""An embedded CircleCI for tests, demos and benchmarks of your own code::

    world = World()
    project = world.project("gh/acme/api")
    job = project.pipeline(branch="main").workflow("build").job("test")
    job.artifact("report.txt", b"All is well.")

    async with FakeCircleCI(world) as fake, fake.client() as circle:
        async for artifact in circle.artifacts.list("gh/acme/api", job.number):
            ...

It runs by itself too: `python -m circleci_async.testing`.
"""

from .accounts import Organization
from .builds import Pipeline, Workflow
from .exchange import Received
from .faults import Fault
from .jobs import Artifact, Job
from .limits import RateLimit
from .projects import Project
from .server import FakeCircleCI
from .world import World

__all__ = [
    "Artifact",
    "FakeCircleCI",
    "Fault",
    "Job",
    "Organization",
    "Pipeline",
    "Project",
    "RateLimit",
    "Received",
    "Workflow",
    "World",
]
