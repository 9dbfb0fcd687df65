"""Reads references to builds: an id, or the URL of a page of the web app."""

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from ..errors import InvalidArgument

if TYPE_CHECKING:
    from .. import CircleCI

_WORKFLOW = re.compile(r"/workflows?/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=/|\Z)", re.IGNORECASE)
_NUMBER = "([0-9]{1,18})"
_PIPELINE = re.compile(rf"/pipelines(?:/[^/]+){{3}}/{_NUMBER}(?=/|\Z)")
_JOB = re.compile(
    rf"/jobs/{_NUMBER}(?=/|\Z)|\A/(?:jobs/)?(?:gh|github|bb|bitbucket|circleci)/[^/]+/[^/]+/{_NUMBER}/?\Z"
)


class BuildRef(NamedTuple):
    """A pipeline, workflow or job: an `id` of unknown kind, or the parts of a URL; the last part present is meant."""

    id: str | None = None
    project: str | None = None
    pipeline: int | None = None
    workflow: str | None = None
    job: int | None = None

    @classmethod
    def parse(cls, text: str, expected: str) -> "BuildRef":
        """Parse an id or a URL; `expected` names the accepted kinds in error messages, such as `a workflow`.

        Raises `InvalidArgument` for anything else.
        """
        from ..slug import without_secrets

        if (ref := cls.find(text)) is not None:
            return ref
        path = _url_path(text)
        got = f"a URL with the path {path!r}" if path is not None else repr(without_secrets(text.strip()))
        raise InvalidArgument(f"expected the id or the URL of {expected}, got {got}")

    @classmethod
    def find(cls, text: str) -> "BuildRef | None":
        """Parse an id or the URL of a build; return None for anything else."""
        from .. import ProjectSlug

        path = _url_path(text)
        if path is None:
            try:
                return cls(id=str(UUID(text.strip())))
            except ValueError:
                return None
        workflow, pipeline, job = (pattern.search(path) for pattern in (_WORKFLOW, _PIPELINE, _JOB))
        if pipeline or job:
            return cls(
                project=str(ProjectSlug.parse(text.strip())),
                pipeline=int(pipeline[1]) if pipeline else None,
                workflow=workflow[1].lower() if workflow else None,
                job=int(job[1] or job[2]) if job else None,
            )
        if workflow:
            return cls(workflow=workflow[1].lower())
        return None


class JobTarget(NamedTuple):
    """A job, by its number in the project."""

    project: str
    number: int

    @classmethod
    def parse(cls, target: str, number: int | None) -> "JobTarget":
        """Parse a project and a number, or without the number the URL of a job."""
        from ..slug import without_secrets

        if number is not None:
            return cls(target, number)
        if _url_path(target) is None:
            shown = without_secrets(target)
            raise InvalidArgument(f"expected a project and a job number, or the URL of a job, got {shown!r}")
        ref = BuildRef.parse(target, "a job")
        if ref.project is None or ref.job is None:
            raise InvalidArgument("expected the URL of a job, got that of a workflow or a pipeline")
        return cls(ref.project, ref.job)


async def pipeline_id(circle: "CircleCI", text: str, alternative: str = "") -> str:
    """Return the id of the pipeline that an id or a URL names; `alternative` extends the error for other text."""
    ref = BuildRef.parse(text, f"a pipeline{alternative}")
    if ref.project is not None and ref.pipeline is not None:
        return (await circle.pipelines.get_by_number(ref.project, ref.pipeline)).id
    if ref.id is None:
        raise InvalidArgument(f"expected the URL of a pipeline, got that of a {'job' if ref.job else 'workflow'}")
    return ref.id


def _url_path(text: str) -> str | None:
    """Return the path of a URL, which may lack its scheme; None for other text."""
    from ..slug import with_scheme

    text = with_scheme(text.strip())
    if "://" not in text:
        return None
    try:
        return urlsplit(text).path
    except ValueError:  # the message of the error quotes the URL, which may be secret
        return ""
