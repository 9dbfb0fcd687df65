"""What a triggered pipeline does, which replaces config files, and the default steps of jobs."""

from collections.abc import Iterable, Mapping, Sequence

from attrs import field, frozen

from ...errors import InvalidArgument
from .builds import Job
from .content import Stream
from .steps import Printed, pairs

_OUTCOMES = frozenset({"success", "failed", "timedout", "infrastructure_fail", "canceled", "unauthorized"})


@frozen
class RecipeJob:
    """One job of a recipe: the jobs that it requires, and its final status."""

    name: str
    approval: bool = False
    outcome: str = "success"
    requires: tuple[str, ...] = ()


@frozen
class Recipe:
    """One workflow of a pipeline, and the artifacts of each of its build jobs: bytes, or a size.

    `output`: the output of jobs, by name. `setup`: whether it runs before the other workflows. In seconds of the
    world's clock: `delay` from the creation of the pipeline to that of the workflow; `lag` until the id of a triggered
    pipeline is found.
    """

    workflow: str
    jobs: tuple[RecipeJob, ...]
    artifacts: Mapping[str, bytes | int] = field(factory=dict[str, bytes | int])
    output: Mapping[str, Printed] = field(factory=dict[str, Printed])
    setup: bool = False
    delay: float = 0.0
    lag: float = 0.0


def recipe(
    workflow: str,
    jobs: Iterable[str],
    artifacts: Mapping[str, bytes | int] | None,
    output: Mapping[str, Printed] | None = None,
    *,
    setup: bool = False,
    delay: float = 0.0,
    lag: float = 0.0,
) -> Recipe:
    """Parse the short form of a workflow: `("lint", "test:failed", "hold:approval", "deploy")`.

    Jobs run in parallel; an approval requires all jobs before it, and all jobs after it require the approval.
    """
    for name, seconds in (("workflow_delay", delay), ("creation_lag", lag)):
        if seconds < 0:
            raise InvalidArgument(f"{name} must be 0 or more seconds, got {seconds}")
    parsed: list[RecipeJob] = []
    stage: list[str] = []
    approval: tuple[str, ...] = ()
    for text in jobs:
        name, suffix = _split(text)
        if suffix == "approval":
            parsed.append(RecipeJob(name, approval=True, requires=tuple(stage) or approval))
            stage, approval = [], (name,)
        else:
            parsed.append(RecipeJob(name, outcome=suffix, requires=approval))
            stage.append(name)
    names = [job.name for job in parsed]
    if not names or len(set(names)) < len(names) or not all(names):
        raise InvalidArgument(f"jobs must be one or more different names, got {names}")
    builds = [job.name for job in parsed if not job.approval]
    if not set(output or ()) <= set(builds):
        unknown = sorted(set(output or ()) - set(builds))
        raise InvalidArgument(f"output: {', '.join(unknown)} is not a build job of this workflow ({', '.join(builds)})")
    return Recipe(workflow, tuple(parsed), dict(artifacts or {}), dict(output or {}), setup, delay, lag)


def _split(text: str) -> tuple[str, str]:
    """Split a job into name and status. Other colons belong to the name."""
    name, _, suffix = text.rpartition(":")
    return (name, suffix) if name and (suffix == "approval" or suffix in _OUTCOMES) else (text, "success")


def as_yaml(recipes: Iterable[Recipe]) -> str:
    """Return the config file that is equivalent to these recipes."""
    recipes = tuple(recipes)
    lines = ["version: 2.1", *(["setup: true"] if any(each.setup for each in recipes) else []), "workflows:"]
    for each in recipes:
        lines += [f"  {each.workflow}:", "    jobs:"]
        for job in each.jobs:
            details = ["type: approval"] if job.approval else []
            if job.requires:
                details.append(f"requires: [{', '.join(job.requires)}]")
            lines.append(f"      - {job.name}{':' if details else ''}")
            lines += [f"          {detail}" for detail in details]
    return "\n".join([*lines, ""])


DEFAULT = recipe("build", ("lint", "test"), {"logs/build.txt": b"All is well.\n"})
"""The default workflow of a project: two parallel jobs that succeed."""


_MAX_CHUNKS = 6  # of a step's output
_RED, _GREEN, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"


@frozen
class PlannedStep:
    """A step to run. It takes this `share` of the job's time."""

    name: str
    share: float
    printed: Sequence[tuple[Stream, str]]
    status: str = "success"
    exit_code: int | None = None
    command: str | None = None

    @property
    def chunks(self) -> list[list[tuple[Stream, str]]]:
        """The output in chunks of whole lines."""
        lines: list[tuple[Stream, str]] = [
            (type, line) for type, text in self.printed for line in text.splitlines(keepends=True)
        ]
        size = -(-len(lines) // _MAX_CHUNKS)
        return [_joined(lines[start : start + size]) for start in range(0, len(lines), size or 1)]


def plan_steps(job: Job, outcome: str, printed: Printed | None, *, uploads: int) -> list[PlannedStep]:
    """Return the steps of a job that ends with `outcome`. `printed` is the output of its main step, if given.

    The shares add up to less than 1. An unauthorized job has no steps, since it never ran.
    """
    if outcome == "unauthorized":
        return []
    start = f"Build-agent version 1.0.0\nStarting container cimg/base:current\n  {job.resource_class}\n"
    if outcome == "infrastructure_fail":
        error = f"{_RED}Error:{_PLAIN} the machine was lost while it started\n"
        return [PlannedStep("Spin up environment", 0.9, [("out", start), ("err", error)], status=outcome)]
    pipeline = job.workflow.pipeline
    variables = (
        f"Using build environment variables:\n  CI=true\n  CIRCLE_BUILD_NUM={job.number}\n  CIRCLE_JOB={job.name}\n"
    )
    checkout = f"Cloning git repository\nHEAD is now at {pipeline.revision[:7]} {pipeline.subject}\n"
    steps = [
        PlannedStep("Spin up environment", 0.1, [("out", start)]),
        PlannedStep("Preparing environment variables", 0.02, [("out", variables)]),
        PlannedStep("Checkout code", 0.1, [("out", checkout)], exit_code=0, command="#!/bin/sh\nset -e\ngit clone"),
        _work(job.name, outcome, printed),
    ]
    if uploads:
        steps.append(PlannedStep("Uploading artifacts", 0.08, [("out", f"Uploading {uploads} file(s)\n")]))
    return steps


def record_steps(job: Job, outcome: str) -> None:
    """Record the default steps of a job that has ended with `outcome`."""
    for planned in plan_steps(job, outcome, None, uploads=0):
        for node in range(job.parallelism):
            job.step(
                planned.name,
                output=planned.printed,
                status=planned.status,
                exit_code=planned.exit_code,
                node=node,
                command=planned.command,
                duration=(job.duration or 0) * planned.share,
            )


def _work(name: str, outcome: str, printed: Printed | None) -> PlannedStep:
    tests = "test" in name
    command = f"#!/bin/bash -eo pipefail\n{'pytest' if tests else f'make {name}'}\n"
    output = pairs(_output_of(name, outcome, tests=tests) if printed is None else printed)
    code = {"success": 0, "failed": 1}.get(outcome)
    return PlannedStep(
        "Run tests" if tests else f"Run {name}", 0.66, output, status=outcome, exit_code=code, command=command
    )


def _output_of(name: str, outcome: str, *, tests: bool) -> Printed:
    output: list[tuple[Stream, str]] = [("out", _HEAD if tests else f"{_BOLD}{name}{_PLAIN}: started\n")]
    if outcome == "success":
        output.append(("out", _PASSED if tests else f"{_GREEN}{name}: done{_PLAIN}\n"))
    elif outcome == "failed":
        output.append(("out", _FAILED) if tests else ("err", f"{_RED}Error:{_PLAIN} {name} could not be done\n"))
        output.append(("err", "\nExited with code exit status 1\n"))
    elif outcome == "timedout":
        output.append(("err", "\nToo long with no output (exceeded 10m0s): context deadline exceeded\n"))
    return output


def _joined(lines: Sequence[tuple[Stream, str]]) -> list[tuple[Stream, str]]:
    """Merge consecutive lines of the same stream."""
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
