"""The decode loop: one pass over the bytes of many records, driven by a plan's instructions.

Every read is checked against the end of its record first, so no bytes can lead it outside. A record that is refused
leaves zeros and nulls and takes no list items; when a list buffer is full the loop returns at the start of that record.
One file over the usual size: the loop is one state machine, and splitting it would cost a call per value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.intrinsics import copy, load64
from assay.codecs.kernel import kernel, part

GOOD, TRUNCATED, OVERSIZED, GARBAGE = range(4)


@part
def read_varint(data: Any, at: int, end: int) -> tuple[Any, int]:
    """One zigzag varint: (value, next position); position -1 when the bytes end first, -3 when it exceeds 64 bits."""
    if at >= end:
        return np.int64(0), -TRUNCATED
    byte = np.int64(data[at])
    at += 1
    if byte < 128:
        return (byte >> 1) ^ -(byte & 1), at
    bits = np.uint64(byte & 127)
    shift = 7
    while shift < 64:
        if at >= end:
            return np.int64(0), -TRUNCATED
        byte = np.int64(data[at])
        at += 1
        bits |= np.uint64(byte & 127) << np.uint64(shift)
        if byte < 128:
            if shift == 63 and byte > 1:
                return np.int64(0), -GARBAGE
            return np.int64(bits >> np.uint64(1)) ^ -np.int64(bits & np.uint64(1)), at
        shift += 7
    return np.int64(0), -GARBAGE


@part
def is_utf8(data: Any, at: int, end: int) -> bool:
    """True if the bytes are well-formed UTF-8 (Unicode 15, table 3-7)."""
    high = np.uint64(0)
    if end - at >= 8:
        high = load64(data, end - 8)
        for i in range(at, end - 8, 8):
            high |= load64(data, i)
    else:
        for i in range(at, end):
            high |= np.uint64(data[i])
    if high & np.uint64(0x8080808080808080) == np.uint64(0):
        return True
    while at < end:
        lead = np.int64(data[at])
        at += 1
        if lead < 0x80:
            continue
        more = 1 if lead < 0xE0 else 2 if lead < 0xF0 else 3
        if lead < 0xC2 or lead > 0xF4 or at + more > end:
            return False
        low = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else 0x80
        top = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else 0xBF
        if data[at] < low or data[at] > top:
            return False
        for i in range(at + 1, at + more):
            if data[i] < 0x80 or data[i] > 0xBF:
                return False
        at += more
    return True


@part
def blank(code: Any, first: int, last: int, level: int, counts: Any, wide: Any, narrow: Any, small: Any) -> None:
    """Zero, null and empty for the columns of one row that instructions first..last fill."""
    row = counts[level]
    for step in range(first, last):
        slot = code[step, 1]
        if slot < 0 or code[step, 5] != level:
            continue
        op = code[step, 0]
        if op == 6 or op == 7:
            wide[code[step, 7] + row] = 0
            narrow[code[step, 8] + row] = -1
        elif op == 9:
            narrow[code[step, 8] + row] = 0
        elif op == 3 or op == 10:
            small[code[step, 9] + row] = 0
        elif op == 8:
            size = code[step, 2]
            for i in range(size):
                small[code[step, 9] + row * size + i] = 0
        elif op == 11 or op == 12:
            wide[code[step, 7] + row] = counts[code[step, 6]]
        else:
            wide[code[step, 7] + row] = 0


@kernel
def decode_rows(
    data: Any,
    starts: Any,
    lengths: Any,
    skip: int,
    first: int,
    code: Any,
    frames: Any,
    capacity: Any,
    counts: Any,
    saved: Any,
    wide: Any,
    narrow: Any,
    small: Any,
    verdict: Any,
    cells: Any,
) -> tuple[int, int]:
    """Decode rows from `first` on. Returns (n, 0) when done, else (row to continue with, level that is full).

    Every cell of the columns is written, so the buffers may hold anything before.
    """
    steps = code.shape[0]
    half, real, cell, double = cells
    for step in range(steps):
        # the offsets of a list column begin one cell before its first row
        if code[step, 0] == 11 and code[step, 1] >= 0:
            wide[code[step, 7] - 1] = 0
    for row in range(first, starts.shape[0]):
        at = starts[row] + skip
        end = starts[row] + lengths[row]
        for level in range(counts.shape[0]):
            saved[level] = counts[level]
        counts[0] = row
        fault = GOOD
        if lengths[row] < skip or starts[row] < 0 or starts[row] > data.shape[0] or lengths[row] > data.shape[0] - starts[row]:
            fault = TRUNCATED
        step = 0
        depth = 0
        while fault == GOOD and step < steps:
            op = code[step, 0]
            slot = code[step, 1]
            here = counts[code[step, 5]]
            if op == 6 or op == 7:
                size, at = read_varint(data, at, end)
                if at < 0:
                    fault = -at
                    break
                if size < 0:
                    fault = GARBAGE
                    break
                if size > end - at:
                    fault = TRUNCATED
                    break
                if slot >= 0:
                    if op == 6 and not is_utf8(data, at, at + size):
                        fault = GARBAGE
                        break
                    wide[code[step, 7] + here] = at
                    narrow[code[step, 8] + here] = size
                at += size
                step += 1
            elif op == 1 or op == 2 or op == 9:
                value, at = read_varint(data, at, end)
                if at < 0:
                    fault = -at
                    break
                if op == 2 and (value < -2147483648 or value > 2147483647):
                    fault = GARBAGE
                    break
                if op == 9 and (value < 0 or value >= code[step, 2]):
                    fault = GARBAGE
                    break
                if slot >= 0:
                    if op == 9:
                        narrow[code[step, 8] + here] = value
                    else:
                        wide[code[step, 7] + here] = value
                step += 1
            elif op == 8:
                size = code[step, 2]
                if size > end - at:
                    fault = TRUNCATED
                    break
                into = code[step, 9] + here * size
                copy(small, into, data, at, size)
                at += size
                step += 1
            elif op == 11 or op == 12:
                child = code[step, 6]
                if op == 11:
                    frames[depth] = 0
                    depth += 1
                else:
                    counts[child] += 1
                    frames[depth - 1] -= 1
                if frames[depth - 1] == 0:
                    items, at = read_varint(data, at, end)
                    if items < 0 and at >= 0:
                        items = -items
                        size, at = read_varint(data, at, end)
                        if at >= 0 and (items < 0 or size < 0):
                            fault = GARBAGE
                            break
                        if at >= 0 and size > end - at:
                            fault = TRUNCATED
                            break
                    if at < 0:
                        fault = -at
                        break
                    if items > end - at:
                        fault = TRUNCATED
                        break
                    frames[depth - 1] = items
                    if items == 0:
                        depth -= 1
                        if slot >= 0:
                            wide[code[step, 7] + here] = counts[child]
                        step = code[step, 4]
                        continue
                if counts[child] >= capacity[child]:
                    for level in range(counts.shape[0]):
                        counts[level] = saved[level]
                    return row, child
                step = code[step, 3]
            elif op == 4 or op == 5:
                size = 8 if op == 4 else 4
                if size > end - at:
                    fault = TRUNCATED
                    break
                if op == 4:
                    wide[code[step, 7] + here] = np.int64(load64(data, at))
                else:
                    word = np.uint32(0)
                    for i in range(4):
                        word |= np.uint32(np.uint32(data[at + i]) << np.uint32(8 * i))
                    half[0] = word
                    double[0] = real[0]
                    wide[code[step, 7] + here] = cell[0]
                at += size
                step += 1
            elif op == 3:
                if at >= end:
                    fault = TRUNCATED
                    break
                if data[at] > 1:
                    fault = GARBAGE
                    break
                if slot >= 0:
                    small[code[step, 9] + here] = data[at]
                at += 1
                step += 1
            elif op == 10:
                value, at = read_varint(data, at, end)
                if at < 0:
                    fault = -at
                    break
                if value != 0 and value != 1:
                    fault = GARBAGE
                    break
                null = value == code[step, 2]
                if slot >= 0:
                    small[code[step, 9] + here] = 0 if null else 1
                if null:
                    blank(code, step + 1, code[step, 4], code[step, 5], counts, wide, narrow, small)
                    step = code[step, 4]
                else:
                    step += 1
            else:
                if code[step, 2] > end - at:
                    fault = TRUNCATED
                    break
                at += code[step, 2]
                step += 1
        if fault == GOOD and at != end:
            fault = OVERSIZED
        if fault != GOOD:
            for level in range(counts.shape[0]):
                counts[level] = saved[level]
            counts[0] = row
            blank(code, 0, steps, 0, counts, wide, narrow, small)
        verdict[row] = fault
    return starts.shape[0], 0
