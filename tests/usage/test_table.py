"""Parsing parts of exports, in any pieces and compressions; faults are errors, never repaired."""

import csv
import gzip
import io
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_async.core.gzip_decoder import GzipError
from circleci_async.usage import table
from circleci_async.usage.table import BATCH, MAX_RECORD, MalformedTable, Table

TEXT = "A,B\n1,2\n3,4\n"
ROWS = [{"A": "1", "B": "2"}, {"A": "3", "B": "4"}]


def rows_of(pieces: Iterable[bytes]) -> list[dict[str, str]]:
    parser = Table()
    rows = [row for piece in pieces for batch in parser.feed(piece) for row in batch]
    return rows + parser.end()


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Split into pieces of these sizes, repeatedly."""
    pieces: list[bytes] = []
    while data:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[:size])
        data = data[size:]
    return pieces


CELL = st.text(alphabet=st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    [
        "",
        '"',
        '""',
        "a,b",
        "a\nb",
        "a\r\nb",
        "\r",
        "\n\n",
        "\u2028",
        "\x0b\x0c\x1c",
        " x ",
        "\ufeff",
        "\u00e9\U0001f642",
    ]
)


@given(
    rows=st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=8)),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    mark=st.sampled_from(["", "\ufeff"]),
    is_ended=st.booleans(),
    members=st.integers(1, 5),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_a_table_is_parsed_from_any_pieces(
    rows: list[list[str]],
    end: str,
    quoting: int,
    mark: str,
    is_ended: bool,
    members: int,
    sizes: list[int],
) -> None:
    columns = [f"COLUMN {number}" for number in range(len(rows[0]) if rows else 1)]
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # Python's csv.writer does not quote this
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=end, quoting=quoting).writerows([columns, *rows])  # type: ignore[arg-type]  # a constant of csv
    text = mark + (written.getvalue() if is_ended else written.getvalue().removesuffix(end))
    data = text.encode()
    step = max(1, len(data) // members)
    packed = b"".join(gzip.compress(data[begin : begin + step]) for begin in range(0, len(data), step))

    assert rows_of(cut(packed, sizes)) == [dict(zip(columns, row, strict=True)) for row in rows]


def test_a_long_row_is_parsed_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that spans many lines arrives in small pieces."""
    parsed = 0
    original = table._until_exhausted

    def counting(lines: Iterable[str]) -> Iterator[str]:
        nonlocal parsed
        for line in original(lines):
            parsed += len(line)
            yield line

    monkeypatch.setattr(table, "_until_exhausted", counting)
    names = [f"C{number}" for number in range(60)]
    row = dict.fromkeys(names, "123456789\n" * 1_000)
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows([names, row.values()])
    packed = gzip.compress(written.getvalue().encode(), compresslevel=0)
    assert rows_of([packed[begin : begin + 500] for begin in range(0, len(packed), 500)]) == [row]
    assert parsed < 10 * len(packed)


@pytest.mark.parametrize("text", ["", "\n", "A,B\n", "A,B", "\ufeffA,B\n\n\n"], ids=repr)
def test_a_table_can_have_no_rows(text: str) -> None:
    assert rows_of([gzip.compress(text.encode())]) == []


@pytest.mark.parametrize("text", ["A,B\n\n1,2\n\n\n3,4", TEXT.replace("\n", "\r\n"), '"A","B"\n1,"2"\n"3",4'], ids=repr)
def test_blank_lines_and_quotes_are_accepted(text: str) -> None:
    assert rows_of([gzip.compress(text.encode())]) == ROWS


def test_zeros_after_a_gzip_member_are_padding() -> None:
    first, second = gzip.compress(b"A,B\n1,2\n"), gzip.compress(b"3,4\n")
    assert rows_of([first + b"\0" * 7, b"\0" * 3 + second + b"\0" * 512]) == ROWS


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([], "truncated gzip data"),
        ([gzip.compress(TEXT.encode())[:-9]], "truncated gzip data"),
        ([gzip.compress(TEXT.encode()), gzip.compress(b"5,6\n")[:12]], "truncated gzip data"),
        ([b"A,B\n1,2\n"], "invalid gzip data"),
        ([b"<html>Sign in</html>"], "invalid gzip data"),
        ([zlib.compress(TEXT.encode())], "invalid gzip data"),
        ([gzip.compress(TEXT.encode())[:-8] + b"\1" * 8], "invalid gzip data"),
        ([gzip.compress(TEXT.encode()), b"more"], "invalid gzip data"),
        ([gzip.compress(b"A,B\n1,\xff\n")], "not UTF-8"),
        ([gzip.compress(b"A,B\n1,\xc3")], "not UTF-8"),
        ([gzip.compress(b"A,B\n1\n")], "1 fields in row 1, but 2 columns"),
        ([gzip.compress(b"A,B\n1,2\n1,2,3\n")], "3 fields in row 2, but 2 columns"),
        ([gzip.compress(b"A,B,A\n")], "two columns have the same name"),
        ([gzip.compress(b'A,B\n1,"2\n')], "not CSV in row 1"),
        ([gzip.compress(b'A,B\n1,"2"x\n')], "not CSV in row 1"),
        ([gzip.compress(b"A,B\n1,2\r3,4\n")], "not CSV in row 1"),
        ([gzip.compress(b"A,B\n1," + b"x" * 200_000 + b"\n")], "not CSV in row 1"),
        ([gzip.compress(b"A,B\n" + b"1," * MAX_RECORD)], f"more than {MAX_RECORD} characters in row 1"),
        ([gzip.compress(b"A,B\n1," + b'"x\n",' * MAX_RECORD)], "more than"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_a_malformed_table_is_an_error(pieces: list[bytes], message: str) -> None:
    with pytest.raises((MalformedTable, GzipError), match=message):
        rows_of(pieces)
    with pytest.raises((MalformedTable, GzipError), match=message):
        rows_of(cut(b"".join(pieces), [1000, 7]))


def test_rows_before_a_fault_are_returned() -> None:
    table = Table()
    rows: list[dict[str, str]] = []
    with pytest.raises((MalformedTable, GzipError)):
        for begin in range(0, 400_000, 1000):
            for batch in table.feed(gzip.compress(TEXT[4 * (begin > 0) :].encode() if begin < 300_000 else b"1,2,3\n")):
                rows += batch
    assert rows == ROWS * 300


def packed_rows(count: int) -> bytes:
    """Return rows that compress extremely well."""
    return gzip.compress(b"NAME,NUMBER\n" + b"".join(b"%s,%d\n" % (b"x" * 100, n % 7) for n in range(count)))


def test_a_highly_compressed_piece_is_parsed_in_batches() -> None:
    table = Table()
    batches = [*table.feed(packed_rows(50_000)), table.end()]
    assert sum(map(len, batches)) == 50_000
    assert max(map(len, batches)) <= BATCH / 100


def test_a_long_table_needs_little_memory() -> None:
    table, data = Table(), packed_rows(40_000)
    tracemalloc.start()
    try:
        count = sum(len(batch) for batch in table.feed(data)) + len(table.end())
        assert count == 40_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
