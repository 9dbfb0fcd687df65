"""How notebooks show models and tables."""

import inspect
import pkgutil
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import attrs
import pytest

from circleci_async import models
from circleci_async.core.html import MAX_CELL, MAX_ROWS, model_html
from circleci_async.models import (
    FlakyTestReport,
    InsightsJob,
    InsightsTest,
    Organization,
    RunStatus,
    UsageExport,
    UsageExportState,
    WorkflowRun,
)
from circleci_async.reports.table import InsightsTable

MODELS: list[Any] = [
    kind
    for module in pkgutil.iter_modules(models.__path__)
    for _, kind in inspect.getmembers(import_module(f"{models.__name__}.{module.name}"), inspect.isclass)
    if attrs.has(kind) and kind.__module__.startswith(models.__name__)
]


def html(value: Any) -> str:
    shown: str = value._repr_html_()
    return shown


def test_every_model_is_shown_as_html() -> None:
    assert len(MODELS) > 100
    assert [kind.__name__ for kind in MODELS if not hasattr(kind, "_repr_html_")] == []


def test_a_model_is_a_table_of_its_fields() -> None:
    run = WorkflowRun(
        id="1", created_at=datetime(2026, 11, 1, 8, 30, tzinfo=UTC), credits_used=7, status=RunStatus.FAILED
    )
    assert html(run).startswith(
        "<table><caption>WorkflowRun</caption><tr><th>id</th><td>1</td></tr>"
        "<tr><th>created_at</th><td>2026-11-01 08:30:00+00:00</td></tr><tr><th>credits_used</th><td>7</td></tr>"
        "<tr><th>status</th><td>failed</td></tr><tr><th>stopped_at</th><td></td></tr>"
    )


def test_text_is_escaped_and_clipped() -> None:
    shown = html(Organization(id="<script>", slug="\x1b[31m\u202e", name="é" * 10_000))
    assert "<td>&lt;script&gt;</td>" in shown
    assert r"<td>\x1b[31m\u202e</td>" in shown
    assert len(shown) < 400 + MAX_CELL


def test_lists_are_counted() -> None:
    report = FlakyTestReport(flaky_tests=(), total_flaky_tests=0.0)
    assert "<tr><th>flaky_tests</th><td>0 items</td></tr>" in html(report)


def test_a_float_has_at_most_four_decimals() -> None:
    shown = html(
        InsightsTest(
            project="gh/acme/api",
            workflow="build",
            job="test",
            test_name="t",
            total_runs=1,
            failed_runs=0,
            is_flaky=False,
            p95_duration=1 / 3,
        )
    )
    assert "<tr><th>p95_duration</th><td>0.3333</td></tr>" in shown


def test_secrets_are_not_shown() -> None:
    export = UsageExport(
        usage_export_job_id="e-1",
        state=UsageExportState.COMPLETED,
        download_urls=("https://storage.example/part?X-Amz-Signature=s3cret",),
    )
    assert "s3cret" not in html(export)
    assert "download_urls" not in html(export)

    @attrs.frozen
    class Masked:
        token: str = attrs.field(repr=lambda _: "***")
        inner: UsageExport

    assert "s3cret" not in model_html(Masked("s3cret", export))
    assert "<th>token</th><td>***</td>" in model_html(Masked("s3cret", export))


@pytest.mark.parametrize("count", [0, 1, MAX_ROWS, MAX_ROWS + 1])
def test_a_table_has_its_first_rows_and_the_number_of_all(count: int) -> None:
    job = InsightsJob(project="gh/acme/api", workflow="<b>", job="test", total_runs=1, successful_runs=1, failed_runs=0)
    shown = html(InsightsTable(InsightsJob, [job] * count))
    assert shown.count("<tr>") == 1 + min(count, MAX_ROWS)
    assert shown.count("<td>&lt;b&gt;</td>") == min(count, MAX_ROWS)
    assert shown.endswith("</table>" if count <= MAX_ROWS else f"<p>… {count} rows</p>")
    assert "<th>median_duration</th>" in shown
