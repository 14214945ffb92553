"""Kernels that write a block of rows: places by the numbers of its header, head and header, rows of other blocks.

The plan is that of the layout, see `columns_layout_kernel.py`. Rows have no lists. Every column of the block has the same rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.columns_layout_kernel import ITEMSIZE, KIND, NUMBER, STRINGS
from assay.codecs.intrinsics import copy, store64
from assay.codecs.kernel import kernel, part

#: bytes before the header of a block, and the place of the block's size in them
HEAD_BYTES, SIZE_AT = 16, 8


@part
def placed(plan: Any, numbers: Any, body: int, places: Any) -> int:
    """Find the place of every column behind `body` as `Block.places` has it; the bytes of the block."""
    start = 0
    for c in range(plan.shape[0]):
        number = plan[c, NUMBER]
        rows = numbers[number]
        places[c, 0] = places[c, 1] = body
        places[c, 2] = 0
        if plan[c, KIND] == STRINGS:
            size = 4 * rows
            body += size + (-size & 7)
            places[c, 1] = body
            places[c, 2] = start
            start += rows
            size = numbers[number + 1]
        else:
            size = rows * row_bytes(plan, c, numbers)
        body += size + (-size & 7)
    return body


@part
def row_bytes(plan: Any, c: int, numbers: Any) -> Any:
    """The bytes that a row of an array takes."""
    if plan[c, ITEMSIZE] < 0:
        return -plan[c, ITEMSIZE]
    return plan[c, ITEMSIZE] * numbers[plan[c, NUMBER] + 1]


@part
def opened(whole: Any, front: Any, numbers_at: Any, plan: Any, numbers: Any, places: Any) -> None:
    """Write head and header of a block and the zeros between its arrays; the arrays are still to be written."""
    copy(whole, 0, front, 0, front.shape[0])
    store64(whole, SIZE_AT, np.uint64(whole.shape[0]))
    for i in range(numbers_at.shape[0]):
        store64(whole, HEAD_BYTES + numbers_at[i], np.uint64(numbers[i]))
    for c in range(plan.shape[0]):
        rows = numbers[plan[c, NUMBER]]
        if plan[c, KIND] == STRINGS:
            _fill_up(whole, places[c, 0], 4 * rows)
            _fill_up(whole, places[c, 1], numbers[plan[c, NUMBER] + 1])
        else:
            _fill_up(whole, places[c, 0], rows * row_bytes(plan, c, numbers))


@part
def _fill_up(whole: Any, at: int, size: int) -> None:
    """Zeros behind an array up to a multiple of eight bytes."""
    for i in range(at + size, at + size + (-size & 7)):
        whole[i] = 0


@kernel
def place_rows(plan: Any, numbers: Any, body: int, places: Any) -> int:
    """See `placed`."""
    size: int = placed(plan, numbers, body, places)
    return size


@kernel
def open_rows(whole: Any, front: Any, numbers_at: Any, plan: Any, numbers: Any, places: Any) -> None:
    """See `opened`."""
    opened(whole, front, numbers_at, plan, numbers, places)


@kernel
def measure_rows(plan: Any, words: Any, given: Any, given_places: Any, index: Any, numbers: Any) -> bool:
    """Add rows of a block, chosen by `index`, to the numbers of a header. False if a matrix is not as wide as those before it.

    `words` are the bytes of the block as int32, `given` the numbers of its header.
    """
    for c in range(plan.shape[0]):
        number = plan[c, NUMBER]
        if plan[c, KIND] == STRINGS:
            first = given_places[c, 0] >> 2
            size = 0
            for i in range(index.shape[0]):
                size += max(words[first + index[i]], 0)
            numbers[number + 1] += size
        elif plan[c, ITEMSIZE] > 0:
            if numbers[number] > 0 and numbers[number + 1] != given[number + 1]:
                return False
            numbers[number + 1] = given[number + 1]
        numbers[number] += index.shape[0]
    return True


@kernel
def copy_rows(
    plan: Any, numbers: Any, data: Any, given_words: Any, given_places: Any, given_starts: Any, index: Any,
    whole: Any, words: Any, places: Any, starts: Any, first: int, written: Any,
) -> None:  # fmt: skip
    """Write rows of a block, chosen by `index`, into another block from its row `first` on.

    `numbers` are those of the written block, `written[c]` the bytes of text c that are in it so far.
    """
    for c in range(plan.shape[0]):
        at, to = given_places[c, 0], places[c, 0]
        if plan[c, KIND] == STRINGS:
            done = written[c]
            for i in range(index.shape[0]):
                length = given_words[(at >> 2) + index[i]]
                words[(to >> 2) + first + i] = length
                starts[places[c, 2] + first + i] = done
                if length > 0:
                    begin = given_places[c, 1] + given_starts[given_places[c, 2] + index[i]]
                    copy(whole, places[c, 1] + done, data, begin, length)
                    done += length
            written[c] = done
        else:
            size = row_bytes(plan, c, numbers)
            for i in range(index.shape[0]):
                copy(whole, to + (first + i) * size, data, at + index[i] * size, size)


@kernel
def fitting(plan: Any, words: Any, places: Any, first: int, stop: int, room: int) -> tuple[int, int]:
    """How many rows from `first` on, up to `stop`, have texts of at most `room` bytes together, and how many bytes these are."""
    total = 0
    for row in range(first, stop):
        size = 0
        for c in range(plan.shape[0]):
            if plan[c, KIND] == STRINGS:
                size += max(words[(places[c, 0] >> 2) + row], 0)
        if size > room - total:
            return row - first, total
        total += size
    return stop - first, total
