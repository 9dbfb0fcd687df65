"""Reads references to builds: an id, or the URL of a page of the web app."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from ..errors import InvalidArgument

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
        from .. import ProjectSlug
        from ..slug import with_scheme, without_secrets

        text = with_scheme(text.strip())
        if "://" not in text:
            try:
                return cls(id=str(UUID(text)))
            except ValueError:
                raise InvalidArgument(
                    f"expected the id or the URL of {expected}, got {without_secrets(text)!r}"
                ) from None
        try:
            path = urlsplit(text).path
        except ValueError:  # the message of the error quotes the URL, which may be secret
            path = ""
        workflow, pipeline, job = (pattern.search(path) for pattern in (_WORKFLOW, _PIPELINE, _JOB))
        if pipeline or job:
            return cls(
                project=str(ProjectSlug.parse(text)),
                pipeline=int(pipeline[1]) if pipeline else None,
                workflow=workflow[1].lower() if workflow else None,
                job=int(job[1] or job[2]) if job else None,
            )
        if workflow:
            return cls(workflow=workflow[1].lower())
        # The rest of the URL may be secret.
        raise InvalidArgument(f"expected the id or the URL of {expected}, got a URL with the path {path!r}")
