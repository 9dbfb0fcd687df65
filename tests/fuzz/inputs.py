"""Inputs made from those that a parser accepts."""

from hypothesis import strategies as st

from .parser import Parser

NASTY = (
    "",
    " ",
    "\t",
    "\r\n",
    "\0",
    "\b",
    "\x1b[",
    "\x7f",
    "\u2028",
    "\ufeff",
    "é",
    "ß",
    "٣",
    "😀",
    "\ud800",
    "\udcff",
)
NUMBERS = ("0", "-1", "1e309", "nan", "9" * 19, str(2**63), str(2**64), "9" * 5000)


@st.composite
def mutations(draw: st.DrawFn, parser: Parser) -> str:
    """Draw an input of a parser: one of its seeds with up to four changes."""
    seeds = st.sampled_from(parser.seeds + parser.broke)
    insertions = st.sampled_from((*parser.tokens.split(" "), *NASTY, *NUMBERS))
    text = draw(seeds)
    for change in draw(st.lists(st.sampled_from(["insert", "delete", "repeat", "splice", "replace"]), max_size=4)):
        at = draw(st.integers(0, len(text)))
        end = draw(st.integers(at, min(len(text), at + 12)))
        match change:
            case "insert":
                text = text[:at] + draw(insertions) + text[at:]
            case "replace":
                text = text[:at] + draw(insertions) + text[end:]
            case "delete":
                text = text[:at] + text[end:]
            case "repeat":
                text = text[:at] + text[at:end] * draw(st.integers(2, 40)) + text[end:]
            case _:
                other = draw(seeds)
                text = text[:at] + other[draw(st.integers(0, len(other))) :]
    return text
