"""Builds: pipeline, workflow and job as JSON."""

import json
from pathlib import Path
from typing import Any

from circleci_async.testing import FakeCircleCI, World
from tests.harvest.harvests import QUICK, gets, harvest, tree


def world_of(jobs: int = 1) -> World:
    world = World()
    workflow = world.project("gh/acme/api").pipeline(branch="main").workflow("build")
    for number in range(jobs):
        workflow.job(f"test-{number}")
    return world


def builds(into: Path) -> list[Any]:
    return [json.loads(data) for _, data in sorted(tree(into).items())]


async def test_the_details_are_those_of_the_api(into: Path) -> None:
    async with FakeCircleCI(world_of()) as fake:
        (await harvest(fake, into, what="builds")).raise_for_failures()
        ((name, data),) = tree(into).items()
        assert name == "gh/acme/api/1/build/test-0-1/build.json"
        found = json.loads(data)
        async with fake.client(retry=QUICK) as circle:
            job = await circle.request("GET", "/project/gh/acme/api/job/1")
            pipeline = await circle.request("GET", f"/pipeline/{job['pipeline']['id']}")
            workflow = await circle.request("GET", f"/workflow/{job['latest_workflow']['id']}")
        assert found == {"pipeline": pipeline, "workflow": workflow, "job": job}
        assert data.decode() == json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


async def test_pipeline_and_workflow_are_requested_once(into: Path) -> None:
    async with FakeCircleCI(world_of(jobs=8)) as fake:
        (await harvest(fake, into, what="builds")).raise_for_failures()
        paths = gets(fake, origin="api")
        assert len([path for path in paths if "/job/" in path]) == 8
        assert len([path for path in paths if path.count("/") == 4 and "/pipeline/" in path]) == 1
        assert len([path for path in paths if path.count("/") == 4 and "/workflow/" in path]) == 1
        assert len(builds(into)) == 8


async def test_a_deleted_pipeline_is_null_and_a_deleted_job_has_no_file(into: Path) -> None:
    async with FakeCircleCI(world_of(jobs=2)) as fake:
        (id,) = [pipeline.id for pipeline in fake.world.pipelines.all]
        fake.fail(f"/api/v2/pipeline/{id}", status=404, times=None)
        fake.fail("*/job/2", status=404, times=None)
        report = await harvest(fake, into, what="builds")
        assert report.is_complete
        (found,) = builds(into)
        assert (found["pipeline"], found["job"]["number"], found["workflow"]["name"]) == (None, 1, "build")


async def test_secrets_in_parameters_are_replaced(into: Path) -> None:
    async with FakeCircleCI(world_of()) as fake:
        (id,) = [pipeline.id for pipeline in fake.world.pipelines.all]
        async with fake.client(retry=QUICK) as circle:
            pipeline = await circle.request("GET", f"/pipeline/{id}")
        pipeline["trigger_parameters"] = {"aws_secret_access_key": "w" * 40, "url": "https://u:pa55@host"}
        fake.fail(f"/api/v2/pipeline/{id}", body=pipeline, times=None)
        report = await harvest(fake, into, what="builds")
        assert report.scrubbed == {"aws-secret-access-key": 1, "url-password": 1}
    (found,) = builds(into)
    assert found["pipeline"]["trigger_parameters"] == {
        "aws_secret_access_key": "[scrubbed]",
        "url": "https://u:[scrubbed]@host",
    }
