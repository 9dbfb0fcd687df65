"""Slugs: accepted and rejected forms, and quoting of path segments."""

import re
from enum import StrEnum
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from circleci_async.errors import CircleCIError, InvalidArgument
from circleci_async.slug import OrgSlug, ProjectSlug, org_path, org_segment, project_path, segment

ORG_ID = "7HRv8ZcWgoT8ryEGQXNx6E"
PROJECT_ID = "2Bfdr4bqQdFv2kMTRzUq9k"
UUID_TEXT = "c65b68ef-e73b-4bf2-be9a-7a322a9df150"

API = ProjectSlug("gh", "acme", "api")
API_ON_BITBUCKET = ProjectSlug("bb", "acme", "api")
OPAQUE = ProjectSlug("circleci", ORG_ID, PROJECT_ID)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("gh/acme/api", API),
        ("github/acme/api", API),
        ("bb/acme/api", API_ON_BITBUCKET),
        ("bitbucket/acme/api", API_ON_BITBUCKET),
        (f"circleci/{ORG_ID}/{PROJECT_ID}", OPAQUE),
        (f"circleci/{UUID_TEXT}/{PROJECT_ID}", ProjectSlug("circleci", UUID_TEXT, PROJECT_ID)),
        ("  gh/acme/api \n", API),
        ("gh/my org/api v2", ProjectSlug("gh", "my org", "api v2")),
        ("gh/acme/größe", ProjectSlug("gh", "acme", "größe")),
        ("gh/acme/100%", ProjectSlug("gh", "acme", "100%")),
        ("gh/acme/a%2Fb", ProjectSlug("gh", "acme", "a%2Fb")),
        ("gh/acme/...", ProjectSlug("gh", "acme", "...")),
        ("gh/acme/api.git", ProjectSlug("gh", "acme", "api.git")),
        ("gh/a@b:c/d", ProjectSlug("gh", "a@b:c", "d")),
        ("gh/acme/c#?x", ProjectSlug("gh", "acme", "c#?x")),
    ],
)
def test_a_slug_is_parsed(text: str, slug: ProjectSlug) -> None:
    assert ProjectSlug.parse(text) == slug


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://github.com/acme/api", API),
        ("https://github.com/acme/api/", API),
        ("https://github.com/acme/api.git", API),
        ("https://github.com/acme/api.git/", API),
        ("http://www.github.com/acme/api", API),
        ("HTTPS://GitHub.com/acme/api", API),
        ("https://github.com/acme/api/tree/main", API),
        ("https://github.com/acme/api/pull/3#issuecomment-1", API),
        ("https://github.com/acme/api?tab=readme", API),
        ("https://x-access-token:secret@github.com/acme/api.git", API),
        ("ssh://git@github.com/acme/api.git", API),
        ("git@github.com:acme/api.git", API),
        ("git@github.com:acme/api", API),
        ("git@GitHub.com:acme/api.git", API),
        ("org-4711@github.com:acme/api.git", API),
        ("https://github.com/circleci/api", ProjectSlug("gh", "circleci", "api")),
        ("https://github.com/acme/api.github.io", ProjectSlug("gh", "acme", "api.github.io")),
        ("https://bitbucket.org/acme/api", API_ON_BITBUCKET),
        ("https://www.bitbucket.org/acme/api/src/main/README.md", API_ON_BITBUCKET),
        ("https://someone@bitbucket.org/acme/api.git", API_ON_BITBUCKET),
        ("git@bitbucket.org:acme/api.git", API_ON_BITBUCKET),
        (" git@github.com:acme/api.git\n", API),
        ("github.com/acme/api", API),
        ("GitHub.com/acme/api/", API),
        ("www.github.com/acme/api.git", API),
        ("github.com/acme/api/tree/main?tab=readme", API),
        ("git@github.com/acme/api.git", API),
        ("github.com:acme/api.git", API),
        ("bitbucket.org/acme/api", API_ON_BITBUCKET),
    ],
)
def test_the_url_of_a_repository_is_parsed(url: str, slug: ProjectSlug) -> None:
    assert ProjectSlug.parse(url) == slug


WEB_HOSTS = [
    "https://app.circleci.com",
    "https://circleci.com",
    "http://ci.example.com:8080",
    "app.circleci.com",
    "ci.example.com:8080",
]


@pytest.mark.parametrize("host", WEB_HOSTS)
@pytest.mark.parametrize(
    ("path", "slug"),
    [
        (f"/pipelines/github/acme/api/123/workflows/{UUID_TEXT}/jobs/9", API),
        ("/pipelines/github/acme/api", API),
        ("/pipelines/github/acme/api/", API),
        ("/pipelines/gh/acme/api?branch=main#top", API),
        ("/pipelines/bitbucket/acme/api/1", API_ON_BITBUCKET),
        ("/pipelines/bb/acme/api/1", API_ON_BITBUCKET),
        (f"/pipelines/circleci/{ORG_ID}/{PROJECT_ID}", OPAQUE),
        (f"/pipelines/circleci/{ORG_ID}/{PROJECT_ID}/7/workflows/{UUID_TEXT}", OPAQUE),
        ("/pipelines/github/my%20org/gr%C3%B6%C3%9Fe", ProjectSlug("gh", "my org", "größe")),
        ("/pipelines/github/acme/100%2525", ProjectSlug("gh", "acme", "100%25")),
        ("/projects/project-setup/github/acme/api?branch=main", API),
        ("/settings/project/github/acme/api", API),
        (f"/settings/project/circleci/{ORG_ID}/{PROJECT_ID}/environment-variables", OPAQUE),
        ("/insights/github/acme/api/workflows/build/overview?branch=main", API),
        ("/jobs/github/acme/api/42", API),
        ("/status-badge/redirect/gh/acme/api/tree/main", API),
        (f"/status-badge/img/circleci/{ORG_ID}/{PROJECT_ID}/tree/main.svg?style=svg", OPAQUE),
        ("/gh/acme/api/42", API),
        ("/gh/acme/api/tree/main", API),
        ("/github/acme/api", API),
        ("/bb/acme/api/42#tests/containers/0", API_ON_BITBUCKET),
        ("/bitbucket/acme/api", API_ON_BITBUCKET),
    ],
)
def test_the_url_of_a_page_of_the_web_app_is_parsed_on_any_host(host: str, path: str, slug: ProjectSlug) -> None:
    assert ProjectSlug.parse(host + path) == slug


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "api",
        "acme/api",
        "gh/acme",
        "gh/acme/api/42",
        "gh/acme/api/",
        "/gh/acme/api",
        "gh%2Facme",
        "gh%2Facme/api",
        "gh%FFacme%FFapi",
        "svn/acme/api",
        "GH/acme/api",
        "github.com/acme",
        "git.example.com/acme/api",
        "github.com:acme",
        "/acme/api",
        "gh//api",
        "gh/acme/",
        "gh/ /api",
        "gh/./api",
        "gh/../api",
        "gh/acme/.",
        "gh/acme/..",
        "gh%2F..%2Fapi",
        "gh/ac\x00me/api",
        "gh/acme/a\npi",
        "gh/acme/a\x7fpi",
        "gh/acme/a\x85pi",
        "gh/acme/a\ud800pi",
        "gh/ acme/api",
        "gh/acme /api",
        "https://github.com",
        "https://github.com/acme",
        "https://github.com//acme/api",
        "https://github.com/acme/.git",
        "https://github.com/acme/../api",
        "https://github.com/acme/%2e%2e",
        "https://github.com/acme/a%2Fb",
        "https://github.com/acme/a%00b",
        "https://github.com/ac\nme/api",
        "https://github.com.evil.org/acme/api",
        "https://git.example.com/acme/api",
        "https://git.example.com/circleci/acme/api",
        "git@example.com:acme/api.git",
        "git@github.com:api.git",
        "ssh://git@github.com",
        "https://circleci.com",
        "https://app.circleci.com/pipelines",
        "https://app.circleci.com/pipelines/github/acme",
        "https://app.circleci.com/pipelines/github/acme/",
        "https://app.circleci.com/pipelines/github//api",
        "https://app.circleci.com/pipelines/github/acme/..",
        "https://app.circleci.com/pipelines/github/%2E%2E/api",
        "https://app.circleci.com/pipelines/svn/acme/api",
        "https://app.circleci.com/projects/project-setup?organization=acme",
        "https://app.circleci.com/projects/project-dashboard/github/acme",
        "https://app.circleci.com/projects/project-dashboard/github/acme/",
        "https://app.circleci.com/settings/organization/github/acme/contexts",
        "https://app.circleci.com/organization/github/acme/people",
        "https://circleci.com/circleci/acme/api",
        "https://circleci.com/docs/gh/acme/api",
        f"https://circleci.com/workflow-run/{UUID_TEXT}",
    ],
)
def test_an_invalid_project_slug_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        ProjectSlug.parse(text)


@pytest.mark.parametrize(
    ("text", "shown", "right"),
    [
        ("acme/api", "'acme/api'", "gh/org/repo"),
        ("\tacme/api ", "'acme/api'", "gh/org/repo"),
        ("git@example.com:acme/api.git", "'git@example.com:acme/api.git'", "gh/org/repo"),
        ("gh/acme/../x", "'gh/acme/../x'", "gh/org/repo"),
        ("svn/acme/api", "'svn'", "'gh', 'bb' or 'circleci'"),
        ("gh/../api", "organization '..'", "it would change the path"),
        ("gh/acme/.", "name '.'", "it would change the path"),
        ("gh//api", "organization ''", "it is empty"),
        ("https://github.com/acme/%2E%2E", "name '..'", "it would change the path"),
        ("https://github.com/acme/a%2Fb", "name 'a/b'", "it contains a slash"),
        ("https://github.com/acme/a%09b", r"name 'a\tb'", "it contains a control character"),
        ("gh/acme /api", "organization 'acme '", "it has leading or trailing white space"),
        ("gh/ac\x00me/api", r"'gh/ac\x00me/api'", "gh/org/repo"),
        (
            "https://app.circleci.com/projects/project-dashboard/github/acme",
            "'https://app.circleci.com/projects/project-dashboard/github/acme'",
            "the URL of its repository or of its page on CircleCI",
        ),
        (None, "None", "gh/org/repo"),
        (42, "42", "gh/org/repo"),
    ],
)
def test_the_message_has_the_value_and_the_problem(text: Any, shown: str, right: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ProjectSlug.parse(text)
    assert shown in str(caught.value)
    assert right in str(caught.value)
    assert isinstance(caught.value, CircleCIError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "text",
    [
        "https://gitlab.com/acme/api",
        "https://gitlab.com/acme/group/api.git",
        "git@gitlab.com:acme/api.git",
        "gitlab.com/acme/api",
        "www.gitlab.com/acme/api",
        "https://gitlab.example.com/acme/api",
        "gitlab/acme/api",
        "gl/acme/api",
    ],
)
def test_a_gitlab_project_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"opaque slug.*circleci/<organization>/<project>.*settings"):
        ProjectSlug.parse(text)


@pytest.mark.parametrize(
    "url",
    [
        "https://someone:s3cret@example.com/acme/api",
        "https://s3cret@example.com/acme/api",
        " https://someone:p@s3cret@example.com/",
        "https://example.com/acme/api?circle-token=s3cret",
        "https://example.com/acme/api#s3cret",
        "https://s3cret@[example.com/acme/api",
        "https://s3cret@exam\nple.com/acme/api?\ns3cret",
        "https://s3cret@gitlab.com/acme/api",
        "someone:s3cret@example.com/acme/api",
        "example.com/acme/api?circle-token=s3cret",
        "someone:p@s3cret@example.com/acme/api",
        "https://someone:p/s3cret@example.com/acme/api",
        "someone:p/s3cret@example.com/acme/api",
        "//someone:s3cret@example.com/acme/api",
        "https:/someone:s3cret@example.com/acme/api",
        "https:someone:s3cret@example.com/acme/api",
        "someone:s3cret@localhost/acme/api",
        "someone:s3cret@localhost:8080/acme/api",
        "acme/api/?circle-token=s3cret",
    ],
)
def test_a_secret_in_an_invalid_url_is_not_shown(url: str) -> None:
    with pytest.raises(InvalidArgument) as project:
        ProjectSlug.parse(url)
    with pytest.raises(InvalidArgument) as organization:
        OrgSlug.parse(url.replace("/acme/api", ""))
    for error in (project.value, organization.value):
        assert "s3cret" not in str(error)
        assert error.__cause__ is None
        assert error.__context__ is None


def test_str_of_a_slug() -> None:
    assert str(ProjectSlug.parse("github/acme/api")) == "gh/acme/api"
    assert str(ProjectSlug("bitbucket", "my org", "100%")) == "bb/my org/100%"
    assert str(OrgSlug.parse("github/acme")) == "gh/acme"


def test_parsing_a_parsed_slug_returns_it() -> None:
    assert ProjectSlug.parse(API) is API
    organization = API.organization_slug
    assert OrgSlug.parse(organization) is organization


def test_the_organization_of_a_project() -> None:
    assert API.organization_slug == OrgSlug("gh", "acme")
    assert OPAQUE.organization_slug == OrgSlug("circleci", ORG_ID)


def test_slugs_are_immutable_hashable_values() -> None:
    assert {ProjectSlug("github", "acme", "api"), API} == {API}
    assert {OrgSlug("github", "acme"), OrgSlug("gh", "acme")} == {OrgSlug("gh", "acme")}
    for slug in (API, API.organization_slug):
        assert not hasattr(slug, "__dict__")
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            slug.name = "other"  # type: ignore[misc]  # this is what must fail


@pytest.mark.parametrize("vcs", ["", "svn", "gitlab", "gh/acme", "GH"])
def test_constructors_refuse_an_unknown_vcs(vcs: str) -> None:
    with pytest.raises(InvalidArgument, match="vcs"):
        ProjectSlug(vcs, "acme", "api")
    with pytest.raises(InvalidArgument, match="vcs"):
        OrgSlug(vcs, "acme")


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "/", "a\x00b", "a\x1fb", "a\x9fb", "\udfff", " a", "a\t"])
def test_constructors_refuse_an_invalid_name(name: str) -> None:
    with pytest.raises(InvalidArgument, match="organization"):
        ProjectSlug("gh", name, "api")
    with pytest.raises(InvalidArgument, match="name"):
        ProjectSlug("gh", "acme", name)
    with pytest.raises(InvalidArgument, match="name"):
        OrgSlug("gh", name)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("gh/acme/api", "gh/acme/api"),
        ("github/acme/api", "gh/acme/api"),
        ("https://github.com/acme/api.git", "gh/acme/api"),
        ("gh/my org/größe", "gh/my%20org/gr%C3%B6%C3%9Fe"),
        ("gh/acme/100%", "gh/acme/100%25"),
        ("gh/acme/a%2Fb", "gh/acme/a%252Fb"),
        ("gh/acme/%2e%2e", "gh/acme/%252e%252e"),
        ("gh/acme/a?b#c;d\\e", "gh/acme/a%3Fb%23c%3Bd%5Ce"),
    ],
)
def test_each_segment_of_a_project_path_is_quoted(text: str, path: str) -> None:
    assert ProjectSlug.parse(text).path == path
    assert project_path(text) == path
    assert project_path(ProjectSlug.parse(text)) == path


@pytest.mark.parametrize("project", ["acme/api", "gh/../api", "", None])
def test_a_project_path_needs_a_project(project: Any) -> None:
    for _ in range(2):  # the second call uses the cache
        with pytest.raises(InvalidArgument):
            project_path(project)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("gh/acme", OrgSlug("gh", "acme")),
        (" github/acme ", OrgSlug("gh", "acme")),
        ("bb/acme", OrgSlug("bb", "acme")),
        ("bitbucket/acme", OrgSlug("bb", "acme")),
        (f"circleci/{ORG_ID}", OrgSlug("circleci", ORG_ID)),
        ("https://github.com/acme", OrgSlug("gh", "acme")),
        ("https://github.com/orgs/acme/repositories", OrgSlug("gh", "acme")),
        ("https://github.com/orgsmith", OrgSlug("gh", "orgsmith")),
        ("github.com/acme", OrgSlug("gh", "acme")),
        ("github.com/acme/api", OrgSlug("gh", "acme")),
        ("bitbucket.org/acme/", OrgSlug("bb", "acme")),
        ("app.circleci.com/pipelines/github/acme", OrgSlug("gh", "acme")),
        ("https://github.com/acme/", OrgSlug("gh", "acme")),
        ("https://github.com/acme/api.git", OrgSlug("gh", "acme")),
        ("https://github.com/acme.git/api", OrgSlug("gh", "acme.git")),
        ("git@bitbucket.org:acme/api.git", OrgSlug("bb", "acme")),
        ("https://app.circleci.com/pipelines/github/acme", OrgSlug("gh", "acme")),
        ("https://app.circleci.com/pipelines/github/acme/api/7", OrgSlug("gh", "acme")),
        ("https://app.circleci.com/insights/github/acme", OrgSlug("gh", "acme")),
        ("https://app.circleci.com/organization/github/acme/people", OrgSlug("gh", "acme")),
        ("https://app.circleci.com/projects/project-dashboard/github/acme/", OrgSlug("gh", "acme")),
        (f"https://app.circleci.com/settings/organization/circleci/{ORG_ID}/x", OrgSlug("circleci", ORG_ID)),
        ("https://app.circleci.com/settings/project/github/acme/api", OrgSlug("gh", "acme")),
        ("https://app.circleci.com/projects/project-setup/github/acme/api", OrgSlug("gh", "acme")),
        ("https://ci.example.com/gh/my%20org", OrgSlug("gh", "my org")),
    ],
)
def test_an_organization_slug_is_parsed(text: str, slug: OrgSlug) -> None:
    assert OrgSlug.parse(text) == slug


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme",
        "gh/",
        "/acme",
        "gh/acme/api",
        "gh/..",
        "gh/a\nb",
        "svn/acme",
        "gitlab/acme",
        "https://github.com",
        "https://gitlab.com/acme",
        "gitlab.com/acme",
        "https://example.com/acme",
        "https://app.circleci.com/home",
        "https://git.example.com/circleci/acme",
        None,
    ],
)
def test_an_invalid_organization_slug_is_refused(text: Any) -> None:
    with pytest.raises(InvalidArgument):
        OrgSlug.parse(text)


def test_the_message_for_an_organization_has_the_expected_form() -> None:
    with pytest.raises(InvalidArgument, match=r"organization slug 'acme' is invalid: expected 'gh/org'"):
        OrgSlug.parse("acme")


@pytest.mark.parametrize(
    ("organization", "path", "one_segment"),
    [
        ("gh/acme", "gh/acme", "gh%2Facme"),
        ("github/acme", "gh/acme", "gh%2Facme"),
        (" bb/my org ", "bb/my%20org", "bb%2Fmy%20org"),
        ("gh/100%", "gh/100%25", "gh%2F100%25"),
        ("https://app.circleci.com/pipelines/github/acme", "gh/acme", "gh%2Facme"),
        ("github.com/acme", "gh/acme", "gh%2Facme"),
        (OrgSlug("circleci", ORG_ID), f"circleci/{ORG_ID}", f"circleci%2F{ORG_ID}"),
    ],
)
def test_an_organization_path_has_two_segments_or_one(organization: str | OrgSlug, path: str, one_segment: str) -> None:
    assert org_path(organization) == path
    assert org_segment(organization) == one_segment


@pytest.mark.parametrize("identifier", [UUID(UUID_TEXT), UUID_TEXT, f" {UUID_TEXT}\n"])
def test_an_organization_id_is_unchanged(identifier: str | UUID) -> None:
    assert org_segment(identifier) == UUID_TEXT


@pytest.mark.parametrize("organization", ["", " ", ".", "..", "gh/..", "svn/acme", None, True])
def test_an_invalid_organization_segment_is_refused(organization: Any) -> None:
    with pytest.raises(InvalidArgument):
        org_segment(organization)


class Color(StrEnum):
    RED = "dark red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("build", "build"),
        ("say hello/again", "say%20hello%2Fagain"),
        (
            "SHA256:NPj4IcXxqQEKGXOghi/QbG2sohoNfvZ30JwCcdSSNM0+",
            "SHA256%3ANPj4IcXxqQEKGXOghi%2FQbG2sohoNfvZ30JwCcdSSNM0%2B",
        ),
        ("100%", "100%25"),
        ("...", "..."),
        (" ", "%20"),
        ("a\nb", "a%0Ab"),
        (42, "42"),
        (0, "0"),
        (UUID(UUID_TEXT), UUID_TEXT),
        (Color.RED, "dark%20red"),
    ],
)
def test_a_segment_is_quoted(value: str | int | UUID, text: str) -> None:
    assert segment(value) == text


@pytest.mark.parametrize("value", ["", ".", "..", True, False, -1, None, 1.5, b"x", "a\ud800"])
def test_an_invalid_segment_is_refused_with_its_value(value: Any) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(repr(value))):
        segment(value)


@given(st.text().filter(lambda text: text not in ("", ".", "..")))
def test_quoting_a_segment_is_reversible(text: str) -> None:
    escaped = segment(text)
    assert re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+", escaped)
    assert unquote(escaped, errors="strict") == text
    url = URL(f"https://circleci.com/api/v2/{escaped}/end", encoded=True)
    assert url.raw_parts == ("/", "api", "v2", escaped, "end")


@given(st.integers(min_value=0) | st.uuids())
def test_numbers_and_uuids_are_not_quoted(value: int | UUID) -> None:
    assert segment(value) == str(value)


@given(st.sampled_from(["gh", "bb", "circleci"]), st.text(), st.text())
def test_formatting_a_slug_is_reversible(vcs: str, organization: str, name: str) -> None:
    try:
        slug = ProjectSlug(vcs, organization, name)
    except InvalidArgument:
        with pytest.raises(InvalidArgument):
            OrgSlug(vcs, organization), OrgSlug(vcs, name)
        return
    assert ProjectSlug.parse(str(slug)) == slug
    assert OrgSlug.parse(str(slug.organization_slug)) == slug.organization_slug
    assert [unquote(part) for part in slug.path.split("/")] == [vcs, organization, name]


@given(st.text())
def test_parsing_any_text_returns_a_slug_or_raises_invalid_argument(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://github.com/{text}", f"git@github.com:{text}", f"gh/{text}/x"):
        try:
            slug = ProjectSlug.parse(candidate)
        except InvalidArgument:
            continue
        assert ProjectSlug.parse(str(slug)) == slug
