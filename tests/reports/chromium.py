"""Whether the page of a report can be opened in Chromium here. As a program: says what is missing, and exits with 1."""

import shutil
import sys
from importlib.util import find_spec

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")


def path() -> str | None:
    """Return the path of the installed Chromium, or of a browser derived from it."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> str:
    """Return what is missing and how to get it; an empty text if nothing is."""
    libraries = {"pytest": "pytest", "playwright": "playwright", "altair": "altair", "vl_convert": "vl-convert-python"}
    absent = [package for module, package in libraries.items() if find_spec(module) is None]
    if absent:
        return f"{', '.join(absent)} not installed: install the packages of the tests with `make .venv/.test`"
    if path() is None:
        return (
            f"no Chromium on PATH (tried: {', '.join(NAMES)}):"
            " install one (on Debian: apt install chromium; on Ubuntu: snap install chromium)"
        )
    return ""


if __name__ == "__main__":
    sys.exit(f"report-check: {reason}" if (reason := missing()) else 0)
