"""The bodies printed in CircleCI's API developer's guide are decoded."""

from datetime import UTC, datetime
from pathlib import Path

from circleci_async.core.codec import decode, decode_page
from circleci_async.models.artifacts import Artifact
from circleci_async.models.insights import DurationMetrics, RunStatus, WorkflowMetrics, WorkflowRun
from circleci_async.models.jobs import JobDetails, JobExecutor, JobMessage, JobProject, ParallelRun
from circleci_async.models.pipelines import Actor, Pipeline, PipelineCreated, PipelineState, TriggerType
from circleci_async.models.projects import Project, ProjectVcs, VcsProvider
from circleci_async.models.users import User

GUIDE = Path(__file__).parent.parent / "data" / "guide"


def printed(name: str) -> bytes:
    return (GUIDE / f"{name}.json").read_bytes()


def test_the_current_user() -> None:
    assert decode(User, printed("me")) == User(id="string", login="string", name="string")


def test_the_pipelines_of_a_project() -> None:
    (pipeline,), following = decode_page(Pipeline, printed("pipelines"))
    assert following is None
    assert pipeline.id == "03fcbba0-d847-4c8b-a553-6fdd7854b893"
    assert pipeline.number == 1
    assert pipeline.state is PipelineState.CREATED
    assert pipeline.updated_at == pipeline.created_at == datetime(2020, 1, 10, 19, 45, 58, 517_000, tzinfo=UTC)
    assert pipeline.trigger.type is TriggerType.API
    assert pipeline.trigger.actor == Actor(
        login="teesloane", avatar_url="https://avatars0.githubusercontent.com/u/12987958?v=4"
    )
    assert pipeline.vcs is not None
    assert pipeline.vcs.branch == "master"
    assert pipeline.vcs.tag is None
    assert pipeline.errors == ()


def test_a_triggered_pipeline() -> None:
    assert decode(PipelineCreated, printed("triggered")) == PipelineCreated(
        id="e411ea74-c64a-4d60-9292-115e782802ed",
        number=2,
        state=PipelineState.PENDING,
        created_at=datetime(2020, 1, 15, 15, 32, 36, 605_000, tzinfo=UTC),
    )


def test_a_project() -> None:
    assert decode(Project, printed("project")) == Project(
        slug="gh/CircleCI-Public/api-preview-docs",
        name="api-preview-docs",
        organization_name="CircleCI-Public",
        vcs_info=ProjectVcs(
            vcs_url="https://github.com/CircleCI-Public/api-preview-docs",
            provider=VcsProvider.BITBUCKET,
            default_branch="master",
        ),
    )


def test_a_job() -> None:
    job = decode(JobDetails, printed("job"))
    assert job.status is None
    assert job.project == JobProject(
        slug="gh/CircleCI-Public/api-preview-docs",
        name="api-preview-docs",
        external_url="https://github.com/CircleCI-Public/api-preview-docs",
    )
    assert job.latest_workflow.name == "build-and-test"
    assert job.executor == JobExecutor(resource_class="string", type="string")
    assert job.parallel_runs == (ParallelRun(index=0, status="string"),)
    assert job.messages == (JobMessage(type="string", message="string", reason="string"),)
    assert [context.name for context in job.contexts] == ["string"]
    assert job.started_at == datetime(2020, 1, 24, 11, 33, 40, tzinfo=UTC)


def test_the_artifacts_of_a_job() -> None:
    artifacts, following = decode_page(Artifact, printed("artifacts"))
    assert following is None
    assert [artifact.path for artifact in artifacts] == [
        f"circleci-docs/assets/img/docs/walkthrough{number}.png" for number in (6, 7, 8)
    ]
    assert all(artifact.url.startswith("https://53936-48750547-gh.circle-artifacts.com/0/") for artifact in artifacts)


def test_the_metrics_of_workflows() -> None:
    workflows, following = decode_page(WorkflowMetrics, printed("workflow_metrics"))
    assert following is None
    assert [workflow.name for workflow in workflows] == ["build", "docker_build", "ecr_gc"]
    metrics = workflows[0].metrics
    assert metrics.success_rate == 0.5975609756097561
    assert metrics.duration_metrics == DurationMetrics(
        min=8796, max=20707, median=11656, mean=12847, p95=18856, standard_deviation=3489.0
    )
    assert metrics.total_recoveries is None


def test_the_runs_of_a_workflow() -> None:
    runs, following = decode_page(WorkflowRun, printed("workflow_runs"))
    assert following is None
    assert len(runs) == 7
    assert runs[3].status is RunStatus.SUCCESS
    assert runs[3].duration == 9230
    assert runs[3].branch is None


def test_every_body_of_the_guide_is_tested() -> None:
    tested = ("artifacts", "job", "me", "pipelines", "project", "triggered", "workflow_metrics", "workflow_runs")
    assert sorted(path.stem for path in GUIDE.glob("*.json")) == list(tested)
