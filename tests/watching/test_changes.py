"""Each change is found once, in order."""

from circleci_async.watching.changes import Change, Changes
from circleci_async.watching.snapshot import Snapshot, merged
from tests.watching.builds import job, pipeline, told, workflow


def test_at_first_all_that_there_is_is_told() -> None:
    build = workflow("build", "running")
    snapshot = Snapshot(pipeline(), (build,), {"build": (job("lint", "success"), job("test", "queued"))})
    changes = list(Changes().of(snapshot))
    assert told(changes) == [
        "pipeline 7: None -> created",
        "workflow build: None -> running",
        "job lint: None -> success",
        "job test: None -> queued",
    ]
    assert [each.workflow for each in changes] == [None, None, build, build]
    assert changes[1].item is build


def test_what_has_not_changed_is_not_told_again() -> None:
    changes = Changes()
    snapshot = Snapshot(pipeline(), (workflow("build", "running"),), {"build": (job("lint", "queued"),)})
    list(changes.of(snapshot))
    assert list(changes.of(snapshot)) == []
    then = Snapshot(pipeline(), (workflow("build", "running"),), {"build": (job("lint", "running"),)})
    assert told(list(changes.of(then))) == ["job lint: queued -> running"]


def test_when_a_workflow_has_ended_its_jobs_come_before_it() -> None:
    changes = Changes()
    list(changes.of(Snapshot(None, (workflow("build", "running"),), {"build": (job("lint", "running"),)})))
    end = Snapshot(None, (workflow("build", "failed"),), {"build": (job("lint", "failed"),)})
    assert told(list(changes.of(end))) == ["job lint: running -> failed", "workflow build: running -> failed"]


def test_two_runs_of_one_workflow_are_told_apart_and_a_job_that_both_have_is_told_once() -> None:
    changes = Changes()
    first, again = workflow("build", "failed", id="1"), workflow("build", "running", id="2", begun=60)
    lint = job("lint", "success")
    list(changes.of(Snapshot(None, (first,), {"1": (lint,)})))
    found: list[Change] = list(changes.of(Snapshot(None, (first, again), {"1": (lint,), "2": (lint,)})))
    assert told(found) == ["workflow build: None -> running"]
    assert found[0].item is again


def test_a_status_that_the_api_leaves_out_is_no_change() -> None:
    assert list(Changes().of(Snapshot(None, (workflow("build", None),)))) == []


def test_what_a_list_lacks_that_it_had_before_stays() -> None:
    old, new = workflow("build", "success", id="1"), workflow("deploy", "running", id="2")
    assert merged([old, new], [new]) == [new, old]
