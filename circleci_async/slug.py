"""Slugs of projects and organizations: parsed from slugs and URLs, and formatted as path segments.

The only module that quotes path segments.
"""

import re
from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import quote, unquote
from uuid import UUID

import attrs

from .errors import InvalidArgument
from .untrusted_text import is_valid_unicode

__all__ = ["OrgSlug", "ProjectSlug", "segment"]

_VCS: Final = {"gh": "gh", "github": "gh", "bb": "bb", "bitbucket": "bb", "circleci": "circleci"}
_REPOSITORY_HOSTS: Final = {"github.com": "gh", "bitbucket.org": "bb"}

# https://github.com/acme/api, github.com/acme/api, git@github.com:acme/api.git
_URL = re.compile(
    r"""(?: (?: https? | ssh ):// (?: [^/@]* @ )? (?P<full> [^/@:]+ ) (?: : [0-9]+ )? /
          | (?: [^/@:]+ @ )? (?P<short> [a-z0-9-]+ (?: \. [a-z0-9-]+ )+ ) (?: : (?: [0-9]+ / )? | / ) )
        (?P<path> [^?#]* ) .*""",
    re.VERBOSE | re.IGNORECASE,
)
_NO_SCHEME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]+)?/", re.IGNORECASE)  # github.com/acme/api
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]{0,30}:)?/+", re.IGNORECASE)
_QUERY = re.compile(r"[?#]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _page(sections: str, names: int) -> str:
    """Return a pattern of the paths of web pages: an optional section, a vcs and a number of names.

    Only paths of the old web app start with the slug. It had no `circleci/...` slugs; accepting them here would match
    the repositories of an organization named "circleci" on any host.
    """
    return rf"(?:(?:{sections})/|(?!circleci/))({'|'.join(_VCS)})((?:/[^/]+){{{names}}})(?:/.*)?"


_PROJECT_SECTIONS: Final = (
    "pipelines|insights|jobs|settings/project|projects/project-setup|status-badge/img|status-badge/redirect"
)
_PROJECT_PAGE = _page(_PROJECT_SECTIONS, names=2)
_ORGANIZATION_PAGE = _page(
    f"{_PROJECT_SECTIONS}|organization|settings/organization|projects/project-dashboard", names=1
)


def _normalize_vcs(value: str) -> str:
    if value in ("gl", "gitlab"):
        raise InvalidArgument(
            f"slug has the unsupported vcs {value!r}: projects on GitLab have an opaque slug;"
            " copy circleci/<organization>/<project> from the project's settings on CircleCI"
        )
    if value not in _VCS:
        raise InvalidArgument(f"slug has the unknown vcs {without_secrets(value)!r}: expected 'gh', 'bb' or 'circleci'")
    return _VCS[value]


def _check_name(_slug: object, field: "attrs.Attribute[str]", value: str) -> None:
    if not value:
        problem = "it is empty"
    elif value in (".", ".."):
        problem = "it would change the path"
    elif "/" in value:
        problem = "it contains a slash"
    elif _CONTROL.search(value) or not is_valid_unicode(value):
        problem = "it contains a control character"
    elif value != value.strip():
        problem = "it has leading or trailing white space"
    else:
        return
    raise InvalidArgument(f"slug has the invalid {field.name} {value!r}: {problem}")


class HasSlug(Protocol):
    """A model that has the slug of a project: `Project`, `ListedProject`."""

    @property
    def slug(self) -> str:
        """Such as `gh/acme/api`."""
        ...


@attrs.frozen
class OrgSlug:
    """An organization slug: `vcs` is "gh", "bb" or "circleci", `name` the name there or CircleCI's opaque id.

    `str()` returns `gh/acme`. Raises `InvalidArgument` for an invalid part.
    """

    vcs: str = attrs.field(converter=_normalize_vcs)
    name: str = attrs.field(validator=_check_name)

    @classmethod
    def parse(cls, text: "str | OrgSlug") -> "OrgSlug":
        """Parse a slug, or the URL of a page of the organization or of one of its projects, with or without `https://`.

        Slugs: `gh/acme`, `github/...`, `bb/...`, `bitbucket/...`, `circleci/<opaque>`.
        Raises `InvalidArgument` for anything else.
        """
        if isinstance(text, OrgSlug):
            return text
        segments = _segments(text, count=2)
        if segments is None:
            raise InvalidArgument(
                f"organization slug {_shown(text)} is invalid: expected 'gh/org', 'circleci/<organization>',"
                " or the URL of its page on CircleCI"
            )
        return cls(*segments)

    def __str__(self) -> str:
        return f"{self.vcs}/{self.name}"

    @property
    def path(self) -> str:
        """The slug as two path segments, each quoted."""
        return f"{self.vcs}/{segment(self.name)}"


@attrs.frozen
class ProjectSlug:
    """A project slug: `vcs` is "gh", "bb" or "circleci", the names are those used there or CircleCI's opaque ids.

    `str()` returns `gh/acme/api`. Raises `InvalidArgument` for an invalid part.
    """

    vcs: str = attrs.field(converter=_normalize_vcs)
    organization: str = attrs.field(validator=_check_name)
    name: str = attrs.field(validator=_check_name)

    @classmethod
    def parse(cls, text: "str | ProjectSlug | HasSlug") -> "ProjectSlug":
        """Parse a slug, also of a model that has one, or the URL of a repository or of a page of CircleCI's web app.

        The `https://` of a URL can be missing.

        Slugs: `gh/acme/api`, `github/...`, `bb/...`, `bitbucket/...`, `circleci/<opaque>/<opaque>`.
        Repositories: on github.com and bitbucket.org, by https, ssh or `git@host:`.
        Web app: pipelines, workflows, jobs, insights and settings of a project, on circleci.com or a CircleCI server.
        Raises `InvalidArgument` for anything else.
        """
        if isinstance(text, ProjectSlug):
            return text
        if not isinstance(text, str):
            text = getattr(text, "slug", text)
        segments = _segments(text, count=3)
        if segments is None:
            raise InvalidArgument(
                f"project slug {_shown(text)} is invalid: expected 'gh/org/repo', 'circleci/<organization>/<project>',"
                " or the URL of its repository or of its page on CircleCI"
            )
        return cls(*segments)

    def __str__(self) -> str:
        return f"{self.vcs}/{self.organization}/{self.name}"

    @property
    def path(self) -> str:
        """The slug as three path segments, each quoted."""
        return f"{self.vcs}/{segment(self.organization)}/{segment(self.name)}"

    @property
    def organization_slug(self) -> OrgSlug:
        """The slug of the project's organization."""
        return OrgSlug(self.vcs, self.organization)


def project_or_organization(given: object) -> ProjectSlug | OrgSlug:
    """Parse the slug or URL of a project or of an organization, also of a model that has a slug.

    Raises `InvalidArgument` for anything else.
    """
    if isinstance(given, ProjectSlug | OrgSlug):
        return given
    text = given if isinstance(given, str) else getattr(given, "slug", given)
    if isinstance(text, str):
        if _segments(text, count=3) is not None:
            return ProjectSlug.parse(text)
        if _segments(text, count=2) is not None:
            return OrgSlug.parse(text)
    raise InvalidArgument(
        f"project slug {_shown(text)} is invalid: expected a project such as 'gh/acme/api', an organization such as"
        " 'gh/acme', or the URL of one"
    )


def segment(value: str | int | UUID) -> str:
    """Quote one path segment: an id, a name, a fingerprint or a number.

    Raises `InvalidArgument` for other types, for negative numbers, and for "", "." and "..", which change the path.
    """
    text = _text(value)
    if text in ("", ".", "..") or not is_valid_unicode(text):
        raise InvalidArgument(f"path segment must be an id, a name or a non-negative number, got {value!r}")
    return quote(text, safe="")


def with_scheme(text: str) -> str:
    """Return a URL that was copied without its scheme, such as `github.com/acme/api`, with it; other text unchanged."""
    return f"https://{text}" if _NO_SCHEME.match(text) else text


def without_secrets(text: str) -> str:
    """Return a malformed slug or URL without what may be secret: user name, password, query and fragment.

    A password may contain a slash, and the scheme may be missing or mistyped.
    """
    scheme = "".join(_SCHEME.findall(text[:64])[:1])
    rest = text[len(scheme) :]
    login, at, visible = rest.rpartition("@")
    if at and ":" not in login:  # no password: an `@` in the path stays
        host, slash, path = rest.partition("/")
        at, visible = "@" if "@" in host else "", host.rpartition("@")[2] + slash + path
    if at and login != "git":
        rest = visible
    return scheme + _QUERY.split(rest, maxsplit=1)[0]


def project_path(project: str | ProjectSlug | HasSlug) -> str:
    """Return a project slug as path segments, `gh/acme/api`. Accepts every form that `ProjectSlug.parse` accepts."""
    return _project_path(project if isinstance(project, str | ProjectSlug) else ProjectSlug.parse(project))


def org_path(organization: str | OrgSlug) -> str:
    """Return an organization slug as path segments, `gh/acme`. Accepts every form that `OrgSlug.parse` accepts."""
    return OrgSlug.parse(organization).path


def org_segment(organization: str | OrgSlug | UUID) -> str:
    """Return an organization slug or id as one path segment: `gh%2Facme`, or the id unchanged."""
    if isinstance(organization, str):
        organization = organization.strip()
        if "/" in organization:
            organization = OrgSlug.parse(organization)
    return segment(str(organization) if isinstance(organization, OrgSlug) else organization)


@lru_cache(maxsize=1024)  # most calls of a program use the same few slugs
def _project_path(project: str | ProjectSlug) -> str:
    return ProjectSlug.parse(project).path


def _text(value: object) -> str:
    """Return the value as text, or "" for an unsupported type or a negative number."""
    if isinstance(value, str):
        return value
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return str(value)
    return ""


def _segments(text: object, count: int) -> list[str] | None:
    """Return the `count` segments of a slug or URL, decoded but unchecked, or None if it has another number."""
    if not isinstance(text, str) or _CONTROL.search(text := text.strip()):
        return None
    url = _URL.fullmatch(text)
    segments = _from_url(url["full"] or url["short"], url["path"], count) if url else text.split("/")
    return segments if len(segments) == count else None


def _from_url(host: str, path: str, count: int) -> list[str]:
    host = host.lower().removeprefix("www.")
    vcs = _REPOSITORY_HOSTS.get(host) or ("gitlab" if host.startswith("gitlab.") else None)
    if vcs:  # a repository, perhaps with a branch or pull request after it, or an organization on GitHub
        names = (path.removeprefix("orgs/") if count == 2 else path).split("/")[: count - 1]
        if count == 3:
            names[-1] = names[-1].removesuffix(".git")
    elif page := re.fullmatch(_PROJECT_PAGE if count == 3 else _ORGANIZATION_PAGE, path):
        vcs, names = page[1], page[2].removeprefix("/").split("/")
    else:
        return []
    return [vcs, *map(unquote, names)]


def _shown(text: object) -> str:
    return repr(without_secrets(text.strip()) if isinstance(text, str) else text)
