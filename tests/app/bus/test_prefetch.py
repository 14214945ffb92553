"""A generator in a thread: the same items, the same refusal, and no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from assay.app.bus.prefetch import DEPTH, prefetched


def test_items_come_in_their_order() -> None:
    assert list(prefetched(range(1_000))) == list(range(1_000))


def test_what_making_an_item_raises_is_raised_where_they_are_read() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    reading = prefetched(items())
    assert next(reading) == 1
    with pytest.raises(ValueError, match="the second"):
        next(reading)


def test_a_reader_that_leaves_ends_the_thread_however_many_items_are_left() -> None:
    before, made = threading.active_count(), []

    def items() -> Iterator[int]:
        for number in range(10_000):
            made.append(number)
            yield number

    with closing(prefetched(items())) as reading:
        assert next(reading) == 0
    assert threading.active_count() == before
    assert len(made) <= DEPTH + 3
