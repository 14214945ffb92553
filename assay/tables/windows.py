"""The window kernel: rows of one entity fold into its lines in row order, and features are read on the way.

One call walks a batch for one entity, ring by ring: rings do not look at each other, so a ring sees its rows in order and
its numbers stay in registers and its lines in the cache. Layout: `feature_plan`. Everything is exact int64; float64
appears only in the last operations: mean = float(sum) / float(count), a rate is made in the same way, z-score: `moments`.

It is one long file because its parts are pasted into one another and read best in one place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8
from assay.codecs.intrinsics import prefetch
from assay.codecs.kernel import Int, inlined, kernel, part
from assay.tables.feature_plan import (
    BITMAP,
    BUCKETS,
    CELLS,
    COUNT,
    CURRENT,
    DELAY,
    DISTINCT_FROM,
    DISTINCT_TO,
    DIVISOR,
    EVENTS,
    FIELD,
    FIELDS,
    FRAUDS,
    LAST_TS,
    LENGTH,
    OTHER,
    OUTPUT,
    PREVIOUS,
    READ_FROM,
    READ_LONG,
    READ_MIDDLE,
    READ_OP,
    READ_RATIO,
    READ_TO,
    RESOLUTION,
    RUNNING,
    SHAPE,
    SQUARES,
    SUM,
    WINDOW_FROM,
    WINDOW_TO,
    WORD,
)
from assay.tables.moments import zscore

#: what a row is to one entity
NOTHING, PAYS, LABELS = 0, 1, 2
#: previous payment time of a pair that has none, and of a row that names no member
NEVER = -(2**63)
NO_ELEMENT = 2**63 - 1
LIMB = 2**32
#: position of a lone bit, by the upper six bits of its product with a de Bruijn sequence
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
#: rows between asking for a line and using it
_PREFETCH_ROWS = 8
_BIT_OF = np.array([next(b for b in range(64) if ((0x03F79D71B4CB0A89 << b) % 2**64) >> 58 == i) for i in range(64)], np.int64)


@inlined
def _holds(words: I64, bitmap: Int, place: Int) -> Any:
    return ((words[bitmap + (place >> 6)] >> (place & 63)) & 1) != 0


@inlined
def _place(place: Int, back: Int, buckets: Int) -> Int:
    """Place of the bucket `back` buckets before the one at `place`; back is below twice the ring."""
    place -= back
    if place < 0:
        place += buckets
    if place < 0:
        place += buckets
    return place


@inlined
def _carry(words: I64, limbs: Int) -> None:
    """Bring the low limb of a sum of squares back into [0, 2^32)."""
    words[limbs] += words[limbs + 1] >> 32
    words[limbs + 1] &= LIMB - 1


@inlined
def _empty(words: I64, cell: Int, fields: Int, bitmap: Int, place: Int) -> None:
    for field in range(fields):
        words[cell + field] = 0
    words[bitmap + (place >> 6)] &= ~(np.int64(1) << (place & 63))


@part
def _reset(words: I64, base: Int, rings: I64, r: Int, windows: I64) -> None:
    """Everything in the ring is too old: empty it."""
    fields, buckets, bitmap, cells = rings[r, FIELDS], rings[r, BUCKETS], base + rings[r, BITMAP], base + rings[r, CELLS]
    for first in range(0, buckets, 64):
        held = words[bitmap + (first >> 6)]
        while held != 0:
            lowest = held & -held
            place = first + _BIT_OF[np.int64((np.uint64(lowest) * _DE_BRUIJN) >> np.uint64(58))]
            for field in range(fields):
                words[cells + place * fields + field] = 0
            held ^= lowest
        words[bitmap + (first >> 6)] = 0
    for w in range(rings[r, WINDOW_FROM], rings[r, WINDOW_TO]):
        for field in range(fields):
            words[base + windows[w, RUNNING] + field] = 0


@part
def _shift_window(words: I64, base: Int, rings: I64, r: Int, windows: I64, w: Int, current: Int, bucket: Int, place: Int) -> None:
    """Move one window from `current` to the later `bucket`: subtract what leaves, add what its delay lets in."""
    fields, buckets, bitmap, cells = rings[r, FIELDS], rings[r, BUCKETS], base + rings[r, BITMAP], base + rings[r, CELLS]
    running = base + windows[w, RUNNING]
    newest_before = current - windows[w, DELAY]
    oldest = bucket - windows[w, DELAY] - windows[w, LENGTH] + 1
    for leaving in range(newest_before - windows[w, LENGTH] + 1, min(oldest - 1, newest_before) + 1):
        at = _place(place, bucket - leaving, buckets)
        if _holds(words, bitmap, at):
            for field in range(fields):
                words[running + field] -= words[cells + at * fields + field]
    if windows[w, DELAY] > 0:
        for entering in range(max(newest_before + 1, oldest), min(bucket - windows[w, DELAY], current) + 1):
            at = _place(place, bucket - entering, buckets)
            if _holds(words, bitmap, at):
                for field in range(fields):
                    words[running + field] += words[cells + at * fields + field]
    if rings[r, SQUARES] >= 0:
        _carry(words, running + rings[r, SQUARES])


@inlined
def _advance(words: I64, base: Int, rings: I64, r: Int, windows: I64, current: Int, bucket: Int, place: Int) -> None:
    """Make the later `bucket` the current one: windows move, cells that fall out of the ring are emptied."""
    fields, buckets, bitmap, cells = rings[r, FIELDS], rings[r, BUCKETS], base + rings[r, BITMAP], base + rings[r, CELLS]
    if bucket - current >= buckets:
        _reset(words, base, rings, r, windows)
        return
    if rings[r, WINDOW_TO] - rings[r, WINDOW_FROM] > 1 or rings[r, SQUARES] >= 0:
        for w in range(rings[r, WINDOW_FROM], rings[r, WINDOW_TO]):
            _shift_window(words, base, rings, r, windows, w, current, bucket, place)
        for expired in range(current - buckets + 1, bucket - buckets + 1):
            at = _place(place, bucket - expired, buckets)
            if _holds(words, bitmap, at):
                _empty(words, cells + at * fields, fields, bitmap, at)
        return
    # one window that covers the ring: what leaves it leaves the ring, so both are done in one walk
    running = base + windows[rings[r, WINDOW_FROM], RUNNING]
    for expired in range(current - buckets + 1, bucket - buckets + 1):
        at = _place(place, bucket - expired, buckets)
        if _holds(words, bitmap, at):
            for field in range(fields):
                words[running + field] -= words[cells + at * fields + field]
            _empty(words, cells + at * fields, fields, bitmap, at)


@inlined
def _add_payment(
    words: I64, base: Int, rings: I64, r: Int, windows: I64, distincts: I64, bucket: Int, place: Int, amount: Int, previous: I64, row: Int
) -> None:
    """Add one payment to its own bucket and to the windows that cover it. The bucket is inside the ring."""
    current, bitmap, squares = words[base + rings[r, CURRENT]], base + rings[r, BITMAP], rings[r, SQUARES]
    cell = base + rings[r, CELLS] + place * rings[r, FIELDS]
    words[bitmap + (place >> 6)] |= np.int64(1) << (place & 63)
    high = np.int64(0)
    low = np.int64(0)
    if squares >= 0:
        upper, lower = amount >> 32, amount & (LIMB - 1)
        square = np.uint64(lower) * np.uint64(lower)
        high = upper * upper * LIMB + 2 * upper * lower + np.int64(square >> np.uint64(32))
        low = np.int64(square & np.uint64(LIMB - 1))
        words[cell + squares] += high
        words[cell + squares + 1] += low
        _carry(words, cell + squares)
    words[cell + COUNT] += 1
    words[cell + SUM] += amount
    for w in range(rings[r, WINDOW_FROM], rings[r, WINDOW_TO]):
        age = current - windows[w, DELAY] - bucket
        if 0 <= age < windows[w, LENGTH]:
            running = base + windows[w, RUNNING]
            words[running + COUNT] += 1
            words[running + SUM] += amount
            if squares >= 0:
                words[running + squares] += high
                words[running + squares + 1] += low
                _carry(words, running + squares)
    for d in range(rings[r, DISTINCT_FROM], rings[r, DISTINCT_TO]):
        _move_member(words, base, rings, r, windows, distincts[d, FIELD], bucket, place, previous[row, distincts[d, PREVIOUS]])


@inlined
def _move_member(words: I64, base: Int, rings: I64, r: Int, windows: I64, field: Int, bucket: Int, place: Int, previous: Int) -> None:
    """A member counts once, in the latest bucket it was paid in: move it there from the bucket it was in."""
    if previous == NO_ELEMENT:
        return
    current, fields = words[base + rings[r, CURRENT]], rings[r, FIELDS]
    held = previous != NEVER
    was = previous // rings[r, RESOLUTION] if held else np.int64(0)
    held = held and was > current - rings[r, BUCKETS]
    if held and was >= bucket:
        return
    words[base + rings[r, CELLS] + place * fields + field] += 1
    if held:
        words[base + rings[r, CELLS] + _place(place, bucket - was, rings[r, BUCKETS]) * fields + field] -= 1
    for w in range(rings[r, WINDOW_FROM], rings[r, WINDOW_TO]):
        newest = current - windows[w, DELAY]
        word = base + windows[w, RUNNING] + field
        if 0 <= newest - bucket < windows[w, LENGTH]:
            words[word] += 1
        if held and 0 <= newest - was < windows[w, LENGTH]:
            words[word] -= 1


@inlined
def _add_fraud(words: I64, base: Int, rings: I64, r: Int, windows: I64, bucket: Int, place: Int) -> None:
    """A fraud label counts in the bucket of the payment it speaks of, if that bucket is still in the ring."""
    current = words[base + rings[r, CURRENT]]
    if bucket <= current - rings[r, BUCKETS]:
        return
    words[base + rings[r, CELLS] + place * rings[r, FIELDS] + rings[r, FRAUDS]] += 1
    for w in range(rings[r, WINDOW_FROM], rings[r, WINDOW_TO]):
        if 0 <= current - windows[w, DELAY] - bucket < windows[w, LENGTH]:
            words[base + windows[w, RUNNING] + rings[r, FRAUDS]] += 1


@inlined
def _read(words: I64, base: Int, reads: I64, k: Int, row: Int, amount: Int, longs: I64, doubles: NDArray[np.float64]) -> None:
    """Write one feature of one row."""
    word = base + reads[k, WORD]
    if reads[k, READ_OP] == READ_LONG:
        longs[row, reads[k, OUTPUT]] = words[word]
    elif reads[k, READ_OP] == READ_RATIO:
        count = words[base + reads[k, OTHER]]
        doubles[row, reads[k, OUTPUT]] = np.float64(words[word]) / np.float64(count) if count > 0 else 0.0
    else:
        limbs = base + reads[k, OTHER]
        doubles[row, reads[k, OUTPUT]] = zscore(words[word + COUNT], words[word + SUM], words[limbs], words[limbs + 1], amount)


@part
def _fold_headers(
    words: I64, width: Int, since: I64, roles: U8, slots: I32, times: I64, n: Int, longs: I64, versions: I32, version: Int, fresh: U8
) -> None:
    """Latest time, count and version of every key, time since last, and whether a row is the first payment of its key."""
    for i in range(-_PREFETCH_ROWS, n):
        if i + _PREFETCH_ROWS < n and slots[i + _PREFETCH_ROWS] >= 0:
            prefetch(words, np.int64(slots[i + _PREFETCH_ROWS]) * width)
            prefetch(versions, np.int64(slots[i + _PREFETCH_ROWS]))
        if i < 0:
            continue
        slot = np.int64(slots[i])
        if slot >= 0 and roles[i] != NOTHING:
            versions[slot] = version
        if roles[i] != PAYS:
            continue
        if slot < 0:
            for k in range(len(since)):
                longs[i, since[k, OUTPUT]] = -1
            continue
        base = slot * width
        fresh[i] = words[base + EVENTS] == 0
        for k in range(len(since)):
            longs[i, since[k, OUTPUT]] = -1 if fresh[i] else max(times[i] - words[base + LAST_TS], 0) // since[k, DIVISOR]
        if fresh[i] or times[i] > words[base + LAST_TS]:
            words[base + LAST_TS] = times[i]
        words[base + EVENTS] += 1


@part
def _fold_ring(
    words: I64,
    width: Int,
    rings: I64,
    r: Int,
    windows: I64,
    distincts: I64,
    reads: I64,
    roles: U8,
    slots: I32,
    buckets: I64,
    places: I64,
    amounts: I64,
    previous: I64,
    fresh: U8,
    longs: I64,
    doubles: NDArray[np.float64],
) -> None:
    """All rows of a batch against one ring."""
    read_from, read_middle, read_to = rings[r, READ_FROM], rings[r, READ_MIDDLE], rings[r, READ_TO]
    for i in range(-_PREFETCH_ROWS, len(amounts)):
        if i + _PREFETCH_ROWS < len(amounts) and slots[i + _PREFETCH_ROWS] >= 0:
            ahead = np.int64(slots[i + _PREFETCH_ROWS]) * width
            prefetch(words, ahead + rings[r, CURRENT])
            prefetch(words, ahead + rings[r, CELLS] - 1)
            prefetch(words, ahead + rings[r, CELLS] + places[i + _PREFETCH_ROWS] * rings[r, FIELDS])
        if i < 0 or roles[i] == NOTHING or slots[i] < 0:
            continue
        base, bucket, place = np.int64(slots[i]) * width, buckets[i], places[i]
        if roles[i] == LABELS:
            if rings[r, FRAUDS] >= 0:
                _add_fraud(words, base, rings, r, windows, bucket, place)
            continue
        current = words[base + rings[r, CURRENT]]
        if fresh[i] or bucket > current:
            if not fresh[i]:
                _advance(words, base, rings, r, windows, current, bucket, place)
            words[base + rings[r, CURRENT]] = bucket
            current = bucket
        for k in range(read_from, read_middle):
            _read(words, base, reads, k, i, amounts[i], longs, doubles)
        if bucket > current - rings[r, BUCKETS]:
            _add_payment(words, base, rings, r, windows, distincts, bucket, place, amounts[i], previous, i)
        for k in range(read_middle, read_to):
            _read(words, base, reads, k, i, amounts[i], longs, doubles)


@kernel
def fold_windows(
    words: I64,
    width: int,
    rings: I64,
    windows: I64,
    distincts: I64,
    reads: I64,
    since: I64,
    roles: U8,
    slots: I32,
    times: I64,
    buckets: I64,
    amounts: I64,
    previous: I64,
    longs: I64,
    doubles: NDArray[np.float64],
    versions: I32,
    version: int,
    fresh: U8,
) -> int:
    """Fold n rows of one entity in row order; 0, or how many slots need room, and nothing is changed.

    `words` holds the lines one after another. `roles` says what row i is (NOTHING, PAYS, LABELS), `slots` its key (-1 for
    null), `times` its own time or, for a label, that of its payment, `buckets` comes from `feature_rows`, `previous` (n, p)
    from the pair tables. `amounts` has n rows, the others may have more. Writes `longs`, `doubles`, `version` in `versions` for every
    changed slot, and in `fresh` whether a row that pays is the first payment of its key.
    """
    needed = 0
    for i in range(len(amounts)):
        if roles[i] != NOTHING:
            needed = max(needed, int(slots[i]) + 1)
    if needed > len(versions) or needed * width > len(words):
        return needed
    _fold_headers(words, width, since, roles, slots, times, len(amounts), longs, versions, version, fresh)
    for r in range(len(rings)):
        bucket, place = buckets[2 * rings[r, SHAPE]], buckets[2 * rings[r, SHAPE] + 1]
        _fold_ring(words, width, rings, r, windows, distincts, reads, roles, slots, bucket, place, amounts, previous, fresh, longs, doubles)
    return 0
