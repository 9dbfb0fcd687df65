"""The buffer of a stream depends on how many are open."""

import pytest

from circleci_async.core.stream_buffers import MAX_BUFFER, MIN_BUFFER, TOTAL, StreamBuffers, buffer_size


class _Stream:
    pass


@pytest.mark.parametrize(
    ("open_streams", "size"),
    [(0, MAX_BUFFER), (15, MAX_BUFFER), (31, 128 * 1024), (63, MIN_BUFFER), (64, MIN_BUFFER), (10_000, MIN_BUFFER)],
)
def test_many_open_streams_have_smaller_buffers(open_streams: int, size: int) -> None:
    assert buffer_size(open_streams) == size


def test_the_buffers_of_32_streams_opened_one_after_another_are_small() -> None:
    assert sum(map(buffer_size, range(32))) < 2 * TOTAL


def test_closed_and_deleted_streams_do_not_count() -> None:
    buffers = StreamBuffers()
    streams = [_Stream() for _ in range(63)]
    for number in range(63):
        buffers.opened(streams[number])
    assert buffers.next_size == MIN_BUFFER
    for _ in range(32):
        buffers.closed(streams[0])
        buffers.closed(streams.pop(0))
    assert buffers.next_size == TOTAL // 32
    streams.clear()
    assert buffers.next_size == MAX_BUFFER
