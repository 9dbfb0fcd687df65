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

from .exchange import Received
from .faults import Fault
from .limits import RateLimit
from .server import FakeCircleCI
from .world import World

__all__ = ["FakeCircleCI", "Fault", "RateLimit", "Received", "World"]
