"""What a command is to act on, as people have it at hand: an id, or the address of a page."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from ..errors import InvalidArgument

_WORKFLOW = re.compile(r"/workflows?/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=/|\Z)", re.IGNORECASE)
_PIPELINE = re.compile(r"/pipelines(?:/[^/]+){3}/(\d+)(?=/|\Z)")
_JOB = re.compile(r"/jobs/(\d+)(?=/|\Z)|\A/(?:jobs/)?(?:gh|github|bb|bitbucket|circleci)/[^/]+/[^/]+/(\d+)/?\Z")


class Target(NamedTuple):
    """A thing to act on: `id`, of whatever kind, or what a page shows. The most particular thing counts."""

    id: str | None = None
    project: str | None = None
    pipeline: int | None = None
    workflow: str | None = None
    job: int | None = None

    @classmethod
    def read(cls, text: str, kinds: str) -> "Target":
        """Read an id, or the address of a page of CircleCI's web app; `kinds` says in words of what.

        Raises `InvalidArgument` for anything else.
        """
        from ..slug import ProjectSlug

        text = text.strip()
        if "://" not in text:
            try:
                return cls(id=str(UUID(text)))
            except ValueError:
                raise InvalidArgument(f"{text!r}: give the id of {kinds}, or the address of its page") from None
        path = urlsplit(text).path
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
        raise InvalidArgument(f"{path!r} is not the page of {kinds}")  # the rest of an address may be secret
