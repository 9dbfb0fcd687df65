"""From a coroutine to an exit code: errors become one line, signals a clean stop."""

import asyncio
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from typing import Any

from ..config.log import LOG_VARIABLE
from ..errors import CircleCIError, InvalidArgument, RateLimited, RequestTimeout
from .formatting import printable
from .output import Output

FAILED = 1
BAD_USAGE = 2
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
PIPE_CLOSED = 128 + 13  # SIGPIPE, which Windows has no name for

Work = Callable[[], Coroutine[Any, Any, int | None]]

_HINTS: dict[type[CircleCIError], str] = {  # where the SDK's own names what only a program can set
    RequestTimeout: "Raise --timeout (seconds for one attempt).",
    RateLimited: "Ask less often, or lower --concurrency where the command has it.",
}


def run(work: Work, out: Output) -> int:
    """Run `work` to its end and return the exit code: what it returned, or what its error or a signal stands for."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this: `>&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  # to the end
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="backslashreplace")  # an odd encoding is no reason to fail
    try:
        with _log_on_stderr(out):
            code = asyncio.run(_stoppable(work))
        sys.stdout.flush()
        return code or 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    except BrokenPipeError:  # as `| head` does when it has seen enough
        _silence()
        return PIPE_CLOSED
    except CircleCIError as error:
        out.error(str(error), hint_of(error))
        return BAD_USAGE if isinstance(error, InvalidArgument) else FAILED
    except OSError as error:
        out.error(str(error))
        return FAILED
    except Exception as error:  # noqa: BLE001 - a bug of ours: one line is enough for who can't mend it
        if out.is_verbose:
            for line in traceback.format_exc().splitlines():
                out.note(line)
        out.error(f"unexpected {type(error).__name__}: {error}", "This is a bug; -v shows where it happened.")
        return FAILED


async def _stoppable(work: Work) -> int | None:
    """Run `work`; SIGTERM cancels it, as asyncio itself lets SIGINT do."""
    task = asyncio.create_task(work())
    with suppress(NotImplementedError):  # on Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def hint_of(error: CircleCIError) -> str | None:
    """Return what to try, in terms of the command line."""
    hint = next((text for kind, text in _HINTS.items() if isinstance(error, kind)), error.hint)
    return " ".join(filter(None, (hint, *getattr(error, "__notes__", ())))) or None


def _silence() -> None:
    """Let the interpreter flush into nowhere what nobody reads any more."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in super().format(record).split("\n"))


class _Warnings(logging.Handler):
    """Shows warnings as notes, such as of a call that has been waiting for long."""

    def __init__(self, out: Output) -> None:
        super().__init__(logging.WARNING)
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        self._out.note(record.getMessage(), style="yellow")


@contextmanager
def _log_on_stderr(out: Output) -> Generator[None, None, None]:
    """Show the SDK's log on stderr: warnings, or all of it if the command is verbose."""
    log = logging.getLogger("circleci_async")
    before = log.level
    handler: logging.Handler
    if out.is_verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(_Printable("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
        log.setLevel(logging.DEBUG)
    elif os.environ.get(LOG_VARIABLE, "").strip():  # the client adds its own handler
        yield
        return
    else:
        handler = _Warnings(out)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
