"""Paths of artifacts: reproducible, unique, and inside the destination."""

import random
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as some

import circleci_async as ca
from circleci_async.downloads import destination
from circleci_async.downloads.destination import checked_parts, fold
from circleci_async.harvest import layout as harvest_layout
from circleci_async.harvest.layout import DEFAULT_LAYOUT, FIELDS, JobRef, Layout, PathAllocator, PipelineRef, safe_name

JOB = JobRef("gh/acme/api", 12, "build", "test", 42)


def placed(
    artifacts: Iterable[tuple[int, str]],
    taken: Mapping[tuple[int, str], str] | None = None,
    *,
    job: JobRef = JOB,
    layout: str = DEFAULT_LAYOUT,
) -> dict[tuple[int, str], str]:
    """Allocate paths for the artifacts that have none, in their order, as the ledger does."""
    there = taken or {}
    new = sorted({*artifacts} - {*there})
    has_nodes = len({node for node, _ in (*new, *there)}) > 1
    paths = PathAllocator(Layout(layout), job, has_nodes=has_nodes, taken=there.values())
    return {each: paths.allocate(*each) for each in new}


def places(*artifacts: tuple[int, str], job: JobRef = JOB, layout: str = DEFAULT_LAYOUT) -> list[str]:
    """Return the paths of these artifacts, in this order."""
    found = placed(artifacts, job=job, layout=layout)
    return [found[each] for each in artifacts]


def test_the_default_layout() -> None:
    assert places((0, "a/b.xml")) == ["gh/acme/api/12/build/test-42/a/b.xml"]


def test_nodes_get_folders_only_if_there_are_several() -> None:
    assert places((3, "a")) == ["gh/acme/api/12/build/test-42/a"]
    assert places((0, "a"), (1, "a")) == ["gh/acme/api/12/build/test-42/0/a", "gh/acme/api/12/build/test-42/1/a"]


def test_a_custom_template() -> None:
    layout = "all/{project}/{job}/#{number} of {pipeline}/node {node}/{workflow}/{path}"
    assert places((0, "a/b"), layout=layout) == ["all/gh/acme/api/test/#42 of 12/build/a/b"]
    assert places((0, "a"), (7, "a"), layout=layout)[1] == "all/gh/acme/api/test/#42 of 12/node 7/build/a"
    assert places((0, "a"), layout="{number}-{node}/{path}") == ["42-0/a"]
    assert places((0, "a"), layout="{number}/{node}/{path}") == ["42/a"]


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("", "must end with '/{path}'"),
        ("{number}/{node}", "must end with '/{path}'"),
        ("{number}/{node}/{path}.txt", "must end with '/{path}'"),
        ("{path}/{number}/{node}/{path}", "must end with '/{path}'"),
        ("{node}/{path}", "must contain {number}, without which files would collide"),
        ("{number}/{path}", "must contain {node}, without which files would collide"),
        ("{job}/{path}", "must contain {node} and {number}, without which files would collide"),
        ("{number}/{nod}/{path}", "must use only {project}, {pipeline}"),
        ("{number}/{node!r}/{path}", "must use only {project}, {pipeline}"),
        ("{number:5}/{node}/{path}", "must use only {project}, {pipeline}"),
        ("{number}/{node/{path}", "must use only {project}, {pipeline}"),
        ("{}/{number}/{node}/{path}", "must use only {project}, {pipeline}"),
        ("/{number}/{node}/{path}", "must not contain an empty name"),
        ("{number}//{node}/{path}", "must not contain an empty name"),
        (".hidden/{number}/{node}/{path}", "one that begins with a dot"),
        ("../{number}/{node}/{path}", "one that begins with a dot"),
        ("a\\b/{number}/{node}/{path}", "must not contain a backslash or a control character"),
        ("a\0b/{number}/{node}/{path}", "must not contain a backslash or a control character"),
        ("{project}-{number}/{node}/{path}", "must not combine {project} with other text"),
        ("p{project}=x/{number}/{node}/{path}", "must not combine {project} with other text, except after '='"),
        ("{Branch}/{number}/{node}/{path}", "{revision}, {pipeline_id}, not '{Branch}', got "),
        ("{branch:x}/{number}/{node}/{path}", "{revision}, {pipeline_id}, not '{branch:x}', got "),
        ("{created_at!s:%Y}/{number}/{node}/{path}", "{created_at:FORMAT}, .*not '{created_at!s:%Y}'"),
        ("{created_at.year}/{number}/{node}/{path}", "not '{created_at.year}'"),
        ("{0}/{number}/{node}/{path}", "not '{0}'"),
        ("{created_at}/{number}/{node}/{path}", "must contain a format in {created_at:FORMAT}, such as"),
        ("{created_at:}/{number}/{node}/{path}", "must contain a format in {created_at:FORMAT}, such as"),
        ("{created_at:%Y//%m}/{number}/{node}/{path}", "must contain a format in {created_at:FORMAT}, such as"),
        ("{created_at:%Q}/{number}/{node}/{path}", "must not contain '%Q' in {created_at:%Q}: use %a %A"),
        ("{created_at:%Y%}/{number}/{node}/{path}", "must not contain '%' in {created_at:%Y%}: use %a %A"),
        ("{created_at:%-d}/{number}/{node}/{path}", "must not contain '%-' in {created_at:%-d}"),
        ("{created_at:%s}/{number}/{node}/{path}", "must not contain '%s'"),
        ("{created_at:%Y\\}/{number}/{node}/{path}", "must not contain a backslash"),
        ("{created_at:{branch}}/{number}/{node}/{path}", "not '{created_at:{branch}}'"),
        (7, "must be a string, got 7"),
    ],
)
def test_unsafe_templates_raise(layout: str, message: str) -> None:
    pattern = message if ".*" in message else re.escape(message)
    with pytest.raises(ca.InvalidArgument, match=f"^layout .*{pattern}"):
        Layout(layout)


CREATED = datetime(2026, 3, 1, 23, 5, 9, tzinfo=timezone(timedelta(hours=-2)))
ORIGIN = PipelineRef("5034460f-c7c4-4c43-9457-de07e2029e7b", CREATED, "feature/x", None, "abc123")
BUILT = JOB._replace(origin=ORIGIN)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("date={created_at:%Y-%m-%d}", "date=2026-03-02"),
        ("{created_at:%Y/%m/%d}", "2026/03/02"),
        ("y={created_at:%Y/m=%m}", "y=2026/m=03"),
        ("{created_at:%H:%M:%S}", "01%3A05%3A09"),
        ("{created_at:%Y}-w{created_at:%V}", "2026-w10"),
        ("{created_at:at 100%%}", "at 100%25"),
        ("{created_at:..}", "%2E%2E"),
        ("{created_at: }", "%20"),
        ("{created_at:%D}", "03%2F02%2F26"),
        ("{created_at:tä%jg}", "tä061g"),
        ("{branch}", "feature%2Fx"),
        ("branch={branch}", "branch=feature%2Fx"),
        ("{revision}-{pipeline_id}", "abc123-5034460f-c7c4-4c43-9457-de07e2029e7b"),
        ("{tag}", "none"),
        ("tag={tag}", "tag=__HIVE_DEFAULT_PARTITION__"),
        ("project={project}", "project=gh%2Facme%2Fapi"),
        ("p={project},b={branch}", "p=gh%2Facme%2Fapi,b=feature%2Fx"),
        ("{project}", "gh/acme/api"),
        ("{{branch}}={branch}", "{branch}=feature%2Fx"),
        ("node={node}", "node=0"),
    ],
)
def test_fields_of_the_pipeline_and_partitions(folder: str, expected: str) -> None:
    layout = f"{folder}/{{number}}/{{node}}/{{path}}"
    assert places((0, "a"), job=BUILT, layout=layout) == [f"{expected}/42/a"]


def test_the_layout_of_a_data_lake() -> None:
    layout = "project={project}/date={created_at:%Y-%m-%d}/{workflow}/{job}-{number}/{node}/{path}"
    assert places((0, "a/b.xml"), job=BUILT, layout=layout) == [
        "project=gh%2Facme%2Fapi/date=2026-03-02/build/test-42/a/b.xml"
    ]
    assert Layout(layout).separates_projects


HOSTILE = [
    "..",
    ".",
    "",
    "/",
    "../../etc",
    "a\0b",
    "\x1b[31m",
    "\\..\\",
    "x" * 5_000,
    "🎉" * 300,
    "con.",
    " ",
    "a=b",
    "%2F",
    "~",
]


@pytest.mark.parametrize(
    "layout", ["{branch}/{number}/{node}/{path}", "b={branch}/r={revision}/{number}/{node}/{path}"]
)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_pipelines_stay_one_folder(name: str, layout: str) -> None:
    job = JOB._replace(origin=PipelineRef(name, CREATED, name, name, name))
    (place,) = places((0, "a"), job=job, layout=layout)
    *folders, number, file = place.split("/")
    assert (len(folders), number, file) == (layout.count("/") - 2, "42", "a")
    for folder in folders:
        assert 0 < len(folder.encode()) <= 255
        assert not folder.startswith(".")
        assert folder.isprintable()
        assert "\\" not in folder


def test_missing_values_of_a_pipeline() -> None:
    fields = [f"{{{field}}}" for field in FIELDS[8:]] + ["{created_at:%Y}"]
    layout = "/".join([*fields, *(f"x={field}" for field in fields), "{number}", "{node}", "{path}"])
    expected = "/".join(["none"] * 5 + ["x=__HIVE_DEFAULT_PARTITION__"] * 5)
    assert places((0, "a"), layout=layout) == [f"{expected}/42/a"]


def test_a_date_of_the_first_year() -> None:
    job = JOB._replace(origin=PipelineRef(created_at=datetime(1, 1, 1, tzinfo=UTC)))
    assert places((0, "a"), job=job, layout="{created_at:%m-%d}/{number}/{node}/{path}") == ["01-01/42/a"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("build", "build"),
        ("build/test", "build%2Ftest"),
        (".hidden", "%2Ehidden"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("", "%20"),
        ("a\\b:c", "a%5Cb%3Ac"),
        ("100%", "100%25"),
        ("why? *so*", "why%3F %2Aso%2A"),
        ("dot.", "dot%2E"),
        ("space ", "space%20"),
        ("tab\there", "tab%09here"),
        ("größe 🎉", "größe 🎉"),
    ],
)
def test_a_name_becomes_exactly_one_folder(name: str, folder: str) -> None:
    assert safe_name(name) == folder


def test_a_leading_dot_is_escaped() -> None:
    assert places((0, ".coverage"), (0, ".config/.x/y"), (0, "a/.b")) == [
        "gh/acme/api/12/build/test-42/%2Ecoverage",
        "gh/acme/api/12/build/test-42/%2Econfig/%2Ex/y",
        "gh/acme/api/12/build/test-42/a/%2Eb",
    ]
    hidden = JobRef("gh/.github/.github", 1, ".w", ".j", 2)
    assert places((0, "a"), job=hidden) == ["gh/%2Egithub/%2Egithub/1/%2Ew/%2Ej-2/a"]


def test_colliding_names_are_numbered_in_alphabetical_order() -> None:
    folder = "gh/acme/api/12/build/test-42"
    assert places((0, "log.txt"), (0, "LOG.txt"), (0, "Log.txt")) == [
        f"{folder}/log~3.txt",
        f"{folder}/LOG.txt",
        f"{folder}/Log~2.txt",
    ]
    assert places((0, "a"), (0, "a/b"), (0, "a/c")) == [f"{folder}/a", f"{folder}/a~2/b", f"{folder}/a~2/c"]
    assert places((0, "é"), (0, "e\u0301")) == [f"{folder}/é~2", f"{folder}/e\u0301"]
    assert places((0, ".x"), (0, "%2Ex")) == [f"{folder}/%2Ex~2", f"{folder}/%2Ex"]


def test_allocated_paths_are_kept() -> None:
    taken = {(0, "b"): "gh/acme/api/12/build/test-42/b", (0, "z/a"): "gh/acme/api/12/build/test-42/z/a"}
    found = placed([(0, "b"), (0, "B"), (0, "Z"), (0, "z/A"), (0, "z/c")], taken)
    folder = "gh/acme/api/12/build/test-42"
    assert found == {
        (0, "B"): f"{folder}/B~2",
        (0, "Z"): f"{folder}/Z~2",
        (0, "z/A"): f"{folder}/z/A~2",
        (0, "z/c"): f"{folder}/z/c",
    }
    assert placed([(1, "b")], taken) == {(1, "b"): f"{folder}/1/b"}


@pytest.mark.parametrize("name", ["a" * 255, ".a" + "b" * 253, "ä" * 127, "🎉" * 63])
def test_long_names_are_shortened_to_255_bytes(name: str) -> None:
    found = places((0, name), (0, name[:-1] + name[-1].swapcase()), (0, f"{name}/x"))
    assert len(set(found)) == len({name, name[:-1] + name[-1].swapcase()}) + 1
    assert all(len(part.encode()) <= 255 for path in found for part in path.split("/"))
    long = JobRef("gh/acme/api", 1, "w" * 400, "j" * 300, 7)
    assert all(len(part.encode()) <= 255 for part in places((0, "a"), job=long)[0].split("/"))
    other = JobRef("gh/acme/api", 1, "w" * 401, "j" * 300, 7)
    assert places((0, "a"), job=long) != places((0, "a"), job=other)


NAMES = some.text(some.sampled_from("aAbB.~2%é\u0301e -ß" + printable[:4]), min_size=1, max_size=5)
PATHS = some.lists(NAMES, min_size=1, max_size=3).map("/".join)


@given(some.sets(some.tuples(some.integers(0, 2), PATHS), max_size=12), some.randoms())
def test_paths_are_unique_safe_and_independent_of_order(found: set[tuple[int, str]], chance: random.Random) -> None:
    artifacts = sorted(each for each in found if is_safe(each[1]))
    there = placed(artifacts)
    shuffled = artifacts[:]
    chance.shuffle(shuffled)
    assert placed(shuffled) == there
    assert set(there) == set(artifacts)
    assert len({fold(target) for target in there.values()}) == len(artifacts)
    folders = {fold(target.rsplit("/", count)[0]) for target in there.values() for count in range(1, target.count("/"))}
    assert not folders & {fold(target) for target in there.values()}
    for target in there.values():
        assert target.startswith("gh/acme/api/12/build/test-42/")
        assert not any(part.startswith(".") or part.strip(" ") == "" for part in target.split("/"))


def is_safe(path: str) -> bool:
    try:
        checked_parts(path)
    except ca.UnsafePath:
        return False
    return True


@pytest.mark.parametrize("length", [9, 200], ids=["short", "shortened"])
def test_equal_names_are_numbered_in_linear_time(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """The names of a job differ in case only."""
    calls = 0

    def counting(name: str) -> str:
        nonlocal calls
        calls += 1
        return fold(name)

    for module in (destination, harvest_layout):
        monkeypatch.setattr(module, "fold", counting)
    letters, count = "reportxml", 512
    variants = (
        "".join(letter.upper() if number >> bit & 1 else letter for bit, letter in enumerate(letters))
        for number in range(count)
    )
    names = [name + "é" * (length - 9) for name in variants]
    found = placed((0, name) for name in names)
    assert len({fold(path) for path in found.values()}) == count
    assert calls <= 8 * count
    later = placed([(0, f"{name}~") for name in names], taken=found)
    assert len({fold(path) for path in later.values()}) == count
    assert calls <= 24 * count
