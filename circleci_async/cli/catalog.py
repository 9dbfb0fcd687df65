"""`harvest catalog`: a table of the harvested files."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..errors import CircleCIError, InvalidArgument
from ..reports.wording import counted
from ..untrusted_text import printable
from .arguments import option, parse_path
from .harvest import Into, LedgerFolder
from .output import Output

if TYPE_CHECKING:
    from .. import HarvestCatalog

STDOUT = Path("-")


async def catalog(
    out: Output,
    into: Into,
    parquet: Annotated[
        Path | None,
        option("Write a Parquet file; needs the extra 'report'.", metavar="FILE", parser=parse_path),
    ] = None,
    csv: Annotated[Path | None, option("Write a CSV file; - for stdout.", metavar="FILE", parser=parse_path)] = None,
    ledger: LedgerFolder = None,
) -> None:
    """Write a table of the harvested files, with everything known about each: as Parquet, CSV or JSON.

    One row per file: project, branch, tag, revision, pipeline, workflow, job, path, location, size, checksum, times and
    so on. With --json each line is an object. Reads the ledger only: sends no request, and needs no token.
    """
    from .. import harvest_catalog

    if (parquet is not None) + (csv is not None) + out.is_json != 1 or parquet == STDOUT:
        error = InvalidArgument("the format must be one of --parquet FILE, --csv FILE and --json")
        error.hint = "--csv - and --json print to stdout"
        raise error
    found = await harvest_catalog(into, ledger=ledger)
    if parquet is not None:
        await _write(out, found, "--parquet", lambda: found.write_parquet(parquet), parquet)
    elif csv is None:
        await _interruptible(found, lambda: _print_lines(out, found))
    elif csv == STDOUT:
        await _interruptible(found, lambda: found.write_csv(out.stream))
    else:
        await _write(out, found, "--csv", lambda: found.write_csv(csv), csv)


async def _write(out: Output, found: "HarvestCatalog", option: str, write: Callable[[], int], file: Path) -> None:
    with _named(option), out.errors.status("Writing the catalog ...") if out.shows_progress else nullcontext():
        count = await _interruptible(found, write)
    out.say(f"{counted(count, 'file')} in {printable(str(file))}")


async def _interruptible(found: "HarvestCatalog", work: Callable[[], int]) -> int:
    """Run `work` in a thread; end it if this is cancelled."""
    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        found.interrupt()
        raise


def _print_lines(out: Output, found: "HarvestCatalog") -> int:
    count = 0
    for row in found.rows():
        out.line(row)
        count += 1
    return count


@contextmanager
def _named(option: str) -> Generator[None]:
    """Raise errors of the SDK's argument `path` with the option's name."""
    try:
        yield
    except CircleCIError as error:
        if not error.message.startswith("path "):
            raise
        raise type(error)(error.message.replace("path", option, 1)) from None
