"""Held rows: their memory is bounded by what is counted, whatever releases them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from assay.codecs.columns import Columns, Ragged, Strings, rows, take
from assay.tables.held_rows import HeldRows, Waiting, row_sizes


def test_rows_that_a_key_releases_leave_nothing_behind_while_another_row_waits() -> None:
    held = HeldRows(10_000)
    held.hold(Waiting(b"never", 10**9, 100))
    for number in range(20_000):
        held.release(held.hold(Waiting(b"key", 10**9 + number, 100)))
    assert len(held) == 1
    assert len(held._due) < 100


@pytest.mark.parametrize("listed", [False, True])
def test_a_held_row_does_not_keep_the_bytes_of_the_rows_that_came_with_it(listed: bool) -> None:
    texts = Strings.of([b"x" * 1_000] * 1_000)
    batch: Columns = {"text": Ragged(np.arange(1_001), {"item": texts}) if listed else texts}
    held = HeldRows(1_000_000)
    number = held.hold(Waiting(b"key", 1, int(row_sizes(take(batch, np.array([0])))[0])))
    held.settle(batch, [(number, 0)], [(False, row) for row in range(1, 1_000)])
    (column,) = held._rows.values()
    kept = column.children["item"] if isinstance(column, Ragged) else column
    assert isinstance(kept, Strings)
    assert len(kept.data) == 1_000


def test_the_bytes_counted_are_at_least_the_memory_that_held_rows_take() -> None:
    n = 5_000
    batch: Columns = {"ts_us": np.arange(n), "key": Strings.of([b"%08d" % i for i in range(n)])}
    sizes, keys = row_sizes(batch).tolist(), batch["key"]
    assert isinstance(keys, Strings)
    tracemalloc.start()
    held = HeldRows(10**9)
    numbers = [held.hold(Waiting(key or b"", 10**9 + i, size)) for i, (key, size) in enumerate(zip(keys.tolist(), sizes, strict=True))]
    held.settle(batch, list(zip(numbers, range(n), strict=True)), [])
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows(held._rows) == n
    assert held.bytes >= taken * 0.8, "the dictionaries' spare room may be more"
