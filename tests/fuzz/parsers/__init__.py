"""All parsers of text from outside."""

from ..parser import Parser
from . import bodies, headers, names, settings

PARSERS: tuple[Parser, ...] = (*headers.PARSERS, *bodies.PARSERS, *names.PARSERS, *settings.PARSERS)
