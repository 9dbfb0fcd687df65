"""What a triggered pipeline does: the fake's stand-in for a config file."""

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from ...errors import InvalidArgument
from .steps import Printed

_OUTCOMES = frozenset({"success", "failed", "timedout", "infrastructure_fail", "canceled", "unauthorized"})


@frozen
class RecipeJob:
    """One job of a recipe: what it waits for, and how it ends."""

    name: str
    approval: bool = False
    outcome: str = "success"
    requires: tuple[str, ...] = ()


@frozen
class Recipe:
    """One workflow of a recipe, and the artifacts that each of its build jobs leaves: bytes, or a size.

    `output`: what the jobs print, by their names. `setup`: it runs before those that are not. Seconds of the world's
    clock: `delay` until it appears, after the pipeline was created; `lag` in which a pipeline can't be found.
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
    """Read the short form of a workflow: `("lint", "test:failed", "hold:approval", "deploy")`.

    Jobs run side by side; an approval waits for all before it, and all after it wait for the approval.
    """
    for name, seconds in (("workflow_delay", delay), ("creation_lag", lag)):
        if seconds < 0:
            raise InvalidArgument(f"{name}: expected a number of seconds, not {seconds}")
    made: list[RecipeJob] = []
    stage: list[str] = []
    gate: tuple[str, ...] = ()
    for text in jobs:
        name, word = _split(text)
        if word == "approval":
            made.append(RecipeJob(name, approval=True, requires=tuple(stage) or gate))
            stage, gate = [], (name,)
        else:
            made.append(RecipeJob(name, outcome=word, requires=gate))
            stage.append(name)
    names = [job.name for job in made]
    if not names or len(set(names)) < len(names) or not all(names):
        raise InvalidArgument(f"jobs: expected at least one name, and no name twice, not {names}")
    builds = [job.name for job in made if not job.approval]
    if not set(output or ()) <= set(builds):
        raise InvalidArgument(f"output: expected only names of build jobs of this workflow ({', '.join(builds)})")
    return Recipe(workflow, tuple(made), dict(artifacts or {}), dict(output or {}), setup, delay, lag)


def _split(text: str) -> tuple[str, str]:
    """A job's name may hold colons; only a known word after the last one is an outcome."""
    name, _, word = text.rpartition(":")
    return (name, word) if name and (word == "approval" or word in _OUTCOMES) else (text, "success")


def as_yaml(recipes: Iterable[Recipe]) -> str:
    """Write recipes as the config file that they stand for."""
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
"""What runs in a project that was told nothing else: two jobs, side by side, that succeed."""
