"""What every test stands on."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def nobodys_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run each test as on a new machine: no token, settings, config files or proxies of the person who runs it."""
    for name in os.environ:
        if name.upper().startswith(("CIRCLE", "XDG_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
