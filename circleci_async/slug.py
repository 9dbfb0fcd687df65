"""Slugs of projects and organizations: read from what people have at hand, written into paths.

The only module that quotes a path segment.
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID

import attrs

from .errors import InvalidArgument

__all__ = ["OrgSlug", "ProjectSlug", "segment"]

_VCS: Final = {"gh": "gh", "github": "gh", "bb": "bb", "bitbucket": "bb", "circleci": "circleci"}
_REPOSITORY_HOSTS: Final = {
    "github.com": "gh",
    "www.github.com": "gh",
    "ssh.github.com": "gh",
    "bitbucket.org": "bb",
    "www.bitbucket.org": "bb",
    "altssh.bitbucket.org": "bb",
    "gitlab.com": "gitlab",  # refused by name, so that the message can say why
}

# The groups leave out what may be secret and must not be shown: user name, password, query and fragment.
_URL = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^/]*@)?([^?#]*).*", re.IGNORECASE | re.DOTALL)
_SCP = re.compile(r"[^/@:]+@(?P<host>[^/@:]+):(?P<path>.*)")  # git@github.com:acme/api.git
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # half a character, as Python keeps bytes that it can't decode


def _page(places: str, names: int) -> str:
    """Return the pattern of the path of a web page about something with a vcs and so many names.

    Only the old web app's paths start with the slug itself. It knew no `circleci/...`; were that allowed, a repository
    of an organization called "circleci", on whatever host, would pass for a slug.
    """
    return rf"/(?:(?:{places})/|(?!circleci/))({'|'.join(_VCS)})((?:/[^/]+){{{names}}})(?:/.*)?"


_PROJECT_PLACES: Final = (
    "pipelines|insights|jobs|settings/project|projects/project-setup|status-badge/img|status-badge/redirect"
)
_PROJECT_PAGE = _page(_PROJECT_PLACES, names=2)
_ORGANIZATION_PAGE = _page(f"{_PROJECT_PLACES}|organization|settings/organization|projects/project-dashboard", names=1)


def _known_vcs(value: str) -> str:
    if value in ("gl", "gitlab"):
        raise InvalidArgument(
            f"slug: the vcs can't be {value!r}: projects on GitLab have an opaque slug, as those of the GitHub App do;"
            " copy circleci/<organization>/<project> from the project's settings on CircleCI"
        )
    if value not in _VCS:
        raise InvalidArgument(f"slug: the vcs can't be {value!r}: gh, bb or circleci would be right")
    return _VCS[value]


def _legal_name(_slug: object, field: "attrs.Attribute[str]", value: str) -> None:
    if not value:
        wrong = "it is empty"
    elif value in (".", ".."):
        wrong = "it would lead to another path"
    elif "/" in value:
        wrong = "it holds a slash"
    elif _CONTROL.search(value) or _SURROGATE.search(value):
        wrong = "it holds a control character"
    elif value != value.strip():
        wrong = "it has white space around it"
    else:
        return
    raise InvalidArgument(f"slug: the {field.name} can't be {value!r}: {wrong}; a name such as 'acme' would be right")


@attrs.frozen
class OrgSlug:
    """An organization: `vcs` is "gh", "bb" or "circleci", `name` its name there or CircleCI's opaque id.

    `str()` gives `gh/acme`. Raises `InvalidArgument` when a part can't be right.
    """

    vcs: str = attrs.field(converter=_known_vcs)
    name: str = attrs.field(validator=_legal_name)

    @classmethod
    def parse(cls, text: "str | OrgSlug") -> "OrgSlug":
        """Read a slug, or the address of a page of the organization or of one of its projects.

        Slugs: `gh/acme`, `github/...`, `bb/...`, `bitbucket/...`, `circleci/<opaque>`, or `gh%2Facme`.
        Raises `InvalidArgument`, which says what would be right.
        """
        if isinstance(text, OrgSlug):
            return text
        found = _segments(text, count=2)
        if found is None:
            raise InvalidArgument(
                f"organization can't be {_shown(text)}: give vcs/name, such as gh/acme or circleci/<organization>,"
                " or the address of its page on CircleCI"
            )
        return cls(*found)

    def __str__(self) -> str:
        return f"{self.vcs}/{self.name}"

    @property
    def path(self) -> str:
        """Both segments, each escaped by itself, with a literal slash between."""
        return f"{self.vcs}/{segment(self.name)}"


@attrs.frozen
class ProjectSlug:
    """A project: `vcs` is "gh", "bb" or "circleci", `organization` and `name` its names there or CircleCI's opaque ids.

    `str()` gives `gh/acme/api`. Raises `InvalidArgument` when a part can't be right.
    """

    vcs: str = attrs.field(converter=_known_vcs)
    organization: str = attrs.field(validator=_legal_name)
    name: str = attrs.field(validator=_legal_name)

    @classmethod
    def parse(cls, text: "str | ProjectSlug") -> "ProjectSlug":
        """Read a slug, or the address of a repository or of a page of CircleCI's web app.

        Slugs: `gh/acme/api`, `github/...`, `bb/...`, `bitbucket/...`, `circleci/<opaque>/<opaque>`, or `gh%2F...`.
        Repositories: on github.com and bitbucket.org, by https, ssh or `git@host:`.
        Web app: pipelines, workflows, jobs, insights and settings of a project, on circleci.com or a CircleCI server.
        Raises `InvalidArgument`, which says what would be right.
        """
        if isinstance(text, ProjectSlug):
            return text
        found = _segments(text, count=3)
        if found is None:
            raise InvalidArgument(
                f"project can't be {_shown(text)}: give vcs/organization/name, such as gh/acme/api or"
                " circleci/<organization>/<project>, or the address of its repository or of its page on CircleCI"
            )
        return cls(*found)

    def __str__(self) -> str:
        return f"{self.vcs}/{self.organization}/{self.name}"

    @property
    def path(self) -> str:
        """The three segments, each escaped by itself, with literal slashes between."""
        return f"{self.vcs}/{segment(self.organization)}/{segment(self.name)}"

    @property
    def organization_slug(self) -> OrgSlug:
        """The organization that the project belongs to."""
        return OrgSlug(self.vcs, self.organization)


def segment(value: str | int | UUID) -> str:
    """Escape one segment of a path: an id, a name, a fingerprint, a number.

    Raises `InvalidArgument` for what is none of these, and for "", "." and "..", which would lead to another path.
    """
    text = _text(value)
    if text in ("", ".", "..") or _SURROGATE.search(text):
        raise InvalidArgument(f"{value!r} can't be part of a path: give an id, a name or a number that is not negative")
    return quote(text, safe="")


def project_path(project: str | ProjectSlug) -> str:
    """Return a project's slug as path segments: `gh/acme/api`. Takes all that `ProjectSlug.parse` reads."""
    return _project_path(project)


def org_path(organization: str | OrgSlug) -> str:
    """Return an organization's slug as path segments: `gh/acme`. Takes all that `OrgSlug.parse` reads."""
    return OrgSlug.parse(organization).path


def org_segment(organization: str | OrgSlug | UUID) -> str:
    """Return an organization's slug or id as one path segment: `gh%2Facme`, or the id as it is."""
    if isinstance(organization, str):
        organization = organization.strip()
        if "/" in unquote(organization):
            organization = OrgSlug.parse(organization)
    return segment(str(organization) if isinstance(organization, OrgSlug) else organization)


@lru_cache(maxsize=1024)  # every call on a project passes here, most of them with the same few slugs
def _project_path(project: str | ProjectSlug) -> str:
    return ProjectSlug.parse(project).path


def _text(value: object) -> str:
    """Return the value as text; "" where type or sign is wrong, for "None", "True" and "-1" are nobody's id."""
    if isinstance(value, str):
        return value
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return str(value)
    return ""


def _segments(text: object, count: int) -> list[str] | None:
    """Return the `count` segments that a slug or an address names, decoded but unchecked; None if it names none."""
    if not isinstance(text, str) or _CONTROL.search(text := text.strip()):
        return None
    try:
        if _URL.match(text):
            url = urlsplit(text)
            found = _from_url(url.hostname or "", url.path, count)
        elif scp := _SCP.fullmatch(text):
            found = _from_repository(scp["host"], scp["path"], count)
        else:
            found = (text if "/" in text else unquote(text, errors="strict")).split("/")
    except ValueError:  # no address, or not UTF-8 when decoded
        return None
    return found if len(found) == count else None


def _from_url(host: str, path: str, count: int) -> list[str]:
    if host in _REPOSITORY_HOSTS:
        return _from_repository(host, path, count)
    page = re.fullmatch(_PROJECT_PAGE if count == 3 else _ORGANIZATION_PAGE, path)
    return [page[1], *_decoded(page[2])] if page else []


def _from_repository(host: str, path: str, count: int) -> list[str]:
    """Return the vcs and the first names of a repository's path; what follows (a branch, a pull request) is ignored."""
    vcs = _REPOSITORY_HOSTS.get(host.lower())
    if vcs is None:
        return []
    names = _decoded(path)[: count - 1]
    if count == 3:
        names[-1] = names[-1].removesuffix(".git")
    return [vcs, *names]


def _decoded(path: str) -> list[str]:
    return [unquote(name, errors="strict") for name in path.removeprefix("/").split("/")]


def _shown(text: object) -> str:
    return repr(_URL.sub(r"\1\2", text.strip()) if isinstance(text, str) else text)
