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

from .fake import FakeCircleCI
from .server.exchange import Received
from .server.faults import Fault
from .server.limits import RateLimit
from .state.world import World

__all__ = ["FakeCircleCI", "Fault", "RateLimit", "Received", "World"]
