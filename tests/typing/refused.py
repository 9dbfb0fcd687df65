"""Mistakes that both type checkers must report, each where a marker stands. It is never run."""

import circleci_async as ca


async def wrong_arguments(circle: ca.CircleCI) -> None:
    await circle.users.me("somebody")  # type: ignore[call-arg]
    await circle.users.get()  # type: ignore[call-arg]
    await circle.users.get(42)  # type: ignore[arg-type]
    await circle.projects.get(None)  # type: ignore[arg-type]
    await circle.projects.get(slug="gh/acme/api")  # type: ignore[call-arg]
    await circle.jobs.get("gh/acme/api")  # type: ignore[call-arg]
    await circle.jobs.get("gh/acme/api", "42")  # type: ignore[arg-type]
    await circle.workflows.rerun("w", from_faild=True)  # type: ignore[call-arg]
    await circle.workflows.rerun("w", jobs=[1])  # type: ignore[list-item]
    await circle.workflows.rerun("w", True)  # type: ignore[call-arg]
    await circle.pipelines.trigger("gh/a/b", brunch="x")  # type: ignore[call-arg]
    await circle.pipelines.trigger("gh/a/b", branch=1)  # type: ignore[arg-type]
    await circle.pipelines.trigger("gh/a/b", parameters={"n": 1.5})  # type: ignore[dict-item]
    circle.pipelines.list("gh/a/b", "main")  # type: ignore[call-arg]
    circle.insights.workflows("gh/a/b", branch=True)  # type: ignore[arg-type]
    circle.artifacts.list("gh/a/b")  # type: ignore[call-arg]
    await circle.artifacts.download("a/path", "out/")  # type: ignore[arg-type]
    await circle.request("GET", "/x", params={})  # type: ignore[call-arg]
    await circle.request("GET", "/x", query={"a": object()})  # type: ignore[dict-item]


async def wrong_harvests(circle: ca.CircleCI) -> None:
    await circle.harvest("gh/a/b")  # type: ignore[call-arg]
    await circle.harvest("gh/a/b", "out", dedupe="symlink")  # type: ignore[arg-type]
    await circle.harvest("gh/a/b", "out", select="main")  # type: ignore[arg-type]
    ca.Selection("main")  # type: ignore[call-arg]
    ca.Selection(since=7)  # type: ignore[arg-type]
    ca.Selection(pipeline=7)  # type: ignore[arg-type]


def wrong_options() -> None:
    ca.CircleCI(42)  # type: ignore[arg-type]
    ca.CircleCI(lambda: 42)  # type: ignore[arg-type]
    ca.CircleCI("t", "https://ci.example.com")  # type: ignore[call-arg]
    ca.CircleCI("t", auth="digest")  # type: ignore[arg-type]
    ca.CircleCI("t", timeout="5")  # type: ignore[arg-type]
    ca.CircleCI("t", retries=5)  # type: ignore[call-arg]
    ca.RetryPolicy(attempts="many")  # type: ignore[arg-type]
    ca.RetryPolicy(max_attempts=5)  # type: ignore[call-arg]


async def wrong_use(circle: ca.CircleCI, pipeline: ca.Pipeline) -> None:
    pipeline.number = 5  # type: ignore[misc]
    print(pipeline.nummer)  # type: ignore[attr-defined]
    print(circle.pipeline)  # type: ignore[attr-defined]
    ca.Artifact("a", 0, "https://example.com/a")  # type: ignore[call-arg]
    for _ in circle.pipelines.list("gh/a/b"):  # type: ignore[attr-defined]
        pass
    await circle.pipelines.list("gh/a/b")  # type: ignore[misc]
    circle.users.me()  # type: ignore[unused-coroutine]
    with ca.CircleCI():  # type: ignore[attr-defined]
        pass
    print(ca.Nonsense)  # type: ignore[attr-defined]
