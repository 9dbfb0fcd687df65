"""What a fuzz test needs to know about a parser."""

from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import frozen

Shape: TypeAlias = tuple[str, str, str]
"""Beginning, repeated unit and end of a long input."""

SIZE = 8 * 1024
"""Characters of a long input: as many as aiohttp accepts in a header, and more than systems accept in a path."""


@frozen(kw_only=True)
class Parser:
    """A parser of text from outside.

    `parse` takes the text, checks properties of the result with `assert`, and returns it.
    """

    name: str
    parse: Callable[[Any], object]
    returns: type | tuple[type, ...]
    """The types of the result."""
    errors: tuple[type[Exception], ...] = ()
    """The documented errors."""
    seeds: tuple[str, ...]
    """Inputs of each form that it accepts."""
    broke: tuple[str, ...] = ()
    """Inputs that broke it or a similar parser once."""
    tokens: str
    """What its grammar consists of, separated by spaces: inserted by mutations, and repeated in long inputs."""
    shapes: tuple[Shape, ...] = ()
    """Further long inputs."""
    repeats_tokens: bool = True
    """Whether it must read long inputs of repeated tokens; not if the user writes them."""
    size: int = SIZE
    """Characters of a long input."""
    is_binary: bool = False
    """Whether it takes bytes: the UTF-8 of the text, which is invalid for a surrogate."""

    def __str__(self) -> str:
        return self.name

    def accepts(self, text: str) -> bool:
        """Parse a text, check the result, and return whether it was accepted. Raises all but the documented errors."""
        given = text.encode("utf-8", "surrogatepass") if self.is_binary else text
        try:
            result = self.parse(given)
        except self.errors:
            return False
        assert isinstance(result, self.returns), f"{self.name} returned {result!r}"
        return True

    def long_shapes(self) -> list[Shape]:
        """Return the shapes of all long inputs."""
        units = [*self.tokens.split(" "), "a", "9", " ", "\n", "é"] if self.repeats_tokens else []
        return [*(("", unit, "") for unit in dict.fromkeys(units) if unit), *self.shapes]
