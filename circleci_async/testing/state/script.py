"""What a job does step by step, and what it prints: for those that nobody described."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from .output import Stream
from .steps import Printed, pairs

if TYPE_CHECKING:
    from .jobs import Job

_MOST_PORTIONS = 6  # in which a step prints, one after the other
_RED, _GREEN, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"


@frozen
class Act:
    """A step as it is going to be; it takes this `share` of the job's time."""

    name: str
    share: float
    printed: Sequence[tuple[Stream, str]]
    status: str = "success"
    exit_code: int | None = None
    command: str | None = None

    @property
    def portions(self) -> list[list[tuple[Stream, str]]]:
        """What it prints, cut at the ends of lines."""
        lines: list[tuple[Stream, str]] = [
            (type, line) for type, text in self.printed for line in text.splitlines(keepends=True)
        ]
        size = -(-len(lines) // _MOST_PORTIONS)
        return [_joined(lines[start : start + size]) for start in range(0, len(lines), size or 1)]


def script(job: "Job", outcome: str, printed: Printed | None, *, uploads: int) -> list[Act]:
    """Give the steps of a job that ends like this; `printed` is what the one that does the work prints, if known.

    The shares leave a rest, in which the job ends. A job that nobody authorized, which never ran, has no steps.
    """
    if outcome == "unauthorized":
        return []
    start = f"Build-agent version 1.0.0\nStarting container cimg/base:current\n  {job.resource_class}\n"
    if outcome == "infrastructure_fail":
        lost = f"{_RED}Error:{_PLAIN} the machine was lost while it started\n"
        return [Act("Spin up environment", 0.9, [("out", start), ("err", lost)], status=outcome)]
    pipeline = job.workflow.pipeline
    variables = (
        f"Using build environment variables:\n  CI=true\n  CIRCLE_BUILD_NUM={job.number}\n  CIRCLE_JOB={job.name}\n"
    )
    checkout = f"Cloning git repository\nHEAD is now at {pipeline.revision[:7]} {pipeline.subject}\n"
    acts = [
        Act("Spin up environment", 0.1, [("out", start)]),
        Act("Preparing environment variables", 0.02, [("out", variables)]),
        Act("Checkout code", 0.1, [("out", checkout)], exit_code=0, command="#!/bin/sh\nset -e\ngit clone"),
        _work(job.name, outcome, printed),
    ]
    if uploads:
        acts.append(Act("Uploading artifacts", 0.08, [("out", f"Uploading {uploads} file(s)\n")]))
    return acts


def play(job: "Job", outcome: str) -> None:
    """Record the steps of a job that was made by hand and has ended like this."""
    for act in script(job, outcome, None, uploads=0):
        for node in range(job.parallelism):
            job.step(
                act.name,
                output=act.printed,
                status=act.status,
                exit_code=act.exit_code,
                node=node,
                command=act.command,
                duration=(job.duration or 0) * act.share,
            )


def _work(name: str, outcome: str, printed: Printed | None) -> Act:
    tests = "test" in name
    command = f"#!/bin/bash -eo pipefail\n{'pytest' if tests else f'make {name}'}\n"
    shown = pairs(_told(name, outcome, tests=tests) if printed is None else printed)
    code = {"success": 0, "failed": 1}.get(outcome)
    return Act("Run tests" if tests else f"Run {name}", 0.66, shown, status=outcome, exit_code=code, command=command)


def _told(name: str, outcome: str, *, tests: bool) -> Printed:
    told: list[tuple[Stream, str]] = [("out", _HEAD if tests else f"{_BOLD}{name}{_PLAIN}: started\n")]
    if outcome == "success":
        told.append(("out", _PASSED if tests else f"{_GREEN}{name}: done{_PLAIN}\n"))
    elif outcome == "failed":
        told.append(("out", _FAILED) if tests else ("err", f"{_RED}Error:{_PLAIN} {name} could not be done\n"))
        told.append(("err", "\nExited with code exit status 1\n"))
    elif outcome == "timedout":
        told.append(("err", "\nToo long with no output (exceeded 10m0s): context deadline exceeded\n"))
    return told


def _joined(lines: Sequence[tuple[Stream, str]]) -> list[tuple[Stream, str]]:
    """Make one text of neighbours that went the same way."""
    joined: list[tuple[Stream, str]] = []
    for type, line in lines:
        if joined and joined[-1][0] == type:
            joined[-1] = (type, joined[-1][1] + line)
        else:
            joined.append((type, line))
    return joined


_HEAD = f"""\
{_BOLD}============================= test session starts =============================={_PLAIN}
collected 5 items

"""
_PASSED = f"""\
tests/test_login.py {_GREEN}.....{_PLAIN}                                                  [100%]

{_GREEN}============================== 5 passed in 0.42s ==============================={_PLAIN}
"""
_FAILED = f"""\
tests/test_login.py {_RED}F{_PLAIN}{_GREEN}....{_PLAIN}                                                  [100%]

=================================== FAILURES ===================================
{_RED}{_BOLD}__________________________________ test_login __________________________________{_PLAIN}
    def test_login():
>       assert 1 == 2
{_RED}{_BOLD}E       assert 1 == 2{_PLAIN}
{_BOLD}{_RED}tests/test_login.py{_PLAIN}:7: AssertionError
=========================== short test summary info ============================
{_RED}FAILED{_PLAIN} tests/test_login.py::{_BOLD}test_login{_PLAIN} - assert 1 == 2
{_RED}========================= 1 failed, 4 passed in 0.42s =========================={_PLAIN}
"""
