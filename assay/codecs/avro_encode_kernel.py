"""The encode loop: one pass over bound columns, writing many records one after another.

Every write is checked against the room left first; when the buffer is full the loop returns at the start of that record.
One file over the usual size: the loop is one state machine, and splitting it would cost a call per value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.intrinsics import copy, store64
from assay.codecs.kernel import kernel, part

DONE, FULL, MISMATCH = range(3)


@part
def write_varint(out: Any, at: int, value: Any) -> int:
    """One zigzag varint; at most 10 bytes. Returns the next position."""
    bits = (np.uint64(value) << np.uint64(1)) ^ np.uint64(value >> 63)
    while bits >= np.uint64(128):
        out[at] = np.uint8((bits & np.uint64(127)) | np.uint64(128))
        bits >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(bits)
    return at + 1


@kernel
def fill_texts(cells: Any, pool: Any, used: int, places: Any, first: Any, second: Any, third: Any, fourth: Any) -> tuple[Any, int]:
    """Copy the rows of four texts into the pool from `used` on, and where they stand into the cells. Gives (how it went, a number).

    A text is bytes, starts and lengths. `places[t]` are the cells of its starts and of its lengths.
    (-1, used) when all is done; (-2, bytes needed) when the pool has no room; (t, 0) when a row of text t lies outside of its bytes.
    """
    texts = (first, second, third, fourth)
    size = 0
    for t in range(4):
        data, starts, lengths = texts[t]
        for i in range(len(starts)):
            if starts[i] < 0 or starts[i] > len(data) or lengths[i] > len(data) - starts[i]:
                return t, 0
            size += max(lengths[i], 0)
    if size > len(pool) - used:
        return -2, size
    at = used
    for t in range(4):
        data, starts, lengths = texts[t]
        for i in range(len(starts)):
            cells[places[t, 0] + i] = at
            cells[places[t, 1] + i] = lengths[i]
            if lengths[i] > 0:
                copy(pool, at, data, starts[i], lengths[i])
                at += lengths[i]
    return -1, at


@kernel
def fill_fixed(pool: Any, used: int, first: Any, second: Any, third: Any, fourth: Any) -> None:
    """Copy the rows of four fixed, each uint8 (n, size), into the pool from `used` on. The caller has made room for all."""
    at = used
    for matrix in (first, second, third, fourth):
        size = matrix.shape[0] * matrix.shape[1]
        if size > 0:
            copy(pool, at, matrix.reshape(-1), 0, size)
            at += size


@kernel
def check_list(cells: Any, at: int, rows: int, items: int) -> Any:
    """Whether the offsets of `rows` lists from a cell on rise from 0 or more to `items` or less."""
    before = np.int64(0)
    for i in range(rows + 1):
        if cells[at + i] < before:
            return False
        before = cells[at + i]
    return before <= items


@kernel
def encode_rows(
    code: Any, first: int, rows: int, pool: Any, wide: Any, frames: Any, index: Any, out: Any, starts: Any, lengths: Any, cells: Any
) -> tuple[int, int, int]:
    """Encode rows from `first` on; row i is written at `starts[i]`, where the row before it ends. Returns (row, state, instruction)."""
    steps = code.shape[0]
    room = out.shape[0]
    half, real, cell, double = cells
    at = starts[first]
    for row in range(first, rows):
        index[0] = row
        step = 0
        depth = 0
        while step < steps:
            op = code[step, 0]
            here = index[code[step, 5]]
            source = code[step, 1] + here * code[step, 2]
            if op == 1 or op == 2 or op == 9:
                if at + 10 > room:
                    return row, FULL, step
                value = wide[source]
                if op == 2 and (value < -2147483648 or value > 2147483647):
                    return row, MISMATCH, step
                if op == 9 and (value < 0 or value >= code[step, 3]):
                    return row, MISMATCH, step
                at = write_varint(out, at, value)
                step += 1
            elif op == 6 or op == 14:
                size = wide[code[step, 3] + here * code[step, 2]]
                if size < 0:
                    return row, MISMATCH, step
                if at + 10 + size > room:
                    return row, FULL, step
                if op == 6:
                    at = write_varint(out, at, size)
                begin = wide[source]
                copy(out, at, pool, begin, size)
                at += size
                step += 1
            elif op == 8:
                size = code[step, 3]
                if at + size > room:
                    return row, FULL, step
                copy(out, at, pool, source, size)
                at += size
                step += 1
            elif op == 15:
                begin = wide[source]
                end = wide[source + 1]
                if at + 20 + 10 * (end - begin) > room:
                    return row, FULL, step
                if end > begin:
                    at = write_varint(out, at, end - begin)
                    for item in range(begin, end):
                        at = write_varint(out, at, wide[code[step, 3] + item * code[step, 7]])
                out[at] = 0
                at += 1
                step += 1
            elif op == 16:
                begin = wide[source]
                end = wide[source + 1]
                if at + 20 + 8 * (end - begin) > room:
                    return row, FULL, step
                if end > begin:
                    at = write_varint(out, at, end - begin)
                    for item in range(begin, end):
                        store64(out, at, np.uint64(wide[code[step, 3] + item * code[step, 7]]))
                        at += 8
                out[at] = 0
                at += 1
                step += 1
            elif op == 11 or op == 12:
                if at + 11 > room:
                    return row, FULL, step
                child = code[step, 6]
                if op == 11:
                    index[child] = wide[source]
                    frames[depth] = wide[source + 1]
                    depth += 1
                    if frames[depth - 1] > index[child]:
                        at = write_varint(out, at, frames[depth - 1] - index[child])
                else:
                    index[child] += 1
                if index[child] < frames[depth - 1]:
                    step = code[step, 3]
                else:
                    depth -= 1
                    out[at] = 0
                    at += 1
                    step = code[step, 4]
            elif op == 10:
                if at + 1 > room:
                    return row, FULL, step
                present = wide[source] >= code[step, 7]
                null = code[step, 3]
                out[at] = (2 - 2 * null) if present else 2 * null
                at += 1
                step = step + 1 if present else code[step, 4]
            elif op == 3:
                if at + 1 > room:
                    return row, FULL, step
                out[at] = 1 if wide[source] != 0 else 0
                at += 1
                step += 1
            else:
                if at + 8 > room:
                    return row, FULL, step
                cell[0] = wide[source]
                bits = np.uint64(cell[0])
                width = 8
                if op == 5:
                    real[0] = double[0]
                    bits = np.uint64(half[0])
                    width = 4
                store64(out, at, bits)
                at += width
                step += 1
        starts[row + 1] = at
        lengths[row] = at - starts[row]
    return rows, DONE, 0
