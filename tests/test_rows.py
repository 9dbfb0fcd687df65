"""Models become rows for data frames."""

import inspect
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args, get_origin
from uuid import UUID

import attrs
import pandas as pd
import polars as pl
import pytest

import circleci_async as ca
from circleci_async import CircleCI, InvalidArgument, Paged, columns, resources, rows
from circleci_async.core.codec import decode
from circleci_async.models import (
    Actor,
    Artifact,
    Collaboration,
    DurationMetrics,
    FlakyTestReport,
    JobStep,
    ListedProject,
    Pipeline,
    PipelineError,
    PipelineErrorType,
    PipelineState,
    PipelineTrigger,
    PipelineVcs,
    ProjectSummary,
    RunStatus,
    StepAction,
    StepOutput,
    StepStatus,
    TriggerType,
    User,
    WorkflowMetrics,
    WorkflowMetricsValues,
    WorkflowRun,
)
from circleci_async.testing import FakeCircleCI, World
from tests.models.spec import MODELS, examples

MADE = datetime(2026, 5, 4, 10, tzinfo=UTC)


def pipeline(number: int, **options: Any) -> Pipeline:
    trigger = PipelineTrigger(type=TriggerType.API, received_at=MADE, actor=options.pop("actor", None))
    return Pipeline(
        id=f"p-{number}",
        number=number,
        project_slug="gh/acme/api",
        state=PipelineState.CREATED,
        created_at=MADE,
        trigger=trigger,
        **options,
    )


VCS = PipelineVcs(
    provider_name="GitHub",
    origin_repository_url="https://github.com/fork/api",
    target_repository_url="https://github.com/acme/api",
    revision="f00",
    branch="main",
)


def test_a_nested_model_becomes_columns() -> None:
    [row] = rows([pipeline(1, vcs=VCS, actor=Actor(login="octo-dev"))])
    assert row["trigger.type"] == "api"
    assert row["trigger.actor.login"] == "octo-dev"
    assert row["vcs.branch"] == "main"
    assert "trigger" not in row
    assert "vcs" not in row


def test_a_nested_model_that_is_none_has_columns_of_none() -> None:
    bare, full = rows([pipeline(1), pipeline(2, vcs=VCS)])
    assert list(bare) == list(full)
    assert bare["vcs.branch"] is None
    assert bare["trigger.actor.login"] is None


def test_lists_and_maps_become_json_text() -> None:
    error = PipelineError(type=PipelineErrorType.CONFIG, message="é")
    [row] = rows([pipeline(1, errors=(error,), trigger_parameters={"git": {"tag": "v1"}})])
    assert json.loads(row["errors"]) == [{"type": "config", "message": "é"}]
    assert json.loads(row["trigger_parameters"]) == {"git": {"tag": "v1"}}
    assert row["warnings"] == "[]"


def test_dates_are_kept_and_enums_become_text() -> None:
    [row] = rows([pipeline(1)])
    assert row["created_at"] == MADE
    assert type(row["state"]) is str


def test_models_of_this_package_become_rows() -> None:
    download = ca.Download(
        path=Path("out/a.txt"),
        artifact=Artifact(path="a.txt", node_index=0, url="https://x"),
        size=1,
        sha256="00",
        verified=True,
    )
    [row] = rows([download])
    assert row["path"] == "out/a.txt"
    assert row["artifact.node_index"] == 0


def test_a_mapping_is_copied() -> None:
    row = {"JOB_NAME": "test", "TOTAL_CREDITS": "10"}
    [same] = rows([row])
    assert same == row
    assert same is not row


def test_items_of_several_classes_have_all_columns() -> None:
    user, artifact = rows([User(id="u", login="l"), Artifact(path="a", node_index=0, url="https://x")])
    assert list(user) == list(artifact)
    assert user["url"] is None
    assert artifact["login"] is None


def test_no_items_give_no_rows() -> None:
    assert rows([]) == []
    assert pl.DataFrame(rows([])).is_empty()


@pytest.mark.parametrize("wrong", [5, "text", None, b"x"], ids=repr)
def test_an_item_must_be_a_model_or_a_mapping(wrong: Any) -> None:
    with pytest.raises(
        InvalidArgument, match=f"items must be models such as Pipeline, or mappings, got a {type(wrong).__name__}"
    ):
        rows([wrong])


def test_a_paged_list_is_refused() -> None:
    listing: Any = CircleCI("").pipelines.list("gh/acme/api")
    with pytest.raises(InvalidArgument, match=r"call `await paged\.rows\(\)`, or pass `await paged\.collect\(\)`"):
        rows(listing)


async def test_rows_become_data_frames() -> None:
    world = World.generate(seed=3, projects=1, pipelines=30)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        [slug] = world.projects
        pipelines = await circle.pipelines.list(slug).collect()
    table = rows(pipelines)
    frame = pl.DataFrame(table)
    assert frame.height == len(pipelines) == 30
    assert frame["number"].to_list() == [each.number for each in pipelines]
    assert frame.schema["created_at"] == pl.Datetime("us", "UTC")
    assert frame.schema["vcs.branch"] == pl.String
    other = pd.DataFrame(table)
    assert list(other["vcs.branch"]) == frame["vcs.branch"].to_list()
    assert str(other["created_at"].dtype).startswith("datetime64[")
    assert str(other["created_at"].dtype).endswith("UTC]")


def test_polars_infers_a_late_value_with_infer_schema_length() -> None:
    table = rows([*map(pipeline, range(150)), pipeline(150, vcs=VCS)])
    frame = pl.DataFrame(table, infer_schema_length=None)
    assert frame["vcs.branch"][-1] == "main"
    assert pd.DataFrame(table)["vcs.branch"].iloc[-1] == "main"


@pytest.mark.parametrize("operation", [name for name, kind in MODELS.items() if hasattr(kind, "__attrs_attrs__")])
def test_every_model_becomes_a_row_of_plain_values(operation: str) -> None:
    table = rows([decode(MODELS[operation], json.dumps(body).encode()) for body in examples(operation)])
    assert {type(cell) for row in table for cell in row.values()} <= {str, int, float, bool, datetime, type(None)}
    assert pl.DataFrame(table).height == len(pd.DataFrame(table)) == len(table)


def test_an_async_iterable_is_refused() -> None:
    usage: Any = CircleCI("").usage.export(str(UUID(int=0)), "7d")
    with pytest.raises(InvalidArgument, match=r"items must be fetched first: pass `\[item async for item in items\]`"):
        rows(usage)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (VCS, "got one PipelineVcs: pass `[item]`"),
        (FlakyTestReport(flaky_tests=(), total_flaky_tests=0), "got one FlakyTestReport: pass its `flaky_tests`"),
        (
            ProjectSummary(),
            "got one ProjectSummary: pass its `project_workflow_data` or `project_workflow_branch_data`",
        ),
    ],
)
def test_one_model_is_refused_with_its_lists(wrong: Any, problem: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        rows(wrong)
    assert str(caught.value) == f"items must be a list of models, {problem}"


@pytest.mark.parametrize("wrong", [None, 5, "text", {"a": 1}], ids=["None", "number", "text", "mapping"])
def test_items_must_be_a_list(wrong: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        rows(wrong)
    assert str(caught.value) == f"items must be a list of models, got {wrong!r}"


# Columns


METRICS = WorkflowMetrics(
    name="build",
    window_start=MADE,
    window_end=MADE,
    metrics=WorkflowMetricsValues(
        total_runs=4,
        successful_runs=3,
        failed_runs=1,
        success_rate=0.75,
        throughput=1.5,
        duration_metrics=DurationMetrics(median=60),
    ),
)


def test_further_arguments_become_the_first_columns() -> None:
    [row] = rows([METRICS], project="gh/acme/api", strip="metrics.")
    assert list(row)[:3] == ["project", "name", "total_runs"]
    assert (row["project"], row["name"], row["total_runs"], row["duration_metrics.median"]) == (
        "gh/acme/api",
        "build",
        4,
        60,
    )
    assert list(row) == columns(WorkflowMetrics, project="gh/acme/api", strip="metrics.")
    assert list(row)[1:] == [name for name in columns(WorkflowMetrics, strip="metrics.") if name != "project"]


def test_values_of_further_columns_become_cells() -> None:
    slug, id = ca.ProjectSlug.parse("gh/acme/api"), UUID("5034460f-c7c4-4c43-9457-de07e2029e7b")
    [row] = rows(
        [{"N": 1}],
        project=slug,
        id=id,
        day=date(2026, 5, 4),
        at=MADE,
        status=RunStatus.FAILED,
        tags=["a"],
        none=None,
    )
    assert row == {
        "project": "gh/acme/api",
        "id": str(id),
        "day": date(2026, 5, 4),
        "at": MADE,
        "status": "failed",
        "tags": '["a"]',
        "none": None,
        "N": 1,
    }
    assert type(row["project"]) is type(row["status"]) is str


def test_a_further_column_replaces_a_column_of_the_same_name() -> None:
    [row] = rows([User(id="u", login="l")], login="other")
    assert row == {"login": "other", "id": "u", "name": None, "avatar_url": None}
    assert list(row) == columns(User, login="other")


def test_strip_removes_a_prefix_of_mappings_too() -> None:
    assert rows([{"JOB_NAME": "test", "TOTAL": 1}], strip="JOB_") == [{"NAME": "test", "TOTAL": 1}]


@pytest.mark.parametrize(
    ("strip", "message"),
    [
        ("trigger.actor.", "strip='trigger.actor.' gives the columns 'x' and 'trigger.actor.x' the same name"),
        ("trigger", "strip='trigger' leaves '.actor.x' of the column 'trigger.actor.x': end it with a dot"),
        ("trig", "strip='trig' leaves 'ger.actor.x' of the column 'trigger.actor.x': end it with a dot"),
        ("trigger.a", "strip='trigger.a' leaves 'ctor.x' of the column 'trigger.actor.x': end it with a dot"),
        ("trigger.type", "strip='trigger.type' leaves '' of the column 'trigger.type': end it with a dot"),
        (None, "strip must be the start of names of columns, such as 'metrics.', got None"),
        (["trigger."], r"strip must be the start of names of columns, such as 'metrics\.', got \['trigger\.'\]"),
    ],
)
def test_strip_must_leave_different_names(strip: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        rows([{"x": 1, "trigger.actor.x": 2, "trigger.type": "api"}], strip=strip)


def test_a_collision_in_a_model_names_both_columns() -> None:
    item = ca.Download(
        path=Path("a"),
        artifact=Artifact(path="a", node_index=0, url="https://x"),
        size=1,
        sha256="00",
        verified=True,
    )
    for fail in (lambda: rows([item], strip="artifact."), lambda: columns(ca.Download, strip="artifact.")):
        with pytest.raises(InvalidArgument) as caught:
            fail()
        assert str(caught.value) == (
            "strip='artifact.' gives the columns 'artifact.path' and 'path' the same name: use another prefix"
        )


@pytest.mark.parametrize("wrong", [None, "Pipeline", str, dict, METRICS, list[Pipeline]], ids=str)
def test_columns_need_the_class_of_a_model(wrong: Any) -> None:
    with pytest.raises(InvalidArgument, match="kind must be the class of a model, such as Pipeline, got "):
        columns(wrong)


def listed_models() -> set[type]:
    """Return the class of each item that a call of the client lists."""
    kinds = [
        inspect.signature(method).return_annotation
        for name in resources.__all__
        for _, method in inspect.getmembers(getattr(resources, name), inspect.isfunction)
    ]
    items = {get_args(kind)[0] for kind in kinds if get_origin(kind) in (Paged, list)}
    return {item for item in items if isinstance(item, type) and attrs.has(item)}


LISTED = sorted(listed_models(), key=lambda kind: kind.__name__)


LISTED_PROJECT = ListedProject(slug="gh/acme/api", name="api", organization_slug="gh/acme")
STEP_OUTPUT = StepOutput(name="make test", node=0, status=StepStatus.FAILED, exit_code=2, text="no")
JOB_STEP = JobStep(
    name="make test",
    number=101,
    status=StepStatus.FAILED,
    exit_code=2,
    started_at=MADE,
    ended_at=None,
    actions=(StepAction(node=0, name="make test", status=StepStatus.FAILED, failed=True),),
)


def instances(kind: type) -> list[Any]:
    """Return the instances in the examples of the API, also without what is optional."""
    whole = [
        decode(model, json.dumps(body).encode())
        for operation, model in MODELS.items()
        if kind in (model, *get_args(model))
        for body in examples(operation)
    ]
    full = [item for each in whole for item in (each if isinstance(each, list) else [each])]
    full += [
        each for each in (LISTED_PROJECT, STEP_OUTPUT, JOB_STEP) if type(each) is kind
    ]  # not in the description of the API
    optional = {
        field.alias: None if type(None) in get_args(field.type) else field.default
        for field in attrs.fields(attrs.resolve_types(kind))
        if field.default is not attrs.NOTHING and not isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]  # a class
    }
    return [*full, *(attrs.evolve(each, **optional) for each in full)]


@pytest.mark.parametrize("kind", LISTED)
def test_rows_of_a_listed_model_have_its_columns(kind: type) -> None:
    found = instances(kind)
    assert len(found) >= 2
    names = columns(kind)
    assert len(names) == len(set(names)) > 0
    assert [list(row) for row in rows(found)] == [names] * len(found)
    assert [list(row) for row in rows(found, extra=1)] == [columns(kind, extra=1)] * len(found)


def test_all_listed_models_are_tested() -> None:
    assert len(LISTED) > 25
    assert {Pipeline, WorkflowMetrics, WorkflowRun, JobStep, Collaboration} <= {*LISTED}


@pytest.mark.parametrize("count", [0, 1, 150])
def test_data_frames_have_the_columns_also_without_rows(count: int) -> None:
    table = rows([METRICS] * count, project="gh/acme/api", strip="metrics.")
    names = columns(WorkflowMetrics, project="gh/acme/api", strip="metrics.")
    frame = pl.DataFrame(table, schema=names, infer_schema_length=None)
    other = pd.DataFrame(table, columns=names)
    assert frame.columns == list(other.columns) == names
    assert frame.height == len(other) == count
    assert frame["total_runs"].to_list() == list(other["total_runs"]) == [4] * count


async def test_a_listing_becomes_rows() -> None:
    world = World.generate(seed=3, projects=1, pipelines=30)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        [slug] = world.projects
        listing = circle.pipelines.list(slug)
        table = await listing.rows(project=slug, strip="vcs.commit.")
        assert table == rows(await listing.collect(), project=slug, strip="vcs.commit.")
        assert next(iter(table[0])) == "project"
        assert "subject" in table[0]
        assert [row["number"] for row in await listing.rows(limit=2)] == [row["number"] for row in table[:2]]
        assert await listing.rows(0) == []
        mappings = await circle.paginate(f"/project/{slug}/pipeline").rows(limit=1, project=slug)
        assert mappings[0]["project"] == slug
        assert mappings[0]["id"] == table[0]["id"]
