"""Steps and their output in API v1.1, during and after a job."""

import itertools
import json
from typing import Any

import pytest
from yarl import URL

from circleci_async.errors import InvalidArgument
from circleci_async.testing import FakeCircleCI, Job, Project, Step, World

from .caller import Caller
from .clock import Clock

TRIGGER = "/project/gh/acme/api/pipeline"
BUILD = "/project/gh/acme/api/1"


@pytest.fixture
def project(world: World) -> Project:
    return world.project("gh/acme/api")


@pytest.fixture
def job(project: Project) -> Job:
    return project.pipeline().workflow().job("test", parallelism=2)


class V1:
    """Sends requests to API v1.1, with JSON in Accept."""

    def __init__(self, api: Caller) -> None:
        self.api = api
        self.type = ""
        self.length: int | None = None

    async def read(self, path: str, *, status: int = 200, **headers: str) -> bytes:
        named = {"Circle-Token": self.api.fake.token, "Accept": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = URL(f"{self.api.fake.url}/api/v1.1{path}", encoded=True)
        sent = {name: value for name, value in named.items() if value}
        async with self.api.http.get(url, headers=sent, skip_auto_headers=("Accept",)) as answer:
            body = await answer.read()
            self.type, self.length = answer.content_type, answer.content_length
        assert answer.status == status, body
        return body

    async def get(self, path: str = BUILD, *, status: int = 200, **headers: str) -> Any:
        return json.loads(await self.read(path, status=status, **headers))

    async def actions(self, path: str = BUILD) -> list[Any]:
        return [action for step in (await self.get(path))["steps"] for action in step["actions"]]


@pytest.fixture
def v1(api: Caller) -> V1:
    return V1(api)


# Created steps


async def test_steps_have_sparse_numbers_and_an_action_for_each_node(v1: V1, job: Job) -> None:
    job.step("Spin up environment", exit_code=None, status="success", output="up\n")
    job.step("Preparing environment variables", exit_code=None, status="success")
    job.step("Checkout code", command="git clone", duration=2.5)
    for node, code in ((0, 0), (1, 3)):
        job.step("Run tests", output="...", errors="oops\n", exit_code=code, node=node, type="test")

    steps = (await v1.get())["steps"]

    assert [step["name"] for step in steps] == [
        "Spin up environment",
        "Preparing environment variables",
        "Checkout code",
        "Run tests",
    ]
    assert [[action["step"] for action in step["actions"]] for step in steps] == [[0], [99], [101], [102, 102]]
    first, second = steps[3]["actions"]
    assert (first["index"], first["status"], first["failed"], first["exit_code"]) == (0, "success", None, 0)
    assert (second["index"], second["status"], second["failed"], second["exit_code"]) == (1, "failed", True, 3)
    checkout = steps[2]["actions"][0]
    assert checkout == {
        "truncated": False,
        "index": 0,
        "parallel": True,
        "failed": None,
        "infrastructure_fail": None,
        "name": "Checkout code",
        "bash_command": "git clone",
        "status": "success",
        "timedout": None,
        "continue": None,
        "end_time": "2026-05-04T09:00:04.750Z",
        "type": "test",
        "allocation_id": f"{job.id}-0-build",
        "start_time": "2026-05-04T09:00:02.250Z",
        "background": False,
        "exit_code": 0,
        "insignificant": False,
        "canceled": None,
        "step": 101,
        "run_time_millis": 2500,
        "has_output": False,
    }, "output_url is omitted without output"
    assert steps[0]["actions"][0]["exit_code"] is None
    assert steps[0]["actions"][0]["bash_command"] is None


async def test_the_build_identifies_its_job(v1: V1, job: Job) -> None:
    build = await v1.get()

    assert (build["build_num"], build["status"], build["outcome"], build["lifecycle"]) == (
        1,
        "success",
        "success",
        "finished",
    )
    assert (build["username"], build["reponame"], build["branch"], build["parallel"]) == ("acme", "api", "main", 2)
    assert build["workflows"]["job_id"] == job.id
    assert build["workflows"]["workflow_id"] == job.workflow.id
    assert (build["build_time_millis"], build["start_time"]) == (10000, "2026-05-04T09:00:00.250Z")
    assert build["steps"] == []


async def test_a_timed_out_step_has_no_exit_code(v1: V1, job: Job) -> None:
    job.step("Run tests", status="timedout", exit_code=7)

    [action] = await v1.actions()

    assert (action["status"], action["timedout"], action["failed"], action["exit_code"]) == (
        "timedout",
        True,
        None,
        None,
    )
    assert action["end_time"] is not None


@pytest.mark.parametrize(("status", "flag"), [("canceled", "canceled"), ("infrastructure_fail", "infrastructure_fail")])
async def test_interrupted_steps_are_flagged(v1: V1, job: Job, status: str, flag: str) -> None:
    job.step("Run tests", status=status)

    [action] = await v1.actions()

    assert (action["status"], action[flag], action["failed"], action["exit_code"]) == (status, True, None, None)


async def test_step_fields_can_be_null(v1: V1, job: Job) -> None:
    first = job.step("Lost", output="x")
    first.number = None
    running = job.step("Goes on", status="running", output="so far\n", background=True)
    hidden = job.step("Hidden", output="secret address", url=False)

    lost, goes_on, unaddressed = await v1.actions()

    assert lost["step"] is None
    assert [goes_on[key] for key in ("end_time", "run_time_millis", "exit_code")] == [None, None, None]
    assert (goes_on["status"], goes_on["background"], goes_on["has_output"]) == ("running", True, True)
    assert "output_url" not in goes_on, "output is stored when the step ends"
    assert (unaddressed["has_output"], "output_url" in unaddressed) == (True, False)
    assert "output_url" in lost
    assert hidden.started_at == first.stopped_at, "a step in the background does not delay it"
    running.end(exit_code=2)
    assert (await v1.actions())[1]["failed"] is True


async def test_steps_can_print_and_end_later(job: Job, clock: Clock) -> None:
    step = job.step("Run tests", output="1\n", status="running")
    step.print("2\n", type="err")

    assert (step.output, [message.type for message in step.messages]) == ("1\n2\n", ["out", "err"])
    assert step.messages[1].at == clock.now


@pytest.mark.parametrize("wrong", [{"node": 2}, {"node": -1}, {"size": -1}])
def test_invalid_step_arguments_are_rejected(job: Job, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(wrong))):
        job.step("Run tests", **wrong)
    assert job.steps == []


# Output


async def test_output_is_stored_as_json(v1: V1, job: Job, clock: Clock) -> None:
    job.step("Run tests", output=[("out", "one\n"), ("err", "ö\n"), ("out", "two\n")])
    [action] = await v1.actions()

    status, body = await v1.api.fetch(action["output_url"])

    assert status == 200
    assert json.loads(body) == [
        {"message": "one\n", "time": "2026-05-04T09:00:01.250Z", "type": "out"},
        {"message": "ö\n", "time": "2026-05-04T09:00:01.250Z", "type": "err"},
        {"message": "two\n", "time": "2026-05-04T09:00:01.250Z", "type": "out"},
    ]
    assert action["output_url"].startswith(f"http://{v1.api.fake.storage_host}/action-output/{job.id}/")
    assert v1.api.answer.content_type == "application/json"


async def test_the_storage_rejects_tokens_and_expired_urls(v1: V1, job: Job, clock: Clock) -> None:
    job.step("Run tests", output="one\n")
    [action] = await v1.actions()
    url = action["output_url"]

    status, body = await v1.api.fetch(url, Circle_Token=v1.api.fake.token)
    assert (status, b"Only one auth mechanism allowed" in body) == (400, True)
    status, _ = await v1.api.fetch(url.replace("X-Amz-Signature=", "X-Amz-Signature=0"))
    assert status == 403
    clock.wait(61)
    status, body = await v1.api.fetch(url)
    assert (status, b"Request has expired" in body) == (403, True)

    [action] = await v1.actions()
    status, _ = await v1.api.fetch(action["output_url"])
    assert status == 200


async def test_missing_output_answers_404(v1: V1, job: Job, project: Project) -> None:
    job.step("Run tests", output="one\n")
    [action] = await v1.actions()
    job.steps.clear()

    status, _ = await v1.api.fetch(action["output_url"])

    assert status == 404


async def test_the_api_returns_output_as_text_or_as_json(v1: V1, job: Job) -> None:
    job.step("Spin up environment", output="up\n")
    for node in (0, 1):
        job.step("Run tests", output=f"node {node} ✓\n", errors="bad\n", node=node, number=104)

    text = await v1.read(f"{BUILD}/output/104/1?file=true")
    assert (text.decode(), v1.type) == ("node 1 ✓\nbad\n", "text/plain")
    assert [message["message"] for message in await v1.get(f"{BUILD}/output/104/0")] == ["node 0 ✓\n", "bad\n"]
    assert (await v1.read(f"{BUILD}/output/0/0?file=true")).decode() == "up\n"

    for path in ("103/0", "104/2", "0/1", "x/0", "None/0"):
        await v1.get(f"{BUILD}/output/{path}", status=404)
    await v1.get(f"{BUILD}/output/104/1", status=401, Circle_Token="")


async def test_large_output_is_generated_while_it_is_read(v1: V1, job: Job) -> None:
    step = job.step("Run tests", size=3_000_000, output="and the end\n")

    [action] = await v1.actions()
    status, body = await v1.api.fetch(action["output_url"])
    text = (await v1.read(f"{BUILD}/output/0/0?file=true")).decode()

    assert status == 200
    assert "".join(message["message"] for message in json.loads(body)) == text == step.output
    assert (len(text), text[-12:], v1.length) == (3_000_012, "and the end\n", 3_000_012)
    lines = text.splitlines()
    assert [int(line[:12]) for line in lines[:-2]] == list(range(len(lines) - 2))


def test_a_gigabyte_of_output_needs_little_memory(job: Job) -> None:
    step = job.step("Run tests", size=1 << 30)

    first = list(itertools.islice(step.content.pieces(), 10))

    assert max(map(len, first)) < 1 << 17
    assert step.content.size > 1 << 30
    assert step.text.size == 1 << 30


async def test_a_range_of_a_large_output(v1: V1, job: Job) -> None:
    step = job.step("Run tests", size=500_000, output="the end\n")
    [action] = await v1.actions()
    whole = b"".join(step.content.pieces())

    for start, stop in ((0, 0), (70_000, 300_000), (len(whole) - 60, len(whole) - 1)):
        status, body = await v1.api.fetch(action["output_url"], Range=f"bytes={start}-{stop}")
        assert (status, body) == (206, whole[start : stop + 1])


@pytest.mark.parametrize("size", [0, 1, 63, 64, 64 * 1024, 64 * 1024 + 1, 200_000])
@pytest.mark.parametrize("output", ["", "the end\n"])
def test_generated_output_has_its_size_and_valid_json(job: Job, size: int, output: str) -> None:
    step = job.step("Run tests", size=size, output=output)
    body = b"".join(step.content.pieces())

    assert len(body) == step.content.size
    assert "".join(message["message"] for message in json.loads(body)) == step.output
    assert len(step.output) == size + len(output)


# Access and formats


@pytest.mark.parametrize("vcs", ["gh", "github"])
async def test_the_vcs_can_be_short_or_long(v1: V1, job: Job, vcs: str) -> None:
    assert (await v1.get(f"/project/{vcs}/acme/api/1"))["build_num"] == 1


async def test_projects_of_every_vcs_are_found(v1: V1, world: World) -> None:
    for slug in ("bb/acme/api", "circleci/GM1mbrQEWnNbzLKEnotDo4/5gh9pgQgohHwicwomY5nYQ"):
        world.project(slug).pipeline().workflow().job("test")
        assert (await v1.get(f"/project/{slug}/1"))["build_num"] == 1
    assert (await v1.get("/project/bitbucket/acme/api/1"))["vcs_type"] == "bitbucket"


@pytest.mark.parametrize("path", ["gh/acme/api/2", "gh/acme/api/x", "gh/acme/none/1", "svn/acme/api/1"])
async def test_missing_builds_answer_404(v1: V1, job: Job, path: str) -> None:
    assert await v1.get(f"/project/{path}", status=404) == {"message": "Build not found"}


async def test_other_paths_and_methods_are_rejected(v1: V1, job: Job) -> None:
    await v1.get("/project/gh%2Facme%2Fapi/1", status=404)
    await v1.get("/project/gh/acme/api/1/retry", status=404)
    async with v1.api.http.post(f"{v1.api.fake.url}/api/v1.1{BUILD}", headers=v1.api.headers) as answer:
        assert answer.status == 405


async def test_a_job_canceled_before_its_start_answers_404(v1: V1, project: Project, clock: Clock) -> None:
    await v1.api.post(TRIGGER, status=201)
    clock.wait(1)
    assert (await v1.get())["lifecycle"] == "queued"

    await v1.api.post(f"{TRIGGER.rpartition('/')[0]}/job/1/cancel", status=200)

    await v1.get(status=404)
    assert (await v1.get("/project/gh/acme/api/2"))["steps"] == []


async def test_private_projects_require_a_token(v1: V1, job: Job, world: World) -> None:
    world.project("gh/acme/open", public=True).pipeline().workflow().job("test")

    assert (await v1.get("/project/gh/acme/open/1", Circle_Token=""))["build_num"] == 1
    for path in (BUILD, "/project/gh/acme/none/1"):
        assert "message" in await v1.get(path, status=401, Circle_Token="")
    await v1.get(status=401, Circle_Token="wrong")


@pytest.mark.parametrize("accept", ["", "*/*", "text/html"])
async def test_the_default_format_is_edn(v1: V1, job: Job, accept: str) -> None:
    job.step("Run tests", command='echo "hi"\n')

    body = (await v1.read(BUILD, Accept=accept)).decode()

    assert v1.type == "application/edn"
    assert body.startswith("{:build_num 1, :build_url ")
    assert ':bash_command "echo \\"hi\\"\\n"' in body
    assert ":vcs_tag nil" in body
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(body)
    assert await v1.read("/project/gh/acme/api/2", status=404, Accept=accept) == b'{:message "Build not found"}'
    await v1.get(Accept="text/html, application/json;q=0.9")


# Running jobs


async def started(v1: V1, project: Project, clock: Clock, *jobs: str, **recipe: Any) -> None:
    """Trigger a pipeline and wait until its first job has started: at 1.9 of 10 seconds. The job takes 8.1 seconds."""
    project.on_trigger(jobs=jobs or ("test",), **recipe)
    await v1.api.post(TRIGGER, status=201)
    clock.wait(1.9)


async def test_steps_appear_while_the_job_runs(v1: V1, project: Project, clock: Clock) -> None:
    await started(v1, project, clock)

    seen: list[list[tuple[str, str]]] = []
    for _ in range(82):
        shown = [(action["name"], action["status"]) for action in await v1.actions()]
        if not seen or shown != seen[-1]:
            seen.append(shown)
        clock.wait(0.1)

    up, variables = ("Spin up environment", "success"), ("Preparing environment variables", "success")
    checkout, tests = ("Checkout code", "success"), ("Run tests", "success")
    assert seen == [
        [("Spin up environment", "running")],
        [up, ("Preparing environment variables", "running")],
        [up, variables, ("Checkout code", "running")],
        [up, variables, checkout, ("Run tests", "running")],
        [up, variables, checkout, tests],
    ]
    assert [action["step"] for action in await v1.actions()] == [0, 99, 101, 102]


async def test_output_grows_while_a_step_runs_and_is_stored_when_it_ends(
    v1: V1, project: Project, clock: Clock
) -> None:
    lines = "".join(f"line {number}\n" for number in range(20))
    await started(v1, project, clock, output={"test": lines})
    clock.wait(2)

    seen = [""]
    while (action := (await v1.actions())[-1])["status"] == "running":
        assert "output_url" not in action
        text = (await v1.read(f"{BUILD}/output/{action['step']}/0?file=true")).decode()
        assert text.startswith(seen[-1])
        assert lines.startswith(text)
        if text != seen[-1]:
            seen.append(text)
        clock.wait(0.2)

    assert len(seen) > 3, "the output arrived in chunks"
    _, body = await v1.api.fetch(action["output_url"])
    messages = json.loads(body)
    assert "".join(message["message"] for message in messages) == lines
    assert len({message["time"] for message in messages}) > 3


def text_of(step: Step) -> str:
    return step.output.replace("\x1b[31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")


async def test_a_failed_job_has_a_failed_step_with_colors_and_a_message(v1: V1, project: Project, clock: Clock) -> None:
    await started(v1, project, clock, "test:failed", "lint:failed")
    clock.wait(10)

    *before, tests = await v1.actions()
    lint = (await v1.actions("/project/gh/acme/api/2"))[-1]

    assert {action["status"] for action in before} == {"success"}
    assert (tests["name"], tests["status"], tests["failed"], tests["exit_code"]) == ("Run tests", "failed", True, 1)
    assert (lint["name"], lint["status"]) == ("Run lint", "failed")
    step = project.jobs[1].steps[-1]
    assert "\x1b[31m" in step.output
    assert "tests/test_login.py::test_login - assert 1 == 2" in text_of(step)
    assert step.output.endswith("\nExited with code exit status 1\n")
    assert step.messages[-1].type == "err"
    assert "lint could not be done" in project.jobs[2].steps[-1].output


@pytest.mark.parametrize(
    ("outcome", "last"),
    [("timedout", "Run tests"), ("canceled", "Run tests"), ("infrastructure_fail", "Spin up environment")],
)
async def test_the_last_step_has_the_status_of_the_job(
    v1: V1, project: Project, clock: Clock, outcome: str, last: str
) -> None:
    await started(v1, project, clock, f"test:{outcome}")
    clock.wait(10)

    *before, action = await v1.actions()

    assert (action["name"], action["status"], action["exit_code"]) == (last, outcome, None)
    assert all(each["status"] == "success" for each in before)
    assert (await v1.get())["status"] == outcome


async def test_an_unauthorized_job_has_no_steps(v1: V1, project: Project, clock: Clock) -> None:
    await started(v1, project, clock, "test:unauthorized")
    clock.wait(10)

    assert await v1.actions() == []


async def test_canceling_a_job_ends_its_running_step(v1: V1, project: Project, clock: Clock) -> None:
    await started(v1, project, clock)
    clock.wait(4)

    await v1.api.post("/project/gh/acme/api/job/1/cancel", status=200)
    clock.wait(10)

    actions = await v1.actions()
    assert [action["status"] for action in actions] == ["success", "success", "success", "canceled"]
    assert actions[-1]["end_time"] == "2026-05-04T10:00:06.150Z"


async def test_on_trigger_sets_the_output_of_jobs(v1: V1, project: Project, clock: Clock) -> None:
    output: dict[str, Any] = {"test": [("out", "1\n2\n"), ("err", "boom\n")], "lint": ""}
    await started(v1, project, clock, "test:failed", "lint", "docs", output=output)
    clock.wait(10)

    jobs = v1.api.fake.world.projects["gh/acme/api"].jobs
    test, lint, docs = (jobs[number].steps[-1] for number in (1, 2, 3))

    assert (test.output, test.messages[-1].text, test.messages[-1].type) == ("1\n2\nboom\n", "boom\n", "err")
    assert (lint.output, (await v1.actions("/project/gh/acme/api/2"))[-1]["has_output"]) == ("", False)
    assert docs.output != ""


@pytest.mark.parametrize("name", ["tests", "hold"])
def test_output_of_an_unknown_job_is_rejected(project: Project, name: str) -> None:
    with pytest.raises(InvalidArgument, match="output"):
        project.on_trigger(jobs=("test", "hold:approval"), output={name: "x"})


async def test_the_last_step_uploads_artifacts(v1: V1, project: Project, clock: Clock) -> None:
    await started(v1, project, clock, "test:failed", artifacts={"a.txt": b"a", "b.txt": b"b"})
    clock.wait(10)

    assert [(action["name"], action["status"]) for action in await v1.actions()][-2:] == [
        ("Run tests", "failed"),
        ("Uploading artifacts", "success"),
    ]


async def test_a_rerun_has_its_own_steps_on_every_node(v1: V1, project: Project, clock: Clock) -> None:
    workflow = project.pipeline().workflow("build", status="failed")
    workflow.job("test", status="failed", parallelism=2).step("Run tests", exit_code=1, output="by hand")

    await v1.api.post(f"/workflow/{workflow.id}/rerun", status=202)
    clock.wait(100)

    actions = await v1.actions("/project/gh/acme/api/2")
    assert [(action["step"], action["index"]) for action in actions[-2:]] == [(102, 0), (102, 1)]
    assert {action["status"] for action in actions} == {"success"}


async def test_builds_are_consistent_at_any_time(v1: V1, project: Project, clock: Clock) -> None:
    project.on_trigger("build", jobs=("lint", "test:failed"), artifacts={"a.txt": b"a"})
    project.on_trigger("docs", jobs=("spell",), workflow_delay=2)
    await v1.api.post(TRIGGER, status=201)

    for _ in range(56):
        clock.wait(0.25)
        now = f"{clock.now:%Y-%m-%dT%H:%M:%S}.{clock.now.microsecond // 1000:03}Z"
        for workflow in (await v1.api.get(f"/pipeline/{project.pipelines.all[0].id}/workflow"))["items"]:
            jobs = (await v1.api.get(f"/workflow/{workflow['id']}/job"))["items"]
            ended = all(job["status"] in ("success", "failed") for job in jobs)
            assert ended == (workflow["stopped_at"] is not None) == (workflow["status"] in ("success", "failed"))
            for job in jobs:
                build = await v1.get(f"/project/gh/acme/api/{job['job_number']}")
                actions = [action for step in build["steps"] for action in step["actions"]]
                running = [action for action in actions if action["status"] == "running"]
                assert build["status"] == job["status"]
                assert len(running) <= (job["status"] == "running")
                assert bool(actions) == (job["status"] != "queued")
                assert all(action["start_time"] <= now for action in actions)
                assert all((action["end_time"] or now) <= (build["stop_time"] or now) <= now for action in actions)
                failed = any(action["failed"] for action in actions)
                assert failed or job["status"] != "failed"


async def test_the_steps_of_a_generated_world_match_their_jobs(api: Caller) -> None:
    world = World.generate(seed=7, projects=1)
    ran = [job for job in world.jobs.values() if job.stopped_at is not None and job.type == "build"]
    failed = [job for job in ran if job.status == "failed"]

    assert failed
    assert all(job.steps for job in ran)
    assert all(job.steps[-1].status == job.status for job in ran)
    for job in ran:
        assert job.stopped_at is not None
        assert all(step.stopped_at is not None and step.stopped_at <= job.stopped_at for step in job.steps)
    async with FakeCircleCI(world) as fake:
        v1 = V1(Caller(fake, api.http))
        actions = await v1.actions(f"/project/gh/acme/api/{failed[0].number}")
    assert {action["index"] for action in actions} == set(range(failed[0].parallelism))
