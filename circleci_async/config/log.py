"""The logger of the package, and how scripts turn it on by an environment variable."""

import logging
import os
from collections.abc import Mapping
from typing import Final

from ..errors import ConfigurationError
from ..untrusted_text import shown

LOG_VARIABLE: Final = "CIRCLECI_ASYNC_LOG"

_LEVELS: Final = {"info": logging.INFO, "debug": logging.DEBUG}


def _escape(record: logging.LogRecord) -> bool:
    """Escape and clip the strings of a record: most are names and paths from servers and builds."""
    if isinstance(record.args, tuple):
        record.args = tuple(shown(each) if isinstance(each, str) else each for each in record.args)
    return True


log: logging.Logger = logging.getLogger("circleci_async")
log.addFilter(_escape)


def configure_logging(environ: Mapping[str, str] | None = None) -> None:
    """Log to stderr at the level that `CIRCLECI_ASYNC_LOG` names; do nothing if it is absent or blank.

    If the program has configured a handler, only the level is set. Idempotent. Raises `ConfigurationError` for another
    value than "info" or "debug".
    """
    value = (os.environ if environ is None else environ).get(LOG_VARIABLE, "").strip()
    if not value:
        return
    level = _LEVELS.get(value.lower())
    if level is None:
        raise ConfigurationError(f"{LOG_VARIABLE} must be {' or '.join(map(repr, _LEVELS))}, got {value!r}")
    log.setLevel(level)
    if not log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        log.addHandler(handler)
