"""What a selection asks for, and which one can't be meant."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

import circleci_async as ca
from circleci_async.globs import matches, matches_path

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
def test_a_glob_of_paths(glob: str | None, path: str, wanted: bool) -> None:
    assert matches_path(glob, path) is wanted


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
def test_a_glob_of_names(glob: str | None, name: str | None, wanted: bool) -> None:
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
        (None, None),
    ],
)
def test_a_moment_in_every_spelling(since: Any, moment: datetime | None) -> None:
    assert ca.Selection(since=since).window(NOW) == (moment, None)
    assert ca.Selection(until=since).window(NOW) == (None, moment)


@pytest.mark.parametrize("ids", [ID, UUID(ID), [ID], {UUID(ID)}, [ID.upper(), ID]])
def test_one_id_or_several(ids: Any) -> None:
    assert ca.Selection(pipeline_id=ids).pipeline_id == (ID,)
    assert ca.Selection(workflow_id=ids).workflow_id == (ID,)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"branch": "main", "tag": "v1"}, "a pipeline has one of the two, not both"),
        ({"branch": ""}, "branch='': give a name, or a glob"),
        ({"job": 7}, "job=7: give a name, or a glob"),
        ({"path": ["*.xml"]}, r"path=\['\*.xml'\]: give a name, or a glob"),
        ({"since": "yesterday"}, "since='yesterday': give a datetime, a timedelta, or text such as '7d'"),
        ({"since": 7}, "since=7: give a datetime"),
        ({"until": datetime(2026, 1, 1)}, "until=.*: give a datetime with a time zone"),  # noqa: DTZ001
        ({"since": timedelta(days=-1)}, "since=.*: give"),
        ({"since": "1d", "until": "2d"}, "since must be the earlier of the two"),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "since must be the earlier of the two"),
        ({"status": "sucess"}, "status='sucess': give the status of a job: blocked, .*success"),
        ({"latest": "yes"}, "latest='yes': give True or False"),
        ({"latest": True, "pipeline_id": ID}, "latest=True looks for a pipeline by itself"),
        ({"latest": True, "workflow_id": ID}, "latest=True looks for a pipeline by itself"),
        ({"pipeline_id": 7}, "pipeline_id=7: give an id such as"),
        ({"pipeline_id": []}, r"pipeline_id=\[\]: give an id such as"),
        ({"workflow_id": "build"}, "workflow_id='build': give an id such as"),
    ],
)
def test_what_can_not_be_meant_is_refused_at_once(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ca.InvalidArgument, match=said):
        ca.Selection(**arguments)


def test_two_selections_that_ask_for_the_same_have_the_same_key() -> None:
    assert ca.Selection(since="7d", job="a").key == ca.Selection(job="a", since=timedelta(days=7)).key
    assert ca.Selection(status=ca.JobStatus.SUCCESS).key == ca.Selection(status="success").key
    assert ca.Selection(pipeline_id=[ID, OTHER]).key == ca.Selection(pipeline_id=(OTHER, UUID(ID))).key
    one_each: list[dict[str, Any]] = [{name: "x"} for name in ("branch", "tag", "workflow", "job", "path")]
    keys = [ca.Selection(**arguments).key for arguments in one_each]
    assert len({ca.Selection().key, ca.Selection(latest=True).key, ca.Selection(since="1d").key, *keys}) == 8
