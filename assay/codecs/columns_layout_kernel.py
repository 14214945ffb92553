"""Kernels over a block of columns and its layout: the numbers of a header, the places of columns, and strings in row order.

The plan has a row per column, lists before their children. NUMBER is the first of the column's numbers. ITEMSIZE is the size of an array's
elements, negative for an array of one dimension. PARENT is the row of the list that the column belongs to, or -1. BOOLEAN is 1 for flags.
"""

from __future__ import annotations

from typing import Any

from assay.codecs.intrinsics import copy, load64, store64
from assay.codecs.kernel import kernel

ARRAY, STRINGS, LISTS = range(3)
KIND, NUMBER, ITEMSIZE, PARENT, BOOLEAN = range(5)
PLAN_COLUMNS = 5
#: what `place` says of a block
PLACED, LARGER, STRINGS_WRONG, LISTS_WRONG, CHILDREN_WRONG, BOOLEAN_WRONG, LEFT_OVER = range(7)
#: no column has a longer dimension
DIMENSION_MAX = 2**31


@kernel
def fill(header: Any, numbers_at: Any, numbers: Any) -> None:
    """Write the numbers into a header."""
    for i in range(numbers_at.shape[0]):
        store64(header, numbers_at[i], numbers[i])


@kernel
def match(whole: Any, start: int, template: Any, is_number: Any, numbers_at: Any, numbers: Any) -> bool:
    """Whether the header at `start` is that of the template but for its numbers, which are read. The caller has checked its length."""
    for i in range(template.shape[0]):
        if is_number[i] == 0 and whole[start + i] != template[i]:
            return False
    for i in range(numbers_at.shape[0]):
        numbers[i] = load64(whole, start + numbers_at[i])
    return True


@kernel
def measure(plan: Any, numbers: Any, end: int, rows: Any) -> bool:
    """The rows of all strings together, and the offsets of all lists. False when a column has more rows than there are bytes."""
    rows[0] = rows[1] = 0
    for c in range(plan.shape[0]):
        n = numbers[plan[c, NUMBER]]
        if n < 0 or n > end:
            return False
        if plan[c, KIND] == STRINGS:
            rows[0] += n
        elif plan[c, KIND] == LISTS:
            rows[1] += n + 1
    return True


@kernel
def place(whole: Any, words: Any, longs: Any, body: int, plan: Any, numbers: Any, places: Any, starts: Any, offsets: Any) -> int:
    """Find and check every column behind `body`: `places[c]` are its first byte, that of the data of strings, and the first of its starts
    or offsets.

    `words` and `longs` are the bytes as int32 and int64. `starts` takes the starts of all strings, `offsets` the offsets of all lists,
    column after column.
    """
    end = whole.shape[0]
    start = offset = 0
    for c in range(plan.shape[0]):
        number = plan[c, NUMBER]
        rows = numbers[number]
        parent = plan[c, PARENT]
        if parent >= 0 and rows != numbers[plan[parent, NUMBER] + 1]:
            return CHILDREN_WRONG
        if rows < 0 or rows > end or rows > DIMENSION_MAX or body > end:
            return LARGER
        places[c, 0] = places[c, 1] = body
        places[c, 2] = 0
        if plan[c, KIND] == ARRAY:
            size = abs(plan[c, ITEMSIZE])
            width = numbers[number + 1] if plan[c, ITEMSIZE] > 0 else 1
            if width < 0 or width > DIMENSION_MAX or (width > 0 and rows > (end - body) // (size * width)):
                return LARGER
            size = size * width * rows
            if plan[c, BOOLEAN] == 1:
                for i in range(body, body + size):
                    if whole[i] > 1:
                        return BOOLEAN_WRONG
            body += size + (-size & 7)
        elif plan[c, KIND] == STRINGS:
            size = numbers[number + 1]
            if rows > (end - body) // 4 or size < 0 or size > end:
                return LARGER
            total = 0
            for i in range(rows):
                length = words[(body >> 2) + i]
                if length < -1:
                    return STRINGS_WRONG
                starts[start + i] = total
                total += max(length, 0)
            places[c, 2] = start
            start += rows
            body += 4 * rows + (-(4 * rows) & 7)
            if total != size:
                return STRINGS_WRONG
            if size > end - body:
                return LARGER
            places[c, 1] = body
            body += size + (-size & 7)
        else:
            items = numbers[number + 1]
            if rows > (end - body) // 8 or items < 0 or items > end:
                return LARGER
            offsets[offset] = 0
            total = 0
            for i in range(rows):
                count = longs[(body >> 3) + i]
                if count < 0 or count > items - total:
                    return LISTS_WRONG
                total += count
                offsets[offset + i + 1] = total
            places[c, 2] = offset
            offset += rows + 1
            if total != items:
                return LISTS_WRONG
            if items > 0 and (c + 1 == plan.shape[0] or plan[c + 1, PARENT] != c):
                return CHILDREN_WRONG
            body += 8 * rows
    return PLACED if body == end else LEFT_OVER


@kernel
def held(first: Any, second: Any, third: Any, fourth: Any) -> Any:
    """The bytes that four texts take in a block, or -1 - t when a row of text t lies outside of its bytes."""
    texts = (first, second, third, fourth)
    total = 0
    for t in range(4):
        data, starts, lengths = texts[t]
        size = 0
        for i in range(len(starts)):
            if starts[i] < 0 or starts[i] > len(data) or lengths[i] > len(data) - starts[i]:
                return -1 - t
            size += max(lengths[i], 0)
        total += size + (-size & 7) + 4 * len(starts) + (-(4 * len(starts)) & 7)
    return total


@kernel
def pack(into: Any, words: Any, bounds: Any, first: Any, second: Any, third: Any, fourth: Any) -> None:
    """Four texts as they stand in a block: lengths as int32, -1 for null, then the bytes in row order, both filled up to eight bytes.

    `words` are the bytes of `into` as int32. `bounds[t]` takes the bytes of the rows of text t, and where the text ends. The caller has
    checked the texts by `held`; `into` is zeros.
    """
    texts = (first, second, third, fourth)
    at = 0
    for t in range(4):
        data, starts, lengths = texts[t]
        for i in range(len(starts)):
            words[(at >> 2) + i] = max(lengths[i], -1)
        at += 4 * len(starts)
        at += -at & 7
        begin = at
        for i in range(len(starts)):
            if lengths[i] > 0:
                copy(into, at, data, starts[i], lengths[i])
                at += lengths[i]
        bounds[t, 0] = at - begin
        at += -at & 7
        bounds[t, 1] = at
