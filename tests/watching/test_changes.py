"""Each change is reported once, in order."""

from circleci_async import JobChange, PipelineChange, WorkflowChange, to_dict
from circleci_async.watching.changes import Change, Changes
from circleci_async.watching.snapshot import Snapshot, merged
from tests.watching.builds import described, job, pipeline, workflow


def test_the_first_snapshot_is_reported_as_a_whole() -> None:
    build = workflow("build", "running")
    snapshot = Snapshot(pipeline(), (build,), {"build": (job("lint", "success"), job("test", "queued"))})
    changes = list(Changes().since_last(snapshot))
    assert described(changes) == [
        "pipeline 7: None -> created",
        "workflow build: None -> running",
        "job lint: None -> success",
        "job test: None -> queued",
    ]
    assert [each.workflow for each in changes] == [None, None, build, build]
    assert [type(each) for each in changes] == [PipelineChange, WorkflowChange, JobChange, JobChange]
    assert all(isinstance(each, Change) for each in changes)
    assert changes[1].item is build
    assert to_dict(changes[2])["kind"] == "job"


def test_only_what_has_changed_is_reported() -> None:
    changes = Changes()
    snapshot = Snapshot(pipeline(), (workflow("build", "running"),), {"build": (job("lint", "queued"),)})
    list(changes.since_last(snapshot))
    assert list(changes.since_last(snapshot)) == []
    then = Snapshot(pipeline(), (workflow("build", "running"),), {"build": (job("lint", "running"),)})
    assert described(list(changes.since_last(then))) == ["job lint: queued -> running"]


def test_the_jobs_of_an_ended_workflow_are_reported_before_it() -> None:
    changes = Changes()
    list(changes.since_last(Snapshot(None, (workflow("build", "running"),), {"build": (job("lint", "running"),)})))
    end = Snapshot(None, (workflow("build", "failed"),), {"build": (job("lint", "failed"),)})
    found = described(list(changes.since_last(end)))
    assert found == [
        "job lint: running -> failed",
        "workflow build: running -> failed",
    ]


def test_reruns_are_separate_workflows_and_shared_jobs_are_reported_once() -> None:
    changes = Changes()
    first, again = workflow("build", "failed", id="1"), workflow("build", "running", id="2", begun=60)
    lint = job("lint", "success")
    list(changes.since_last(Snapshot(None, (first,), {"1": (lint,)})))
    found: list[Change] = list(changes.since_last(Snapshot(None, (first, again), {"1": (lint,), "2": (lint,)})))
    assert described(found) == ["workflow build: None -> running"]
    assert found[0].item is again


def test_a_missing_status_is_not_a_change() -> None:
    assert list(Changes().since_last(Snapshot(None, (workflow("build", None),)))) == []


def test_items_missing_from_an_outdated_list_are_kept() -> None:
    old, new = workflow("build", "success", id="1"), workflow("deploy", "running", id="2")
    assert merged([old, new], [new]) == [new, old]
