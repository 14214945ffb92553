"""Kernels from decoded records to a block of rows: one call finds the places, one writes all columns of all good rows.

`fills` has a row per column, in the order of the layout's plan: SOURCE says where its values are. SLOT is that of a decoded field. AT is
the row of picked texts or the first byte of ready values. VALUE is that of a constant, WIDTH the elements of a row.
The decoder has checked every text. Rows with a verdict other than 0 are left out.
"""

from __future__ import annotations

from typing import Any

from assay.codecs.avro_plan import NARROW, SMALL, WIDE
from assay.codecs.block_rows_kernel import opened, placed, row_bytes
from assay.codecs.column_match import pick
from assay.codecs.columns_layout_kernel import ITEMSIZE, KIND, NUMBER, STRINGS
from assay.codecs.intrinsics import copy
from assay.codecs.kernel import kernel, part

#: a constant, the partition, the offset of a record
CONSTANT, PARTITION, OFFSET = range(3)
#: decoded 8-byte cells, 4-byte cells, bytes; ready values
CELL, WORD, BYTES, READY = range(3, 7)
#: decoded texts, picked texts, no text
TEXT, PICKED, NULL = range(7, 10)
SOURCE, SLOT, AT, VALUE, WIDTH = range(5)
#: slots of a list and of the texts of its items
LIST, NAME, ID = range(3)


@kernel
def measure_records(
    plan: Any, fills: Any, picks: Any, names: Any, base: Any, wide: Any, narrow: Any, data: Any, verdict: Any, body: int,
    picked_starts: Any, picked_lengths: Any, numbers: Any, places: Any,
) -> int:  # fmt: skip
    """Find the picked texts (picks, n), fill the numbers of a header and the places of its columns; the bytes of the block.

    `base` are the first cells of the decoded columns, see `avro_plan.Places`. `picks` has the slots LIST, NAME and ID of each list to
    pick from, `names` are the names that are picked, as bytes, starts and lengths.
    """
    data_of_names, name_starts, name_lengths = names
    for k in range(picks.shape[0]):
        listed, name, found = picks[k, LIST], picks[k, NAME], picks[k, ID]
        pick(
            data, wide, narrow, base[listed, WIDE] - 1, base[name, WIDE], base[name, NARROW], base[found, WIDE], base[found, NARROW],
            data_of_names, name_starts[k : k + 1], name_lengths[k : k + 1], picked_starts[k : k + 1], picked_lengths[k : k + 1],
        )  # fmt: skip
    good = 0
    for i in range(verdict.shape[0]):
        good += verdict[i] == 0
    for c in range(plan.shape[0]):
        number = plan[c, NUMBER]
        numbers[number] = good
        if plan[c, KIND] == STRINGS:
            size = 0
            if fills[c, SOURCE] == TEXT:
                first = base[fills[c, SLOT], NARROW]
                for i in range(verdict.shape[0]):
                    if verdict[i] == 0:
                        size += max(narrow[first + i], 0)
            elif fills[c, SOURCE] == PICKED:
                for i in range(verdict.shape[0]):
                    if verdict[i] == 0:
                        size += max(picked_lengths[fills[c, AT], i], 0)
            numbers[number + 1] = size
        elif plan[c, ITEMSIZE] > 0:
            numbers[number + 1] = fills[c, WIDTH]
    total: int = placed(plan, numbers, body, places)
    return total


@kernel
def write_records(
    plan: Any, fills: Any, base: Any, wide: Any, narrow: Any, small: Any, data: Any, picked_starts: Any, picked_lengths: Any,
    ready: Any, verdict: Any, offsets: Any, partition: int, front: Any, numbers_at: Any, numbers: Any, places: Any,
    whole: Any, words: Any, longs: Any, starts: Any,
) -> None:  # fmt: skip
    """Write the block that was measured. `words` and `longs` are its bytes as int32 and int64, `ready` bytes (n, width)."""
    opened(whole, front, numbers_at, plan, numbers, places)
    n = verdict.shape[0]
    for c in range(plan.shape[0]):
        source, slot, at, to = fills[c, SOURCE], fills[c, SLOT], fills[c, AT], places[c, 0]
        row = 0
        if source >= TEXT:
            lengths, texts, done = to >> 2, places[c, 2], 0
            first, first_length = base[slot, WIDE], base[slot, NARROW]
            for i in range(n):
                if verdict[i] == 0:
                    begin, length = 0, -1
                    if source == TEXT:
                        begin, length = wide[first + i], narrow[first_length + i]
                    elif source == PICKED:
                        begin, length = picked_starts[at, i], picked_lengths[at, i]
                    words[lengths + row] = max(length, -1)
                    starts[texts + row] = done
                    if length > 0:
                        copy(whole, places[c, 1] + done, data, begin, length)
                        done += length
                    row += 1
        elif source in (CELL, OFFSET):
            first = base[slot, WIDE]
            for i in range(n):
                if verdict[i] == 0:
                    longs[(to >> 3) + row] = wide[first + i] if source == CELL else offsets[i]
                    row += 1
        elif source == WORD:
            first = base[slot, NARROW]
            for i in range(n):
                if verdict[i] == 0:
                    words[(to >> 2) + row] = narrow[first + i]
                    row += 1
        else:
            size = row_bytes(plan, c, numbers)
            value = partition if source == PARTITION else fills[c, VALUE]
            first = base[slot, SMALL]
            for i in range(n):
                if verdict[i] == 0:
                    if source == BYTES:
                        copy(whole, to, small, first + i * size, size)
                    elif source == READY:
                        for k in range(size):
                            whole[to + k] = ready[i, at + k]
                    else:
                        _little(whole, to, value, size)
                    to += size


@part
def _little(whole: Any, at: int, value: int, size: int) -> None:
    """An integer of so many bytes; a row of more than eight is all zeros."""
    for k in range(size):
        whole[at + k] = (value >> 8 * k) & 255 if k < 8 else 0
