"""Paging and page tokens."""

from datetime import timedelta

import pytest

from circleci_async.testing import FakeCircleCI, World

from .caller import Caller


@pytest.fixture(autouse=True)
def project(world: World) -> None:
    project = world.project("gh/acme/api")
    for number in range(1, 46):
        project.pipeline(branch="main" if number <= 41 else "fix")


async def test_a_page_has_twenty_items_and_the_last_one_no_token(api: Caller) -> None:
    pages = await api.walk("/project/gh/acme/api/pipeline")

    assert [len(page) for page in pages] == [20, 20, 5]
    assert [item["number"] for page in pages for item in page] == list(range(45, 0, -1))


async def test_a_filter_is_kept_over_the_pages(api: Caller) -> None:
    pages = await api.walk("/project/gh/acme/api/pipeline?branch=main")

    assert [item["number"] for page in pages for item in page] == list(range(41, 0, -1))


async def test_a_full_last_page_has_no_token(world: World, api: Caller) -> None:
    workflow = world.projects["gh/acme/api"].pipelines.all[0].workflow()
    for number in range(20):
        workflow.job(f"job-{number}")

    assert [len(page) for page in await api.walk(f"/workflow/{workflow.id}/job")] == [20]
    workflow.job("one more")
    assert [len(page) for page in await api.walk(f"/workflow/{workflow.id}/job")] == [20, 1]


async def test_new_records_do_not_shift_the_pages(api: Caller, world: World) -> None:
    first = await api.get("/project/gh/acme/api/pipeline")
    world.projects["gh/acme/api"].pipeline()

    second = await api.get(f"/project/gh/acme/api/pipeline?page-token={first['next_page_token']}")

    assert second["items"][0]["number"] == 25


async def test_a_pipeline_with_an_older_date_does_not_shift_the_pages(api: Caller, world: World) -> None:
    first = await api.get("/pipeline?org-slug=gh/acme")
    world.project("gh/acme/web").pipeline(created_at=world.clock() - timedelta(days=1))

    second = await api.get(f"/pipeline?org-slug=gh/acme&page-token={first['next_page_token']}")

    assert [item["number"] for item in second["items"]] == list(range(25, 5, -1))


async def test_runs_that_end_or_become_too_old_meanwhile_do_not_shift_the_pages(api: Caller, world: World) -> None:
    pipelines = world.projects["gh/acme/api"].pipelines.all
    now = world.clock()
    runs = [pipelines[0].workflow("ci", created_at=now - timedelta(days=89, hours=23 - n / 2)) for n in range(45)]
    running = pipelines[0].workflow("ci", status="running", created_at=now - timedelta(days=89, hours=10))
    first = await api.get("/insights/gh/acme/api/workflows/ci")
    world.clock = lambda: now + timedelta(hours=1.8)
    running.status = "success"

    second = await api.get(f"/insights/gh/acme/api/workflows/ci?page-token={first['next_page_token']}")

    assert [item["id"] for item in second["items"]] == [run.id for run in runs[24:4:-1]]


@pytest.mark.parametrize("deleted", [3, 19])
async def test_a_deleted_item_does_not_hide_another(api: Caller, world: World, deleted: int) -> None:
    for number in range(45):
        world.context("gh/acme", f"context-{number:02}")
    first = await api.get("/context?owner-slug=gh/acme")
    await api.delete(f"/context/{first['items'][deleted]['id']}")

    second = await api.get(f"/context?owner-slug=gh/acme&page-token={first['next_page_token']}")

    assert [item["name"] for item in second["items"]] == [f"context-{number}" for number in range(20, 40)]


async def test_every_list_call_is_paged(api: Caller, world: World) -> None:
    pipeline = world.projects["gh/acme/api"].pipelines.all[0]
    names = [f"name-{number:02}" for number in range(21)]
    for name in names:
        workflow = pipeline.workflow(name)
        pipeline.workflow("same")
    for name in names:
        job = workflow.job(name)
    for name in names:
        job.test(name)
        job.artifact(name, b"")

    for path in (
        "/pipeline?org-slug=gh/acme",
        "/project/gh/acme/api/pipeline/mine",
        f"/pipeline/{pipeline.id}/workflow",
        f"/workflow/{workflow.id}/job",
        f"/project/gh/acme/api/{job.number}/tests",
        f"/project/gh/acme/api/{job.number}/artifacts",
        "/insights/gh/acme/api/workflows",
        "/insights/gh/acme/api/workflows/same",
        "/insights/gh/acme/api/workflows/name-20/jobs",
        "/insights/time-series/gh/acme/api/workflows/name-20/jobs",
    ):
        pages = await api.walk(path)
        assert len(pages) >= 2, path
        assert all(len(page) == 20 for page in pages[:-1]), path


@pytest.mark.parametrize("token", ["", "x", "nonsense", "AAAAAAAAAAAAAAAAAAAAAAAA", "%FF", "20"])
async def test_an_invalid_token_answers_400(api: Caller, token: str) -> None:
    answer = await api.get(f"/project/gh/acme/api/pipeline?page-token={token}", status=400)

    assert answer == {"message": "Invalid page token."}


async def test_a_token_is_valid_for_its_list_and_filter_only(api: Caller) -> None:
    token = (await api.get("/project/gh/acme/api/pipeline?branch=main"))["next_page_token"]

    await api.get(f"/project/github/acme/api/pipeline?branch=main&page-token={token}")
    for path in ("/project/gh/acme/api/pipeline?", "/project/gh/acme/api/pipeline?branch=fix&", "/pipeline?"):
        await api.get(f"{path}page-token={token}", status=400)


async def test_the_page_size_can_be_chosen(world: World, api: Caller) -> None:
    async with FakeCircleCI(world, page_size=7) as fake:
        pages = await Caller(fake, api.http).walk("/project/gh/acme/api/pipeline")

    assert [len(page) for page in pages] == [7] * 6 + [3]
