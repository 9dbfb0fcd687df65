"""Every parser of text from outside raises only its documented errors, and takes linear time."""

import gc
import logging
import os
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .inputs import mutations
from .parser import Parser, Shape
from .parsers import PARSERS

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
"""Mutated inputs of each parser. `.ci/run` sets more."""

QUICK = 0.01
"""Seconds. A quadratic parser takes longer for an input of `Parser.size`."""

HOPELESS = 2.0
"""Seconds, for a part of an input. The whole one would take minutes."""

every_parser = pytest.mark.parametrize("parser", PARSERS, ids=str)


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_the_names_are_unique() -> None:
    assert len({parser.name for parser in PARSERS}) == len(PARSERS)


@every_parser
def test_every_form_is_accepted(parser: Parser) -> None:
    assert [seed for seed in parser.seeds if not parser.accepts(seed)] == []


@every_parser
def test_inputs_that_broke_a_parser_raise_documented_errors(parser: Parser) -> None:
    for text in parser.broke:
        parser.accepts(text)


@every_parser
def test_mutated_inputs_raise_documented_errors(parser: Parser, record_property: Callable[[str, object], None]) -> None:
    count = 0

    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(mutations(parser) | st.text(max_size=20))
    def run(text: str) -> None:
        nonlocal count
        count += 1
        parser.accepts(text)

    run()
    record_property("fuzz inputs", count)


@every_parser
def test_long_inputs_take_linear_time(parser: Parser) -> None:
    gc.disable()  # a collection would count as time of the parser
    try:
        for shape in parser.long_shapes():
            assert not _is_slow(parser, shape)
    finally:
        gc.enable()


def _is_slow(parser: Parser, shape: Shape) -> bool:
    """Return whether the time grows faster than the input, from a sixteenth and from a quarter of the size.

    If so, measure again, since another program can be the cause.
    """
    for attempt in range(4):
        sixteenth = _seconds(parser, shape, 16, attempt)
        quarter = _seconds(parser, shape, 4, attempt) if sixteenth > QUICK / 10 else 0
        if sixteenth > HOPELESS or quarter > HOPELESS:
            return True
        whole = _seconds(parser, shape, 1, attempt)
        if whole < QUICK or whole < 6 * 16 * sixteenth:
            return False
        if whole < 10 * (quarter or _seconds(parser, shape, 4, attempt)):
            return False
    return True


def _seconds(parser: Parser, shape: Shape, fraction: int, attempt: int) -> float:
    """Return the processor time for a long input, which differs in each attempt since some parsers have a cache."""
    begin, unit, end = shape
    text = f"{begin}{unit * (parser.size // len(unit) // fraction - attempt)}{end}"
    began = time.process_time()
    parser.accepts(text)
    return time.process_time() - began
