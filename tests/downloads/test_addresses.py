"""An address as a destination is refused at once, instead of creating a folder of that name."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from circleci_async import Artifact, CircleCI, InvalidArgument, harvest_status, verify_harvest

ARTIFACT = Artifact(path="a", node_index=0, url="http://localhost:1/a")

Call = Callable[[CircleCI, str], Awaitable[object]]

CALLS: dict[str, tuple[str, Call]] = {
    "harvest": ("into", lambda circle, into: circle.harvest("gh/acme/api", into)),
    "verify": ("into", lambda circle, into: verify_harvest(into)),
    "status": ("into", lambda circle, into: harvest_status(into)),
    "download": ("folder", lambda circle, folder: circle.artifacts.download(ARTIFACT, folder)),
    "download_all": ("folder", lambda circle, folder: circle.artifacts.download_all([ARTIFACT], folder)),
    "download nothing": ("folder", lambda circle, folder: circle.artifacts.download_all([], folder)),
}


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
