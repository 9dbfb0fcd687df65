"""Names that builds, servers and users choose: slugs, ids, paths, globs, layouts."""

import os
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import unquote

from circleci_async import InvalidArgument, OrgSlug, ProjectSlug, Selection, UnsafePath
from circleci_async.cli.build_ref import BuildRef
from circleci_async.core.routes import route_of
from circleci_async.core.tables import rows
from circleci_async.core.when import parse_datetime
from circleci_async.downloads.destination import checked_parts, fold
from circleci_async.globs import matches, matches_path
from circleci_async.harvest.layout import JobRef, Layout, PathAllocator, PipelineRef, safe_name
from circleci_async.models import Artifact
from circleci_async.slug import org_segment, segment

from ..parser import SIZE, Parser


def _project_slug(text: str) -> object:
    slug = ProjectSlug.parse(text)
    assert ProjectSlug.parse(str(slug)) == slug
    assert slug.path.count("/") == 2
    assert ".." not in slug.path.split("/")
    return slug


def _org_slug(text: str) -> object:
    slug = OrgSlug.parse(text)
    assert OrgSlug.parse(str(slug)) == slug
    assert slug.path.count("/") == 1
    return slug


def _segment(text: str) -> object:
    quoted = segment(text)
    assert quoted.isascii()
    assert "/" not in quoted
    assert quoted not in {"", ".", ".."}
    assert unquote(quoted) == text
    return quoted


def _org_segment(text: str) -> object:
    quoted = org_segment(text)
    assert "/" not in quoted
    return quoted


def _build_ref(text: str) -> object:
    return BuildRef.parse(text, "a workflow")


def _checked_parts(text: str) -> object:
    parts = checked_parts(text)
    assert "/".join(parts) == text
    path = PurePosixPath("root", *parts)
    assert os.path.normpath(path) == str(path)
    return parts


def _fold(text: str) -> object:
    assert fold(text.upper()) == fold(fold(text.upper()))
    return fold(text)


def _safe_name(text: str) -> object:
    name = safe_name(text.encode("utf-8", "replace").decode())
    assert "/" not in name
    assert "\\" not in name
    assert not name.startswith(".")
    assert 0 < len(name.encode()) <= 255
    return name


ORIGIN = PipelineRef("5034460f", datetime(2026, 11, 28, tzinfo=UTC), "feature/x", None, "abc123")
JOB = JobRef("gh/acme/api", 7, "build", "test", 42, ORIGIN)


def _allocate(text: str) -> object:
    """Allocate paths for the artifacts of a job; each line is a path."""
    allocator = PathAllocator(Layout(), JOB, has_nodes=False)
    targets = []
    for path in text.split("\n"):
        try:
            checked_parts(path)
        except UnsafePath:
            continue
        targets.append(allocator.allocate(0, path))
    assert len({fold(target) for target in targets}) == len(targets)
    assert not any(part.startswith(".") for target in targets for part in target.split("/"))
    return targets


def _layout(text: str) -> object:
    folders = Layout(text).folders(JOB, 0)
    assert not {"", ".", ".."} & set(folders)
    assert not any("/" in folder for folder in folders)
    return folders


def _path_glob(text: str) -> object:
    glob, _, path = text.partition("\n")
    return matches_path(glob, path)


def _name_glob(text: str) -> object:
    glob, _, name = text.partition("\n")
    return matches(glob, name)


def _since(text: str) -> object:
    return Selection(since=text)


def _ids(text: str) -> object:
    return Selection(pipeline_id=text)


def _route(text: str) -> object:
    return route_of(text)


def _rows(text: str) -> object:
    (row,) = rows([Artifact(path=text, node_index=0, url=text)])
    return row


PROJECT_PAGE = "https://app.circleci.com/pipelines/github/acme/api/42/workflows/5034460f-c7c4-4c43-9457-de07e2029e7b"
SLUG_TOKENS = (
    "gh/ / % %2F %2f %FF %C3 // . .. @ : :// https:// git@ .git ? # circleci/ github.com/ pipelines/ \\ ssh://"
)
SLUG_SHAPES = (
    ("gh/acme/", "a", "/x"),
    ("gh", "a", ""),
    ("https://", "a@", "/"),
    ("https://app.circleci.com/", "pipelines/", ""),
    ("https://app.circleci.com/pipelines/gh/", "a/", ""),
    ("git@", "github.com:", ""),
    ("gh%2F", "%41", ""),
    ("", "https://a ", ""),
    ("", "a1+.-", ""),
)
PATH_TOKENS = "/ // . .. ./ ../ \\ C: C:/ a/ .xml ~2 % %2E * ? [ ] ** \n"
GLOB_TOKENS = "* ** **/ /** ? [ ] [! [^ [a-z] [] [!] {a,b} a/ .xml \n"

PARSERS = (
    Parser(
        name="project slug",
        parse=_project_slug,
        returns=ProjectSlug,
        errors=(InvalidArgument,),
        seeds=(
            *(
                "gh/acme/api",
                "github/acme/api",
                "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat",
            ),
            *("git@github.com:acme/api.git", "https://user:pw@github.com/acme/api.git", PROJECT_PAGE),
        ),
        broke=(
            *(
                "",
                "gh//",
                "gh/acme/..",
                "gh/acme/%2e%2e",
                "gh/a/b/c",
                "https://[",
                "https://[::1]x/",
                "gl/acme/api",
                "gh/acme/\udcff",
            ),
            *(
                "gh%2Facme%2F%FF",
                "https://github.com",
                "https://github.com/",
                "git@github.com:",
                "git@github.com:acme",
                "http://℀/",
            ),
            *(
                "gh/acme/a\u2028b",
                " gh/acme/api ",
                "gh/acme/\ufeff",
                "https://github.com/acme/..",
                "https://circleci.com/gh/acme/%2F",
            ),
            "https://github.com/acme/.git",
        ),
        tokens=SLUG_TOKENS,
        shapes=SLUG_SHAPES,
    ),
    Parser(
        name="organization slug",
        parse=_org_slug,
        returns=OrgSlug,
        errors=(InvalidArgument,),
        seeds=(
            "gh/acme",
            "https://app.circleci.com/organization/github/acme/insights",
            "circleci/9YytKzouJxzu4TjCRFqAoD",
        ),
        broke=("", "gh/", "gh/..", "https://[", "gh%2F%FF", "gh/\udcff", "git@github.com:", "https://github.com"),
        tokens=SLUG_TOKENS,
        shapes=SLUG_SHAPES,
    ),
    Parser(
        name="path segment",
        parse=_segment,
        returns=str,
        errors=(InvalidArgument,),
        seeds=("5034460f-c7c4-4c43-9457-de07e2029e7b", "a b/ü"),
        broke=("", ".", "..", "\ud800", "\0", "%2F"),
        tokens="/ . .. % %2F ü",
    ),
    Parser(
        name="organization slug or id",
        parse=_org_segment,
        returns=str,
        errors=(InvalidArgument,),
        seeds=("gh/acme", "5034460f-c7c4-4c43-9457-de07e2029e7b"),
        broke=("", "/", "%2F", "\udcff", " "),
        tokens=SLUG_TOKENS,
        shapes=SLUG_SHAPES,
    ),
    Parser(
        name="reference to a build",
        parse=_build_ref,
        returns=BuildRef,
        errors=(InvalidArgument,),
        seeds=(
            PROJECT_PAGE,
            f"{PROJECT_PAGE}/jobs/7",
            "https://circleci.com/gh/acme/api/42",
            "5034460f-c7c4-4c43-9457-de07e2029e7b",
        ),
        broke=(
            *(
                "https://[",
                "://",
                "https://℀/",
                "https://circleci.com/gh/acme/api/" + "9" * 5000,
                "https://circleci.com/gh/acme/api/²",
            ),
            *(
                "https://app.circleci.com/pipelines/gh/a/b/" + "9" * 5000,
                "",
                "\udcff",
                "https://circleci.com/gh/acme/api/٣",
            ),
        ),
        tokens=f"{SLUG_TOKENS} /jobs/ /workflows/ /pipelines/ 7 - 5034460f-c7c4-4c43-9457-de07e2029e7b",
        shapes=(
            ("https://x", "/pipelines", ""),
            ("https://x", "/pipelines/a/b/c/9", ""),
            ("https://x", "/jobs/9", "x"),
            ("https://x", "/workflows/5034460f", ""),
            ("https://x/jobs/", "9", "x"),
        ),
    ),
    Parser(
        name="path of an artifact",
        parse=_checked_parts,
        returns=tuple,
        errors=(UnsafePath,),
        seeds=("target/surefire-reports/report.xml", "ä/é.txt", "a b/c.d"),
        broke=(
            *(
                "",
                "/",
                "..",
                "../x",
                "a/../b",
                "/etc/passwd",
                "C:/x",
                "a/C:b",
                "a\\..\\b",
                "a/ /b",
                "a/.. /b",
                "\ud800",
                "a\0b",
                "a/",
            ),
            *("a" * 256, "ä" * 128, "\u202e", "a/.", ". /x", "...", "~"),
        ),
        tokens=PATH_TOKENS,
        shapes=(("", "a/", "b"), ("", "é/", "b"), ("", "C:", "")),
    ),
    Parser(
        name="case folding",
        parse=_fold,
        returns=str,
        seeds=("Straße", "İstanbul", "ﬁle"),
        broke=("\ud800", "ẞ", "ΑΣ", "\u0345", "\u0300\u0316" * 20),
        tokens="ß İ \u017f \u0345 \u0301 \u0316",
        # Not alternating marks: before Python 3.13, unicodedata sorts them in quadratic time. Names have 255 bytes.
        shapes=(("a", "\u0301", ""), ("", "\u0345", "")),
    ),
    Parser(
        name="job name as a folder",
        parse=_safe_name,
        returns=str,
        seeds=("build / test (3.11)", "ünit", "a.b"),
        broke=("", ".", "..", "/", "a ", "a.", "\0", "con", "%", "é" * 200, "a" * 300, ".hidden", "a" * 254 + "é"),
        tokens="/ . .. \\ % : é",
    ),
    Parser(
        name="paths for the artifacts of a job",
        parse=_allocate,
        returns=list,
        seeds=("logs/a.txt\nlogs/A.txt\nlogs\na/b\na/b/c", "report.xml\nreport.xml", ".hidden/.x"),
        broke=("a~2\na\na\na~2", "\u017f\ns\nS", "a/b\na\nA/b", ".a\n%2Ea", "é\ne\u0301", "a" * 255 + "\n" + "A" * 255),
        tokens=f"{PATH_TOKENS} report.xml \nreport.xml ~3",
        shapes=(("", "report.xml\n", ""), ("", "a/b\n", ""), ("", "Ä\n", "")),
    ),
    Parser(
        name="path of many folders for an artifact",
        parse=_allocate,
        returns=list,
        seeds=("a/b/c/d",),
        tokens="/",
        shapes=(("", "a/", "b"), ("x/", "ab/", "b\nx")),
        size=4 * SIZE,
    ),
    Parser(
        name="layout",
        parse=_layout,
        returns=list,
        errors=(InvalidArgument,),
        seeds=(
            "{project}/{pipeline}/{workflow}/{job}-{number}/{node}/{path}",
            "x-{number}-{node}/{path}",
            "project={project}/date={created_at:%Y-%m-%d}/{branch}-{number}/{node}/{path}",
        ),
        broke=(
            *(
                "",
                "{",
                "}",
                "{}",
                "{path}",
                "{number}{node}/{path}/",
                "{0}/{path}",
                "{number!r}/{node}/{path}",
                "{number.x}/{node}/{path}",
            ),
            *(
                "{number[0]}/{node}/{path}",
                "{number:{node}}/{path}",
                "{{number}}/{node}/{path}",
                "{number}/{node}/../{path}",
                "{number}{node}\0/{path}",
            ),
            *("{number}/{node}/ /{path}", "{number}/{node}/\udcff/{path}"),
        ),
        repeats_tokens=False,
        tokens="{ } {{ }} {number} {node} {path} {project} / . .. ! : [ ] {number!r} = % {created_at:%Y/%m} {tag}",
        shapes=(("", "{number}{node}", "/{path}"), ("{number}{node}/", "a/", "{path}"), ("", "{number[", "")),
    ),
    Parser(
        name="glob of paths",
        parse=_path_glob,
        returns=bool,
        errors=(InvalidArgument,),
        seeds=("**/*.xml\ntarget/a/b.xml", "logs/[a-c]?.txt\nlogs/ab.txt", "**\nx", "a/**\na/b/c"),
        broke=(
            "[\n[",
            "[]\n]",
            "[!]\nx",
            "[^]\n^",
            "[z-a]\nb",
            "***\na",
            "**/**\na/b",
            "\n",
            "[[]\n[",
            "[a/b]\na",
            "a**b\na/b",
            "[\\]\n\\",
            "[--]\n-",
        ),
        size=SIZE // 4,
        repeats_tokens=False,
        tokens=GLOB_TOKENS,
        shapes=(
            ("*a*a*a*b\n", "a", ""),
            ("**/a/**/a/**/b\n", "a/", "c"),
            ("**/*-*-*.xml\n", "-", ""),
            ("**/*a*/**/*.xml\n", "a/", "c"),
            ("***a\n", "b", ""),
            ("**/**/**/x\n", "a/", "y"),
        ),
    ),
    Parser(
        name="glob of names",
        parse=_name_glob,
        returns=bool,
        errors=(InvalidArgument,),
        seeds=("test-*\ntest-1", "[a-c]?\nab", "*\nx"),
        broke=("[\n[", "[!]\nx", "[z-a]\nb", "\n", "[]-a]\n-"),
        size=SIZE // 4,
        repeats_tokens=False,
        tokens=GLOB_TOKENS,
        shapes=(("*a*a*a*b\n", "a", ""), ("*-*-*-*\n", "-", "x")),
    ),
    Parser(
        name="point in time",
        parse=_since,
        returns=Selection,
        errors=(InvalidArgument,),
        seeds=("7d", "12 h", "2026-11-01", "2026-11-01T10:00:00+02:00"),
        broke=(
            "999999w",
            "0d",
            "-1d",
            "٣d",
            "9999999d",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            "",
            "1e5d",
            "2026-02-30",
        ),
        repeats_tokens=False,
        tokens="7 d h w m s - : T Z + 2026 .",
    ),
    Parser(
        name="date argument",
        parse=partial(parse_datetime, "start_date"),
        returns=object,
        errors=(InvalidArgument,),
        seeds=("2026-11-01T10:00:00+02:00", "2026-11-01T10:00:00Z"),
        broke=("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "", "2026-11-01"),
        tokens="7 - : T Z + 2026 . W",
    ),
    Parser(
        name="id",
        parse=_ids,
        returns=Selection,
        errors=(InvalidArgument,),
        seeds=("5034460f-c7c4-4c43-9457-de07e2029e7b", "{5034460fc7c44c439457de07e2029e7b}"),
        broke=(
            "",
            "urn:uuid:",
            "5034460f",
            "٣" * 32,
            "+034460fc7c44c439457de07e2029e7b",
            "0_34460fc7c44c439457de07e2029e7b",
            "\udcff" * 32,
        ),
        tokens="- { } urn:uuid: 5034460f",
    ),
    Parser(
        name="route of a path",
        parse=_route,
        returns=(str, type(None)),
        seeds=("/api/v2/project/gh/acme/api/job/42", "/api/v1.1/project/gh/acme/api/42", "/me"),
        broke=("", "/", "//", "/api/v2", "\udcff"),
        tokens="/ // project workflow api v2 % {id}",
    ),
    Parser(
        name="row of a table",
        parse=_rows,
        returns=dict,
        seeds=("a,b", "=1+1"),
        broke=("\ud800", "\0", '"'),
        tokens=', " \n =',
    ),
)
