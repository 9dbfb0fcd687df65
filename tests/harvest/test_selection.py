"""Selections: globs, times, ids, and invalid combinations."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import circleci_async as ca
from circleci_async.globs import matches, matches_path
from circleci_async.models import JobStatus

ID = "5034460f-c7c4-4c43-9457-de07e2029e7b"
OTHER = "00000000-c7c4-4c43-9457-de07e2029e7b"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("glob", "path", "wanted"),
    [
        ("**/*.xml", "a.xml", True),
        ("**/*.xml", "x/y/a.xml", True),
        ("**/*.xml", "x/y/a.xml.gz", False),
        ("*.xml", "a.xml", True),
        ("*.xml", "x/a.xml", False),
        ("reports/*", "reports/a", True),
        ("reports/*", "reports/x/a", False),
        ("reports/**", "reports/x/a", True),
        ("reports/**", "reports", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "axb", False),
        ("a**/b", "ax/b", True),
        ("a**/b", "ax/y/b", False),
        ("**", "x/y", True),
        ("**/x", "yx", False),
        ("a?b", "axb", True),
        ("a?b", "a/b", False),
        ("x[ab].txt", "xa.txt", True),
        ("x[!ab].txt", "xa.txt", False),
        ("x[!ab]y", "x/y", False),
        ("x[]]y", "x]y", True),
        ("x[!]]y", "x]y", False),
        ("x[a-c]", "xb", True),
        ("x[", "x[", True),
        ("a.b", "axb", False),
        ("A.xml", "a.xml", False),
        ("line*", "line\nbreak", True),
        (None, "anything/at all", True),
    ],
)
def test_path_globs(glob: str | None, path: str, wanted: bool) -> None:
    assert matches_path(glob, path) is wanted


def matches_names(globs: Sequence[str], names: Sequence[str]) -> bool:
    """Match name by name, with backtracking: the meaning of a glob of paths."""
    if not globs:
        return not names
    first, *others = globs
    if first == "**":
        return (
            any(matches_names(others, names[skipped:]) for skipped in range(len(names) + 1)) if others else bool(names)
        )
    return bool(names) and fnmatchcase(names[0], first) and matches_names(others, names[1:])


@given(
    st.lists(st.text("ab*?", min_size=1, max_size=5) | st.just("**"), min_size=1, max_size=5),
    st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=5),
)
def test_a_path_glob_matches_name_by_name(globs: list[str], names: list[str]) -> None:
    assert matches_path("/".join(globs), "/".join(names)) is matches_names(globs, names)


@pytest.mark.parametrize(
    ("glob", "name", "wanted"),
    [
        ("main", "main", True),
        ("main", "maintenance", False),
        ("release/*", "release/1/2", True),
        ("test-?", "test-1", True),
        ("v[0-9]*", "v1.2", True),
        ("*", None, False),
        (None, None, True),
    ],
)
def test_name_globs(glob: str | None, name: str | None, wanted: bool) -> None:
    assert matches(glob, name) is wanted


@pytest.mark.parametrize(
    ("since", "moment"),
    [
        ("7d", NOW - timedelta(days=7)),
        ("12h", NOW - timedelta(hours=12)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2w", NOW - timedelta(weeks=2)),
        ("90 s", NOW - timedelta(seconds=90)),
        (timedelta(days=1), NOW - timedelta(days=1)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T12:30:00+02:00", datetime(2026, 11, 1, 10, 30, tzinfo=UTC)),
        (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        (datetime(2026, 11, 1), datetime(2026, 11, 1, tzinfo=UTC)),  # noqa: DTZ001
        (date(2026, 11, 1), datetime(2026, 11, 1, tzinfo=UTC)),
        (None, None),
    ],
)
def test_since_and_until_accept_all_forms(since: Any, moment: datetime | None) -> None:
    assert ca.Selection(since=since).window(NOW) == (moment, None)
    assert ca.Selection(until=since).window(NOW) == (None, moment)


@pytest.mark.parametrize("ids", [ID, UUID(ID), [ID], {UUID(ID)}, [ID.upper(), ID]])
def test_one_id_or_several(ids: Any) -> None:
    assert ca.Selection(pipeline_id=ids).pipeline_id == (ID,)
    assert ca.Selection(workflow_id=ids).workflow_id == (ID,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"branch": "main", "tag": "v1"}, "branch and tag cannot be combined, got branch='main', tag='v1'"),
        ({"branch": ""}, "branch must be a name or a glob .*, got ''"),
        ({"job": 7}, "job must be a name or a glob .*, got 7"),
        ({"path": ["*.xml"]}, "path must be a name or a glob"),
        (
            {"since": "yesterday"},
            "since must be a datetime, a date, a positive timedelta, or text such as '7d', .*, got 'yesterday'",
        ),
        ({"since": 7}, "since must be a datetime, .*, got 7"),
        ({"since": timedelta(days=-1)}, "since must be a datetime, a date, a positive timedelta"),
        ({"since": "1d", "until": "2d"}, "since must be earlier than until, got since="),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "since must be earlier than until, got since="),
        ({"status": "sucess"}, "status must be one of 'blocked', .*'success'.*, got 'sucess'"),
        ({"latest": "yes"}, "latest must be True or False, got 'yes'"),
        ({"latest": True, "pipeline_id": ID}, "latest=True cannot be combined with pipeline_id or workflow_id"),
        ({"latest": True, "workflow_id": ID}, "latest=True cannot be combined with pipeline_id or workflow_id"),
        ({"pipeline_id": 7}, "pipeline_id must be an id such as .*, got 7"),
        ({"pipeline_id": []}, r"pipeline_id must be an id such as .*, got \[\]"),
        ({"workflow_id": "build"}, "workflow_id must be an id such as .*, got 'build'"),
    ],
)
def test_invalid_selections_raise(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ca.InvalidArgument, match=message):
        ca.Selection(**arguments)


def test_equal_selections_have_the_same_key() -> None:
    assert ca.Selection(since="7d", job="a").key == ca.Selection(job="a", since=timedelta(days=7)).key
    assert ca.Selection(status=JobStatus.SUCCESS).key == ca.Selection(status="success").key
    assert ca.Selection(pipeline_id=[ID, OTHER]).key == ca.Selection(pipeline_id=(OTHER, UUID(ID))).key
    one_each: list[dict[str, Any]] = [{name: "x"} for name in ("branch", "tag", "workflow", "job", "path")]
    keys = [ca.Selection(**arguments).key for arguments in one_each]
    assert len({ca.Selection().key, ca.Selection(latest=True).key, ca.Selection(since="1d").key, *keys}) == 8
