"""Numbers with their units, as texts, tables and charts show them."""

from datetime import date


def duration(seconds: float) -> str:
    """Return a duration in at most two units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    total = round(seconds)
    for length, unit, smaller_length, smaller in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if total >= length:
            rest = total % length // smaller_length
            return f"{total // length:,} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{total} s"


def percent(share: float) -> str:
    """Return a share from 0 to 1 as percent with one decimal: `12.5 %`."""
    return f"{share * 100:.1f} %"


def count(number: float) -> str:
    """Return a number without decimals: `12,345`."""
    return f"{number:,.0f}"


def day(value: date) -> str:
    """Return a date: `4 May 2026`."""
    return f"{value.day} {value:%b %Y}"
