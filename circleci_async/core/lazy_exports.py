"""Lazy exports: find the module that defines a public name without importing the other modules."""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from threading import Lock


class LazyExports:
    """The public names of a package: everything that `__all__` of its `modules` lists.

    `__all__` is read from the source text, because importing all modules to find one name would be slow.
    """

    def __init__(self, package: str, folder: str, modules: Iterable[str]) -> None:
        self._package = package
        self._folder = Path(folder)
        self._unread = iter(modules)
        self._homes: dict[str, str] = {}
        self._lock = Lock()  # threads may load their first names at the same time

    def home(self, name: str) -> str | None:
        """Return the full name of the module that defines a public name, or None. Reads modules until one does."""
        with self._lock:
            while name not in self._homes and (module := next(self._unread, None)):
                self._homes |= dict.fromkeys(self._names(module), f"{self._package}.{module}")
            return self._homes.get(name)

    def homes(self) -> dict[str, str]:
        """Return all public names, each with the full name of its module."""
        self.home("")
        return dict(self._homes)

    def load(self, name: str) -> object:
        """Import the module of a public name and return its value. Raises `AttributeError` for other names."""
        home = self.home(name)
        if home is None:
            raise AttributeError(f"module {self._package!r} has no attribute {name!r}")
        value: object = getattr(import_module(home), name)
        return value

    def _names(self, module: str) -> list[str]:
        try:
            text = self._folder.joinpath(*module.split(".")).with_suffix(".py").read_text("utf-8")
        except OSError:  # installed without its source, in a frozen application for example
            names: list[str] = import_module(f"{self._package}.{module}").__all__
            return names
        listed = text.partition("\n__all__")[2].partition("= [")[2].partition("]")[0]
        return listed.split('"')[1::2]
