"""The benchmarks compare what they say they compare; how fast it is, no test asks."""

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import cases
from benchmarks.measure import Row, empty
from benchmarks.server import file_sizes

SMALL = 300_000


async def test_both_sides_of_each_comparison_do_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "CALLS", 64)
    monkeypatch.setattr(cases, "FILES", 40)
    with benchmarks.servers() as place:
        for work in (cases.calls_sdk, cases.calls_bare, cases.at_once_sdk, cases.at_once_bare):
            await work(place)
        await cases.pages_sdk(place)
        await cases.pages_bare(place)

        found: list[dict[str, bytes]] = []
        for work in (cases.files_sdk, cases.files_bare):
            await work(place)
            found.append({file.name: file.read_bytes() for file in place.folder.iterdir()})
            empty(place.folder)
        assert found[0] == found[1]
        assert {int(name): len(data) for name, data in found[0].items()} == dict(enumerate(file_sizes()[:40]))

        for big in (cases.big_sdk, cases.big_bare):
            await big(place, SMALL)
            assert [file.stat().st_size for file in place.folder.iterdir()] == [SMALL]
            empty(place.folder)


async def test_a_page_by_hand_gives_the_same_models() -> None:
    with benchmarks.servers() as place:
        async with place.client() as circle:
            async for page in circle.pipelines.list(cases.PROJECT).pages():
                first = page.items
                break
        async with place.http() as http, http.get(f"{place.api}/api/v2/project/gh/acme/api/pipeline") as response:
            by_hand = tuple(cases._pipeline(item) for item in (await response.json())["items"])
    assert first == by_hand


def test_a_row_says_whether_its_goal_was_met() -> None:
    met = Row("calls", [0.2, 0.12, 0.1], [0.1, 0.11, 0.09], goal=1.25)
    assert str(met) == "| calls | 120 | 100 | 1.20 | 1.25 | yes |"
    missed = Row("calls", [0.13], [0.1], goal=1.25)
    assert str(missed) == "| calls | 130 | 100 | 1.30 | 1.25 | no |"
