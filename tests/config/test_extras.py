"""Whether the libraries of extras are installed."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

import circleci_async as ca
from circleci_async.config.extras import is_installed


class Blocked(MetaPathFinder):
    """Blocks the import of one library, as isolating tools and tests do."""

    def __init__(self, library: str) -> None:
        self._library = library

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == self._library:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


@pytest.mark.parametrize("library", ["obstore", "polars", "distributed"])
def test_a_library_is_installed_unless_it_is_blocked(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed(library)
    monkeypatch.setitem(sys.modules, library, None)
    assert not is_installed(library)
    monkeypatch.delitem(sys.modules, library)
    monkeypatch.setattr(sys, "meta_path", [Blocked(library), *sys.meta_path])
    assert not is_installed(library)


def test_a_library_that_does_not_exist_is_not_installed() -> None:
    assert not is_installed("no_such_library")


async def test_a_harvest_names_the_extra_of_a_blocked_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [Blocked("obstore"), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "obstore", raising=False)
    async with ca.CircleCI("token", host="http://127.0.0.1:9") as circle:
        with pytest.raises(ca.ConfigurationError, match=r"^into 's3://bucket/x' needs the extra 'store'"):
            await circle.harvest("gh/acme/api", "s3://bucket/x")
