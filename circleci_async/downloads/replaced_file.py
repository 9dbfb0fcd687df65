"""A local file that appears, or replaces an existing one, once it is complete."""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import CircleCIError
from .part_file import PartFile, remove_abandoned, stem, target_stem


@contextmanager
def replaced_file(name: str, path: Path) -> Generator[Path]:
    """Yield the path of an empty file beside `path`, which takes its place if the block ends without an error.

    Partial files that killed processes left for the same path are deleted. Raises `CircleCIError` that names the
    argument `name` for any `OSError`, such as a missing folder or a full disk.
    """
    try:
        if path.exists() and not path.is_file():
            reason = "it is a folder" if path.is_dir() else "it is not a regular file"
            raise CircleCIError(f"{name} {path} cannot be written: {reason}: choose the path of a file")
        _remove_abandoned(path)
        part = PartFile(path)
    except OSError as error:
        raise _unwritable(name, path, f"{path.parent}: {_cause(error)}") from error
    try:
        yield Path(part.path)
        part.commit()
    except OSError as error:
        raise _unwritable(name, path, _cause(error)) from error
    finally:
        part.discard()


def _unwritable(name: str, path: Path, reason: str) -> CircleCIError:
    return CircleCIError(f"{name} {path} cannot be written: {reason}")


def _cause(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _remove_abandoned(path: Path) -> None:
    with suppress(FileNotFoundError), os.scandir(path.parent) as entries:
        for entry in entries:
            if target_stem(entry.name) == stem(path.name):
                remove_abandoned(entry.path)
