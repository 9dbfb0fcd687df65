"""What a triggered pipeline does: a replacement for config files."""

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from ...errors import InvalidArgument
from .steps import Printed

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
