"""Runs a coroutine to an exit code: prints errors as one line, stops cleanly on signals."""

import asyncio
import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from typing import Any

from ..config.log import LOG_VARIABLE
from ..errors import (
    CircleCIError,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PoolTimeout,
    RateLimited,
    RequestTimeout,
    ResponseTooLarge,
)
from ..untrusted_text import printable
from .output import Output

FAILED = 1
BAD_USAGE = 2
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
PIPE_CLOSED = 128 + 13  # SIGPIPE, which Windows does not define

Work = Callable[[], Coroutine[Any, Any, int | None]]

_HINTS: dict[type[CircleCIError], str] = {  # the hints of the SDK name arguments that the command line does not have
    NotFound: "check the name, and that the token's user (`circleci-async me`) has access: CircleCI also responds 404"
    " without access, such as for private projects and other organizations",
    PermissionDenied: "check the permissions of the token's user (`circleci-async me`), and that the token is a"
    " personal one: API v2 rejects project tokens",
    PoolTimeout: "lower --concurrency if the command has it",
    RequestTimeout: "raise --timeout (seconds per attempt)",
    ResponseTooLarge: "read it with the Python client, whose `max_response_bytes` can be raised",
    RateLimited: "send fewer requests, or lower --concurrency if the command has it",
}


def run(work: Work, out: Output) -> int:
    """Run `work` and return the exit code: its return value, or the code of its error or of a signal."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process: `>&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  # until exit
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="backslashreplace")  # do not fail on characters that the encoding lacks
    try:
        with _log_to_stderr(out):
            code = asyncio.run(_cancel_on_sigterm(work))
        sys.stdout.flush()
        return code or 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    except BrokenPipeError:  # for example `| head`
        _discard_stdout()
        return PIPE_CLOSED
    except CircleCIError as error:
        print_error(out, error)
        return BAD_USAGE if isinstance(error, InvalidArgument) else FAILED
    except OSError as error:
        out.error(os_error_text(error))
        return FAILED
    except Exception as error:  # noqa: BLE001 - a bug; users get one line, --verbose adds the traceback
        if out.is_verbose:
            for line in traceback.format_exc().splitlines():
                out.note(line)
        out.error(f"unexpected {type(error).__name__}: {error}", "this is a bug; -v shows the traceback")
        return FAILED


async def _cancel_on_sigterm(work: Work) -> int | None:
    """Run `work`; SIGTERM cancels it. asyncio.run does the same for SIGINT."""
    task = asyncio.create_task(work())
    with suppress(NotImplementedError):  # on Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def print_error(out: Output, error: CircleCIError, prefix: str = "") -> None:
    """Print an error: `prefix` and its message, its hint, then its request."""
    out.error(prefix + error.summary, hint_of(error), error.request_line)


def hint_of(error: CircleCIError) -> str | None:
    """Return the hint of an error in terms of the command line, followed by its notes."""
    hint = error.hint
    if "hint" not in vars(error):  # not specific to this error
        hint = next((text for kind, text in _HINTS.items() if isinstance(error, kind)), hint)
    parts = filter(None, (hint, *getattr(error, "__notes__", ())))
    return "; ".join(part.rstrip(".") for part in parts) or None


def os_error_text(error: OSError, path: str | os.PathLike[str] | None = None) -> str:
    """Return the cause of an error without its number, after `path`, or the file that the error names."""
    if error.errno == errno.EADDRINUSE:
        return "cannot listen: address already in use: choose another --port"
    if not error.strerror:
        return str(error)
    cause = error.strerror[0].lower() + error.strerror[1:]
    path = error.filename if path is None else path
    return cause if path is None else f"{os.fspath(path)}: {cause}"


def _discard_stdout() -> None:
    """Redirect stdout to the null device, so that the interpreter's flush at exit does not fail."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _PrintableFormatter(logging.Formatter):
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
def _log_to_stderr(out: Output) -> Generator[None, None, None]:
    """Show the SDK's log on stderr: warnings, or all of it if the command is verbose."""
    log = logging.getLogger("circleci_async")
    level = log.level
    handler: logging.Handler
    if out.is_verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(_PrintableFormatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
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
        log.setLevel(level)
