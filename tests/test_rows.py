"""Models become rows for data frames."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import circleci_async as ca
from circleci_async import CircleCI, InvalidArgument, rows
from circleci_async.core.codec import decode
from circleci_async.testing import FakeCircleCI, World
from tests.models.spec import MODELS, examples

MADE = datetime(2026, 5, 4, 10, tzinfo=UTC)


def pipeline(number: int, **options: Any) -> ca.Pipeline:
    trigger = ca.PipelineTrigger(type=ca.TriggerType.API, received_at=MADE, actor=options.pop("actor", None))
    return ca.Pipeline(
        id=f"p-{number}",
        number=number,
        project_slug="gh/acme/api",
        state=ca.PipelineState.CREATED,
        created_at=MADE,
        trigger=trigger,
        **options,
    )


VCS = ca.PipelineVcs(
    provider_name="GitHub",
    origin_repository_url="https://github.com/fork/api",
    target_repository_url="https://github.com/acme/api",
    revision="f00",
    branch="main",
)


def test_a_nested_model_becomes_columns() -> None:
    [row] = rows([pipeline(1, vcs=VCS, actor=ca.Actor(login="octo-dev"))])
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
    error = ca.PipelineError(type=ca.PipelineErrorType.CONFIG, message="é")
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
        artifact=ca.Artifact(path="a.txt", node_index=0, url="https://x"),
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
    user, artifact = rows([ca.User(id="u", login="l"), ca.Artifact(path="a", node_index=0, url="https://x")])
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
    with pytest.raises(InvalidArgument, match=r"await paged\.collect\(\)"):
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


@pytest.mark.parametrize("wrong", [None, 5, "text", VCS, {"a": 1}], ids=["None", "number", "text", "model", "mapping"])
def test_items_must_be_a_list(wrong: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        rows(wrong)
    assert str(caught.value) == f"items must be a list of models, got {wrong!r}"
