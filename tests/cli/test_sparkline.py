"""Charts of one line."""

import pytest

from circleci_async.cli.sparkline import bar, sparkline


@pytest.mark.parametrize(
    ("values", "width", "largest", "shown"),
    [
        ([], 8, 1, ""),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, 8, "▁▂▃▄▅▆▇█"),
        ([0.0, 0.5, 1.0], 8, 1.0, "▁▅█"),
        ([1, 1], 8, 2, "▅▅"),
        ([0, 0], 8, 0, "▁▁"),
        ([1, None, 1], 8, 1, "█ █"),
        ([None, None], 8, 1, "  "),
        ([0, 2, 8, 8, 4], 3, 8, "▂█▅"),  # means of two
        ([None, 8, None, None], 2, 8, "█ "),
        ([9, -1], 8, 8, "█▁"),  # beyond the scale
    ],
)
def test_a_sparkline_has_one_column_for_each_value_or_mean(
    values: list[float | None], width: int, largest: float, shown: str
) -> None:
    assert sparkline(values, width, largest) == shown


@pytest.mark.parametrize(("share", "shown"), [(1, "████"), (0.5, "██  "), (0.01, "█   "), (0, "█   "), (1.2, "████")])
def test_a_bar_has_at_least_one_column_and_is_padded(share: float, shown: str) -> None:
    assert bar(share, 4) == shown
