"""`pipelines`, `workflows` and `jobs`: lists of builds, and one job in detail."""

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidArgument
from .arguments import OptionalNumber, Project, argument, option
from .build_ref import BuildRef, pipeline_id
from .formatting import Cell
from .output import Column, Output

if TYPE_CHECKING:
    from .. import CircleCI
    from ..models import JobDetails, Pipeline, TestResult, Workflow, WorkflowJob


async def pipelines(
    circle: "CircleCI",
    out: Output,
    slug: Project,
    branch: Annotated[str | None, option("Only pipelines of this branch.", metavar="BRANCH")] = None,
    mine: Annotated[bool, option("Only pipelines that you triggered.", "--mine")] = False,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Number of pipelines; 0 lists all.")] = 20,
) -> None:
    """List the pipelines of a project, newest first.

    The state of a pipeline describes its creation; the status of its workflows describes the build.
    """
    if mine and branch is not None:
        raise InvalidArgument("--mine and --branch cannot be combined")
    listed = circle.pipelines.mine(slug) if mine else circle.pipelines.list(slug, branch=branch)
    await out.list(listed, PIPELINES, limit=limit or None, none=_none(slug, branch, mine=mine))


async def workflows(
    circle: "CircleCI",
    out: Output,
    target: Annotated[str, argument("ID | URL | PROJECT", "Id or page URL of a pipeline, or a project.")],
    number: OptionalNumber = None,
) -> None:
    """List the workflows of a pipeline."""
    if number is not None:
        id = (await circle.pipelines.get_by_number(target, number)).id
    else:
        id = await pipeline_id(circle, target, _or_number(target))
    await out.list(circle.pipelines.workflows(id), WORKFLOWS, none="no workflows")


async def jobs(
    circle: "CircleCI",
    out: Output,
    target: Annotated[
        str, argument("ID | URL | PROJECT", "Id or page URL of a workflow, page URL of a job, or a project.")
    ],
    number: OptionalNumber = None,
) -> None:
    """List the jobs of a workflow, or show one job.

    One job is shown with a summary of its tests.
    """
    if number is None:
        ref = BuildRef.parse(target, f"a workflow{_or_number(target)}")
        if ref.job is None or ref.project is None:
            if (id := ref.workflow or ref.id) is None:
                raise InvalidArgument("expected the URL of a workflow or a job, got that of a pipeline")
            await out.list(circle.workflows.jobs(id), JOBS, none="no jobs")
            return
        target, number = ref.project, ref.job
    job = await circle.jobs.get(target, number)
    show_job(out, job, await circle.jobs.tests(target, number).collect())


def show_job(out: Output, job: "JobDetails", tests: "list[TestResult]") -> None:
    """Print a job, its test results by count, and its failed tests in full."""
    from .. import to_dict

    results = Counter(test.result for test in tests)
    failures = [test for test in tests if test.result in {"failure", "error"}]
    summary = {"total": len(tests), "results": dict(results), "failures": failures}
    fields: list[tuple[str, Cell]] = [
        ("Job", f"{job.name} ({job.number})"),
        ("Status", job.status),
        ("Project", job.project.slug),
        ("Workflow", job.latest_workflow.name),
        ("Pipeline", job.pipeline.id),
        ("Started", job.started_at),
        ("Took", None if job.duration is None else timedelta(milliseconds=job.duration)),
        ("Executor", _executor(job)),
        ("Parallel runs", job.parallelism),
        ("Contexts", ", ".join(context.name for context in job.contexts)),
        ("Tests", ", ".join(f"{count:,} {result}" for result, count in results.most_common())),
        ("Page", job.web_url),
    ]
    out.record({**to_dict(job), "tests": summary}, fields)
    if failures:
        out.say("")
        out.table(failures, FAILURES)


def _none(project: str, branch: str | None, *, mine: bool) -> str:
    """Return the note for an empty list of pipelines."""
    if branch is not None:
        return f"no pipelines on branch {branch}"
    return f"no pipelines of {project}{' that you triggered' if mine else ''}"


def _or_number(text: str) -> str:
    """Return the alternative to an id in an error, with the project that was given without a number."""
    from ..slug import without_secrets

    shown = without_secrets(text)
    return f", or a project and a number such as {shown if shown.count('/') == 2 else 'gh/acme/api'} 42"


def _revision(pipeline: "Pipeline") -> str | None:
    return pipeline.branch or pipeline.tag


def _subject(pipeline: "Pipeline") -> str | None:
    return pipeline.vcs.commit.subject if pipeline.vcs and pipeline.vcs.commit else None


def _actor(pipeline: "Pipeline") -> str | None:
    return pipeline.trigger.actor.login if pipeline.trigger.actor else None


def _executor(job: "JobDetails") -> str | None:
    return " ".join(filter(None, (job.executor.type, job.executor.resource_class))) if job.executor else None


def _took(begin: datetime | None, end: datetime | None) -> timedelta | None:
    return end - begin if begin and end else None


PIPELINES: "tuple[Column[Pipeline], ...]" = (
    Column("Number", lambda pipeline: pipeline.number, is_fixed=True, is_number=True),
    Column("State", lambda pipeline: pipeline.state, is_fixed=True),
    Column("Branch or tag", _revision),
    Column("Created", lambda pipeline: pipeline.created_at, is_fixed=True),
    Column("By", _actor),
    Column("Commit", _subject),
    Column("Id", lambda pipeline: pipeline.id, is_fixed=True),
)
WORKFLOWS: "tuple[Column[Workflow], ...]" = (
    Column("Workflow", lambda workflow: workflow.name),
    Column("Status", lambda workflow: workflow.status, is_fixed=True),
    Column("Created", lambda workflow: workflow.created_at, is_fixed=True),
    Column("Took", lambda workflow: _took(workflow.created_at, workflow.stopped_at), is_fixed=True),
    Column("Id", lambda workflow: workflow.id, is_fixed=True),
)
JOBS: "tuple[Column[WorkflowJob], ...]" = (
    Column("Number", lambda job: job.job_number, is_fixed=True, is_number=True),
    Column("Job", lambda job: job.name),
    Column("Status", lambda job: job.status, is_fixed=True),
    Column("Type", lambda job: job.type),
    Column("Started", lambda job: job.started_at, is_fixed=True),
    Column("Took", lambda job: _took(job.started_at, job.stopped_at), is_fixed=True),
    Column("Id", lambda job: job.id, is_fixed=True),
)
FAILURES: "tuple[Column[TestResult], ...]" = (
    Column("Failed test", lambda test: test.name),
    Column("In", lambda test: test.classname),
    Column("Message", lambda test: test.message),
)
