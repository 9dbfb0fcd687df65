"""The page of a report: its structure, what it escapes, its charts, and how it is saved."""

import re
import sys
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import attrs
import pytest

import circleci_async as ca
from circleci_async.reports import charts
from circleci_async.reports.answer import InsightsAnswer
from circleci_async.reports.charts.parts import duration_steps
from circleci_async.reports.data_table import MAX_ROWS, changes_table, data_table
from circleci_async.reports.failure import InsightsFailure
from tests.config.test_extras import Blocked
from tests.reports import sample

HOSTILE = "<script>alert('1')</script>\"&'</title></style>\u202e\x00\x1b[31m\ud800\nאב"
SHOWN = "&lt;script&gt;alert("


class Page(HTMLParser):
    """The elements of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        """Element, attribute and value."""
        self.texts: list[tuple[str, str]] = []
        """Element and text."""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags and data.strip():
            self.texts.append((self.tags[-1], data))

    def values(self, name: str, tag: str | None = None) -> list[str]:
        """Return the values of an attribute."""
        return [value for each, attribute, value in self.attributes if attribute == name and tag in {None, each}]

    def text(self, tag: str) -> list[str]:
        """Return the texts that follow the start of such an element."""
        return [text for each, text in self.texts if each == tag]


def answers(*keys: str) -> tuple[InsightsAnswer, ...]:
    """Return the answers, with rows only for these keys, since drawing takes time."""
    return tuple(
        full if full.key in keys else empty
        for full, empty in zip(sample.answers(), sample.empty_answers(), strict=True)
    )


def test_the_page_is_one_file_that_runs_and_loads_nothing() -> None:
    html = sample.report(answers("flaky_tests")).html()
    page = Page(html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert ("meta", "http-equiv", "Content-Security-Policy") in page.attributes
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page.values("content")
    assert "width=device-width, initial-scale=1" in page.values("content")
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(page.tags)
    assert [name for _, name, _ in page.attributes if name.startswith("on") or name in {"src", "srcset"}] == []
    assert "://" not in html
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    assert page.text("title")[0] == "CI report: acme/api, acme/web, 4 May 2026 to 1 Aug 2026"
    assert html.count("<h1>") == html.count("<main ") == 1


def test_the_page_has_a_section_for_each_answer_and_a_link_to_it() -> None:
    page = Page(sample.report(answers("flaky_tests", "changes")).html())
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert page.values("id", "section") == [*sample.KEYS, "unread", "notes"]
    links = page.values("href", "a")
    assert links == ["#answers", *(f"#{key}" for key in (*sample.KEYS, "unread", "notes"))]
    questions = [answer.question for answer in sample.answers()]
    assert page.text("h2") == [*questions, "What could not be read", "Notes"]
    assert page.text("caption") == ["Data: Which tests flake, and what does that cost?", questions[-1]]
    assert set(page.values("scope", "th")) == {"col", "row"}


def test_the_figures_are_those_of_the_runs() -> None:
    page = Page(sample.report(answers()).html())
    figures = dict(zip(page.text("dt"), page.text("dd"), strict=True))
    assert figures == {
        "Runs": "5,000",
        "Failure rate": "10 %",
        "p50 duration": "9 min 47 s",
        "p95 duration": "14 min 28 s",
        "Credits": "1,237,500",
        "Flaky tests": "0",
        "Requests": "137",
    }


def test_a_report_of_nothing_says_so() -> None:
    nothing: Any = sample.report(sample.empty_answers(), runs=(), failures=(), notes=(), requests=1)
    page = Page(nothing.html())
    assert "svg" not in page.tags
    assert "unread" not in page.values("id")
    assert [text for text in page.text("p") if text.startswith("No ")] == [
        answer.text for answer in sample.empty_answers()
    ]
    assert page.text("dd") == ["0", "-", "-", "-", "0", "0", "1"]


def test_names_and_texts_from_outside_are_escaped_everywhere() -> None:
    def renamed(answer: InsightsAnswer) -> InsightsAnswer:
        names = {"project", "workflow", "job", "test", "resource_class", "name"}
        rows = tuple({key: HOSTILE if key in names else value for key, value in row.items()} for row in answer.rows[:2])
        return attrs.evolve(answer, text=HOSTILE, question=HOSTILE, rows=rows)

    failure = InsightsFailure(project=HOSTILE, kind="runs", workflow=HOSTILE, error=ca.CircleCIError(HOSTILE))
    hostile: Any = {"projects": (HOSTILE,), "branch": HOSTILE, "failures": (failure,), "notes": (HOSTILE,)}
    report = sample.report(tuple(map(renamed, sample.answers())), **hostile)
    html = report.html()
    page = Page(html)
    for tag in ("h2", "title", "text", "bdi", "p", "caption"):
        assert [text for text in page.text(tag) if "alert(" in text], tag
    fragment = sample.report(tuple(attrs.evolve(each, rows=()) for each in report.answers), **hostile)._repr_html_()
    for each in (html, fragment):
        assert each.count(SHOWN) > 10
        assert "<script" not in each
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e\ud800]", each)
        assert each.encode()


def test_each_chart_has_a_text_alternative_tooltips_and_unique_ids() -> None:
    html = sample.page()
    assert len(html.encode()) < 1_000_000
    page = Page(html)
    drawn = [answer for answer in sample.answers() if answer.key != "changes"]
    assert page.values("aria-label", "svg") == [answer.text for answer in drawn for _ in range(2)]
    assert set(page.values("role", "svg")) == {"img"}
    assert len(page.values("id")) == len(set(page.values("id")))
    tips = page.text("title")
    assert "Mon 4 May 2026: 5.6 % of 54 runs failed" in tips
    assert "large: 610,300 credits" in tips
    assert {value for value in page.values("fill") if value.startswith("url")} == {
        "url(#credits-wide-hatch)",
        "url(#credits-narrow-hatch)",
    }
    colors = {value for name in ("fill", "stroke") for value in page.values(name)}
    assert [
        value for value in colors if not re.fullmatch(r"var\(--[a-z-]+\d?\)|none|transparent|url\(.*\)", value)
    ] == []


def test_the_same_report_has_the_same_page() -> None:
    report = sample.report(answers("jobs"))
    assert report.html() == report.html()


@pytest.mark.parametrize("key", [key for key in sample.KEYS if key != "changes"])
def test_a_chart_of_one_row_and_of_unknown_values_is_drawn(key: str) -> None:
    [answer] = [each for each in sample.answers() if each.key == key]
    unknown = {"failure_rate", "mean_7d", "recovery", "time_wasted", "failed_credits", "p50", "max_ram", "median"}
    row = {name: None if name in unknown else value for name, value in answer.rows[0].items()}
    one = charts.draw(attrs.evolve(answer, rows=answer.rows[:1]))
    assert one
    assert one.wide.startswith("<svg ")
    drawn = charts.draw(attrs.evolve(answer, rows=(row,)))
    assert (drawn is None) == (key == "sizing")
    assert "NaN" not in one.wide + (drawn.wide if drawn else "")


def test_days_without_runs_have_no_bar() -> None:
    day = date(2026, 5, 4)
    row = {"runs": 4, "failed": 2, "failure_rate": 0.5, "mean_7d": 0.5, "recovery": None}
    none = {"runs": 0, "failed": 0, "failure_rate": None, "mean_7d": 0.5, "recovery": None}
    rows = tuple({"day": day + timedelta(days=index), **(none if index == 1 else row)} for index in range(3))
    drawn = charts.draw(InsightsAnswer(key="failures", question="?", text="text", rows=rows))
    assert drawn
    bars = [text for text in Page(drawn.wide).text("title") if "runs failed" in text]
    assert bars == ["Mon 4 May 2026: 50 % of 4 runs failed", "Wed 6 May 2026: 50 % of 4 runs failed"]
    assert "Mean time to recovery" not in drawn.wide


def test_a_chart_of_many_jobs_ends_with_all_others() -> None:
    rows = tuple(
        {
            "project": "" if index == 20 else f"gh/acme/p{index % 3}",
            "workflow": "build",
            "job": "others" if index == 20 else f"job-{index}",
            "runs": 1,
            "median": 10.0,
            "total": 10.0,
            "share": 1 / 21,
            "cumulative_share": (index + 1) / 21,
        }
        for index in range(21)
    )
    drawn = charts.draw(InsightsAnswer(key="jobs", question="?", text="text", rows=rows))
    assert drawn
    tips = Page(drawn.wide).text("title")
    assert tips[12] == "others: 1 min 30 s, 43 %; with those above 100 %"
    assert tips[0] == "job-0 · p0: 10 s, 4.8 %; with those above 4.8 %"


@pytest.mark.parametrize(
    ("key", "column", "number", "legend"),
    [
        ("flaky_tests", "test", 13, "time wasted, and number of flakes; the first 12 of 13 tests"),
        ("flaky_tests", "test", 12, "time wasted, and number of flakes"),
        (
            "queue",
            "resource_class",
            9,
            "95 % of the jobs started within this number of seconds; the first 8 of 9 classes, by their jobs",
        ),
        ("sizing", "job", 201, "other job; the first 200 of 201 jobs, by their credits"),
        ("sizing", "job", 200, "other job"),
    ],
)
def test_the_legend_of_a_chart_of_the_first_rows_names_their_number(
    key: str, column: str, number: int, legend: str
) -> None:
    [answer] = [each for each in sample.answers() if each.key == key]
    rows = tuple({**answer.rows[0], column: f"name-{index:03}"} for index in range(number))
    drawn = charts.draw(attrs.evolve(answer, rows=rows))
    assert drawn
    assert drawn.legend[-1][1] == legend


@pytest.mark.parametrize(
    ("length", "text"), [(timedelta(days=1), "24 hours"), (timedelta(hours=12), "12 hours"), (timedelta(2), "2 days")]
)
def test_the_length_of_a_short_window_is_in_hours(length: timedelta, text: str) -> None:
    page = Page(sample.report(answers(), start=sample.END - length).html())
    assert page.text("p")[0].split(" · ")[1] == text


def test_the_notes_name_the_first_projects_of_many() -> None:
    page = Page(sample.report(answers(), projects=tuple(f"gh/acme/p{index}" for index in range(203))).html())
    assert page.texts[-1] == ("bdi", " and 3 more")
    assert [text for text in page.text("li") if text.startswith("The window")] == [
        "The window starts at 2026-05-04 00:00 and ends at 2026-08-02 00:00. All days and hours are in UTC."
    ]


def test_a_table_writes_units_and_is_clipped() -> None:
    row = {
        "week": date(2026, 5, 4),
        "hour": 9,
        "p95": 372.0,
        "share": 0.125,
        "runs": 1234,
        "is_candidate": True,
        "p50": None,
    }
    html = data_table([row] * (MAX_ROWS + 1), "Data")
    assert html.count("<tr>") == MAX_ROWS + 1
    assert f"<caption>Data: the first {MAX_ROWS} of 401 rows</caption>" in html
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html)[: len(row)]
    assert cells == ["2026-05-04", "09:00", "6 min 12 s", "12 %", "1,234", "yes", "-"]


def test_a_change_is_told_by_sign_arrow_and_word() -> None:
    html = changes_table(sample.changes(), "Changes")
    cells = [re.sub(r"<[^>]+>", "|", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", html)]
    assert cells[:3] == [
        "1,450||▲| +11.5 % more||was 1,300|",
        "12 %||▲| +4.7 points worse||was 7.1 %|",
        "13 min 41 s||▲| +28.3 % slower||was 10 min 40 s|",
    ]
    assert cells[5] == "210||▼| -1.9 % fewer||was 214|"
    assert cells[9] == "61,010|= unchanged|"  # by less than 0.05 %
    assert cells[15] == "90|not known before|"


def test_save_writes_the_page_and_returns_its_path(tmp_path: Path) -> None:
    report = sample.report(sample.empty_answers())
    path = tmp_path / "report.html"
    assert report.save(str(path)) == path
    assert path.read_text("utf-8") == report.html()
    path.write_text("old")
    assert report.save(path) == path
    assert path.read_text("utf-8") == report.html()
    assert [each for each in tmp_path.iterdir() if each.is_file()] == [path]


def test_save_names_the_path_that_cannot_be_written(tmp_path: Path) -> None:
    report = sample.report(sample.empty_answers())
    with pytest.raises(ca.InvalidArgument, match=r"^path must be the path of a file, got the folder "):
        report.save(tmp_path)
    with pytest.raises(ca.InvalidArgument, match=r"^path must be a string or a Path, got None"):
        report.save(None)  # type: ignore[arg-type]
    with pytest.raises(ca.InvalidArgument, match=r"^path must be a path on this machine, got an address"):
        report.save("s3://bucket/report.html")
    with pytest.raises(ca.CircleCIError, match=r"^path .*report.html cannot be written: .*: no such file or directory"):
        report.save(tmp_path / "missing" / "report.html")
    assert [each for each in tmp_path.iterdir() if each.is_file()] == []


@pytest.mark.parametrize("library", ["altair", "vl_convert"])
def test_without_the_extra_nothing_is_written_and_a_notebook_shows_text(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    report = sample.report(sample.answers())
    monkeypatch.setattr(sys, "meta_path", [Blocked(library), *sys.meta_path])
    monkeypatch.delitem(sys.modules, library, raising=False)
    with pytest.raises(ca.ConfigurationError, match=r"needs the extra 'report': install it with `pip install"):
        report.save(path)
    assert path.read_text() == "old"
    html = report._repr_html_()
    page = Page(html)
    assert "svg" not in page.tags
    assert [text for text in page.text("p") if text in {answer.text for answer in sample.answers()}] == [
        answer.text for answer in sample.answers()
    ]


def test_a_fragment_is_only_its_own_element() -> None:
    page = Page(sample.report(sample.empty_answers())._repr_html_())
    assert page.tags[0] == "div"
    assert not {"html", "head", "body", "title", "meta"} & set(page.tags)
    [style] = [text for tag, text in page.texts if tag == "style"]
    selectors = re.findall(r"^\s*([^@{}\s][^{}]*?)\s*\{", style, re.MULTILINE)
    assert len(selectors) > 40
    assert [each for each in selectors if not each.startswith(".circleci-report")] == []
    assert page.text("h2")[-1] == "What could not be read"
    assert page.values("id") == []  # a notebook can contain several reports


@pytest.mark.parametrize("longest", [86_400, 10**7, 10**9, 10**18, 2.0**63])
def test_an_axis_of_any_duration_has_few_ticks(longest: float) -> None:
    step, top = duration_steps(longest)
    assert longest < top <= longest * 2 + step
    assert top // step <= 6
