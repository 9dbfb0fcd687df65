"""Whether the libraries of extras are installed."""

from importlib.util import find_spec


def is_installed(library: str) -> bool:
    """Return whether a library can be imported, without importing it."""
    try:
        return find_spec(library) is not None
    except ImportError:  # an import hook that blocks it
        return False
