"""The page of a report in headless Chromium, with nothing but its file."""

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from tests.reports import chromium, sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(bool(chromium.missing()), reason=chromium.missing())

CHARTS = {  # marks at least, of the chart that is visible
    "failures": 90 + 1 + 50,
    "waits": 4 + 4 * 13,
    "jobs": 12 + 1 + 12,
    "flaky_tests": 7,
    "credits": 2 * 15 - 3,
    "queue": 90,
    "sizing": 12,
}


CHECKS = Path(__file__).with_name("page_checks.js").read_text("utf-8")


def checked(page: "Page", name: str) -> Any:
    """Return what a function of page_checks.js measures."""
    return page.evaluate(f"({CHECKS})().{name}()")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=["--no-sandbox"] if is_root else [])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def sample_page(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Page]":
    """The page of the sample, opened once, since a browser takes a second of processor time for each."""
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(sample.page(), "utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    yield page
    page.close()


@pytest.fixture
def page(sample_page: "Page") -> "Page":
    """The page of the sample in a light window of 1280 pixels."""
    show(sample_page, 1280)
    return sample_page


def show(
    page: "Page", width: int, scheme: Literal["light", "dark"] = "light", media: Literal["print"] | None = None
) -> None:
    """Show the page in a window of this width, in this color scheme, on a screen or as it is printed."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(media=media or "screen", color_scheme=scheme)


def recorded(page: "Page") -> tuple[list[str], list[str]]:
    """Return lists to which the page adds the URLs that it requests, and the messages that it reports."""
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    return requests, messages


def test_the_page_loads_nothing_and_reports_no_error(browser: "Browser", tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(sample.page(), "utf-8")
    page = browser.new_page()
    requests, messages = recorded(page)
    page.goto(file.as_uri())
    page.wait_for_load_state("networkidle")
    assert (requests, messages) == ([file.as_uri()], [])
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_each_chart_is_drawn_once_and_readable(page: "Page", width: int) -> None:
    show(page, width)
    charts = checked(page, "charts")
    texts = {answer.key: answer.text for answer in sample.answers()}
    assert {key: len(found) for key, found in charts.items() if found} == dict.fromkeys(CHARTS, 1)
    for key, (chart,) in ((key, found) for key, found in charts.items() if found):
        assert (chart["role"], chart["label"]) == ("img", texts[key])
        assert chart["marks"] >= CHARTS[key], key
    layout = checked(page, "layout")
    assert (layout["small"], layout["clipped"], layout["overlapping"]) == ([], [], [])
    assert layout["width"] == layout["inner"] == width


def test_light_and_dark_have_contrast(page: "Page") -> None:
    found = {"light": checked(page, "contrast")}
    show(page, 1280, "dark")
    found["dark"] = checked(page, "contrast")
    for contrast in found.values():
        assert contrast["text"] >= 4.5
        assert contrast["cells"] >= 4.5
        assert contrast["count"]
        assert contrast["marks"] >= 3
    assert found["light"]["card"] != found["dark"]["card"]


@pytest.mark.parametrize("width", [700, 1280])
def test_a_printed_page_is_light_and_has_the_wide_charts(page: "Page", width: int) -> None:
    show(page, width, "dark", "print")
    assert checked(page, "contrast")["card"] == "rgb(255, 255, 255)"
    assert page.locator(".wide svg").first.is_visible()
    assert not page.locator(".narrow svg").first.is_visible()
    assert not page.locator("summary, nav").first.is_visible()


def test_the_keyboard_reaches_everything(page: "Page") -> None:
    focused: list[tuple[str, bool]] = []
    while len(focused) < 50:
        page.keyboard.press("Tab")
        name, is_visible = checked(page, "focus")
        if name.startswith("BODY"):
            break
        focused.append((name, is_visible))
    links = [f"A#{key}" for key in (*sample.KEYS, "unread", "notes")]
    tables = [f"SUMMARY{key}" for key in CHARTS]
    assert [name for name, _ in focused] == ["A#answers", *links, *tables, "DIVchanges"]
    assert [name for name, is_visible in focused if not is_visible] == []

    summary = page.locator("#jobs summary")
    table = page.locator("#jobs table")
    assert not table.is_visible()
    summary.focus()
    page.keyboard.press("Enter")
    assert table.is_visible()
    assert table.locator("tbody tr").count() == len(sample.jobs())
    page.keyboard.press("Enter")
    assert not table.is_visible()


def test_the_page_of_a_generated_history_shows_its_regression(browser: "Browser", tmp_path: Path) -> None:
    world = World.history(projects=2, runs=700)

    async def read() -> ca.InsightsReport:
        async with FakeCircleCI(world) as fake, fake.client() as circle:
            return await circle.insights.report(list(world.projects), usage=True)

    with ThreadPoolExecutor(1) as pool:  # playwright runs an event loop in this thread
        report = pool.submit(lambda: asyncio.run(read())).result()
    file = report.save(tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 390, "height": 900})
    requests, messages = recorded(page)
    page.goto(file.as_uri())
    page.wait_for_load_state("networkidle")
    assert (requests, messages) == ([file.as_uri()], [])
    rows = {answer.key: answer.rows for answer in report.answers}
    marks = {key: sum(chart["marks"] for chart in found) for key, found in checked(page, "charts").items()}
    assert {key: marks[key] for key in ("flaky_tests", "queue", "sizing")} == {
        "flaky_tests": min(len(rows["flaky_tests"]), 12),
        "queue": len(rows["queue"]),
        "sizing": len(rows["sizing"]),
    }
    known = [sum(row[name] is not None for row in rows["failures"]) for name in ("failure_rate", "recovery")]
    assert marks["failures"] == sum(known) + 1  # the line
    assert marks["waits"] == 4 + 2 * len(rows["waits"])
    layout = checked(page, "layout")
    assert (layout["small"], layout["clipped"], layout["overlapping"]) == ([], [], [])
    assert world.regression
    failing, slower = world.regression.failing_project, world.regression.slower_project
    for key, project, workflow in (
        ("failures", failing, world.regression.failing_workflow),
        ("waits", slower, world.regression.slower_workflow),
    ):
        assert f"{project} {workflow} " in page.locator(f"#{key} .answer").inner_text()
    page.close()


def test_an_empty_report_and_a_notebook_show_text(browser: "Browser", tmp_path: Path) -> None:
    report = sample.report(sample.empty_answers())
    path = tmp_path / "page.html"
    page = browser.new_page(viewport={"width": 390, "height": 900})
    for html in (report.html(), f"<!DOCTYPE html><meta charset=utf-8><table><td>{report._repr_html_()}</table>"):
        path.write_text(html, encoding="utf-8")
        page.goto(path.as_uri())
        for answer in sample.empty_answers():
            assert page.get_by_text(answer.text, exact=True).is_visible()
        assert page.locator("svg").count() == 0
    page.close()
