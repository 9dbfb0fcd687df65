"""Turn on logging for scripts by an environment variable."""

import logging
import os
from collections.abc import Mapping
from typing import Final

from ..errors import ConfigurationError

LOG_VARIABLE: Final = "CIRCLECI_ASYNC_LOG"

_LEVELS: Final = {"info": logging.INFO, "debug": logging.DEBUG}


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
    logger = logging.getLogger("circleci_async")
    logger.setLevel(level)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
