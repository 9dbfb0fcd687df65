"""An address as a destination is refused at once, instead of creating a folder of that name."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from circleci_async import CircleCI, InvalidArgument, harvest_catalog, harvest_status, verify_harvest
from circleci_async.models import Artifact

ARTIFACT = Artifact(path="a", node_index=0, url="http://localhost:1/a")

Call = Callable[[CircleCI, str], Awaitable[object]]

CALLS: dict[str, tuple[str, Call]] = {
    "download": ("folder", lambda circle, folder: circle.artifacts.download(ARTIFACT, folder)),
    "download_all": ("folder", lambda circle, folder: circle.artifacts.download_all([ARTIFACT], folder)),
    "download nothing": ("folder", lambda circle, folder: circle.artifacts.download_all([], folder)),
}


HARVESTS: dict[str, Call] = {
    "harvest": lambda circle, into: circle.harvest("gh/acme/api", into),
    "verify": lambda circle, into: verify_harvest(into),
    "status": lambda circle, into: harvest_status(into),
    "catalog": lambda circle, into: harvest_catalog(into),
}


@pytest.mark.parametrize("address", ["https://example.com/x", "ftp://bucket/x", "s4://bucket/x", "HTTP://x/y"])
@pytest.mark.parametrize("call", HARVESTS)
async def test_a_harvest_refuses_other_schemes(
    call: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    async with CircleCI("t", host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument, match=r"^into must be a folder, or a URL that begins with file://, s3://"):
            await HARVESTS[call](circle, address)
        assert circle.stats.requests == 0
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("address", ["s3://bucket/x", "gs://bucket/x", "https://example.com/x", "file:///tmp/x"])
@pytest.mark.parametrize("call", CALLS)
async def test_an_address_is_refused(call: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    name, start = CALLS[call]
    async with CircleCI("t", host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument, match=rf"^{name} must be a path on this machine, got an address"):
            await start(circle, address)
        assert circle.stats.requests == 0
    assert sorted(tmp_path.iterdir()) == before
