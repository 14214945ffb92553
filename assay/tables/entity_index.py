"""Kernels of the entity table (`entities`): text ids to slots, and the graph row of every slot.

An open-addressing index points to entries of one cache line each. An index word is the upper half of the hash and slot + 1. An entry
holds the place of the id's bytes in an arena, the graph row, the ordinal of the row that took the slot, and the clock at the last row
with this id. Two ids are equal if their bytes are equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8
from assay.codecs.intrinsics import load64, prefetch
from assay.codecs.kernel import Int, inlined, kernel, part
from assay.tables.text_hash import hash64

_SLOT_MASK = 0xFFFFFFFF
#: rows between asking for a line and using it
_PREFETCH_ROWS = 6
#: words of an entry, one cache line
HASH, START, LENGTH, FIRST_SEEN, LAST_SEEN, EVENTS, BORN, MET, ENTRY_WORDS = 0, 1, 2, 3, 4, 5, 6, 7, 8
#: state of a slot: of a known id; of a forgotten id; of a forgotten id that `tell` has named; free for another id
KNOWN, FORGOTTEN, TOLD, FREE = 0, 1, 2, 3
#: counts of a table: slots ever taken, arena bytes, next slot that the sweep looks at, slots of forgotten ids, free slots
SLOTS, BYTES, SWEEP, GONE, OPEN = 0, 1, 2, 3, 4
#: slots that the sweep looks at per row: it has seen all slots before a quarter of them is new
_LOOKS = 4


@inlined
def _same_key(data: U8, start: Int, length: Int, arena: U8, at: Int) -> Any:
    k = 0
    while k + 8 <= length:
        if load64(data, start + k) != load64(arena, at + k):
            return False
        k += 8
    while k < length:
        if data[start + k] != arena[at + k]:
            return False
        k += 1
    return True


@inlined
def _prefetch_rows(hashes: I64, i: Int, n: Int, index: I64, entries: I64, arena: U8, versions: I32) -> None:
    """Prefetch the index word of a row to come, the entry of a nearer one, the key bytes and the version of the nearest."""
    mask = len(index) - 1
    if i + 3 * _PREFETCH_ROWS < n:
        prefetch(index, hashes[i + 3 * _PREFETCH_ROWS] & mask)
    if 0 <= i + 2 * _PREFETCH_ROWS < n:
        slot = (index[hashes[i + 2 * _PREFETCH_ROWS] & mask] & _SLOT_MASK) - 1
        if slot >= 0:
            prefetch(entries, slot * ENTRY_WORDS)
    if 0 <= i + _PREFETCH_ROWS < n:
        slot = (index[hashes[i + _PREFETCH_ROWS] & mask] & _SLOT_MASK) - 1
        if slot >= 0:
            prefetch(arena, entries[slot, START])
            prefetch(versions, slot)


@inlined
def _slot_of(data: U8, start: Int, length: Int, h: Int, index: I64, entries: I64, arena: U8) -> tuple[Int, Int]:
    """(slot, where the index says so) of an id, (-1, where it would go) if it is unknown."""
    mask = len(index) - 1
    tag = h & ~np.int64(_SLOT_MASK)
    at = h & mask
    found = np.int64(-1)
    while index[at] != 0 and found < 0:
        slot = (index[at] & _SLOT_MASK) - 1
        if (index[at] & ~np.int64(_SLOT_MASK)) == tag and entries[slot, HASH] == h and entries[slot, LENGTH] == length:
            same = _same_key(data, start, length, arena, entries[slot, START])
            if same:
                found = slot
        if found < 0:
            at = (at + 1) & mask
    return found, at


@part
def _forget(slot: Int, index: I64, entries: I64, marks: U8, used: I64) -> None:
    """Take an id out of the index. The index words behind it move up, so that a search may still stop at the first empty word."""
    mask = len(index) - 1
    hole = entries[slot, HASH] & mask
    while (index[hole] & _SLOT_MASK) - 1 != slot:
        hole = (hole + 1) & mask
    at = (hole + 1) & mask
    while index[at] != 0:
        home = entries[(index[at] & _SLOT_MASK) - 1, HASH] & mask
        if ((at - home) & mask) >= ((at - hole) & mask):
            index[hole] = index[at]
            hole = at
        at = (at + 1) & mask
    index[hole] = 0
    marks[slot] = FORGOTTEN
    used[GONE] += 1


@inlined
def _sweep(clock: Int, idle_us: Int, index: I64, entries: I64, marks: U8, used: I64) -> None:
    """Look at the next slots in a circle and forget idle ids."""
    for _ in range(_LOOKS):
        if used[SWEEP] >= used[SLOTS]:
            used[SWEEP] = 0
        slot = used[SWEEP]
        if slot < used[SLOTS] and marks[slot] == KNOWN and clock - entries[slot, MET] > idle_us:
            _forget(slot, index, entries, marks, used)
        used[SWEEP] += 1


@inlined
def _take_slot(free: I32, used: I64) -> Int:
    slot = used[SLOTS]
    if used[OPEN] > 0:
        used[OPEN] -= 1
        slot = np.int64(free[used[OPEN]])
    else:
        used[SLOTS] += 1
    return slot


@inlined
def _count_event(slot: Int, time: Int, clock: Int, entries: I64) -> None:
    if entries[slot, EVENTS] == 0 or time < entries[slot, FIRST_SEEN]:
        entries[slot, FIRST_SEEN] = time
    if entries[slot, EVENTS] == 0 or time > entries[slot, LAST_SEEN]:
        entries[slot, LAST_SEEN] = time
    entries[slot, EVENTS] += 1
    entries[slot, MET] = clock


@part
def _hash_facts(data: U8, starts: I64, lengths: I32, facts: NDArray[np.bool_], hashes: I64) -> tuple[Int, Int]:
    """Hash the ids of facts; the number of facts, and the bytes of their ids."""
    count, size = np.int64(0), np.int64(0)
    for i in range(len(starts)):
        hashes[i] = 0
        if facts[i]:
            count += 1
            if lengths[i] >= 0:
                size += lengths[i]
                hashes[i] = np.int64(hash64(data, starts[i], np.int64(lengths[i]), 0))
    return count, size


@kernel
def fold_ids(
    data: U8,
    starts: I64,
    lengths: I32,
    facts: NDArray[np.bool_],
    ordinals: I64,
    times: I64,
    clocks: I64,
    idle_us: int,
    version: int,
    index: I64,
    entries: I64,
    arena: U8,
    marks: U8,
    free: I32,
    used: I64,
    versions: I32,
    hashes: I64,
    slots: I32,
) -> bool:
    """Fold the ids of rows in row order: slots[i] = slot of id i, a new slot if the id is unknown or idle; -1 for null and where not facts.

    The graph row of the slot counts the row, and its version becomes `version`. False and nothing is changed if there is no room for as
    many new ids as there are facts. All hashes come first (into `hashes`, scratch), so that the lines that a row needs can be prefetched
    while earlier rows are looked up; rows before the first do nothing else.
    """
    n = len(starts)
    if n > len(hashes):
        return False
    count, size = _hash_facts(data, starts, lengths, facts, hashes)
    if used[SLOTS] + count > min(len(entries), len(versions)) or used[BYTES] + size > len(arena):
        return False
    for i in range(-3 * _PREFETCH_ROWS, n):
        _prefetch_rows(hashes, i, n, index, entries, arena, versions)
        if i < 0:
            continue
        slots[i] = -1
        length = np.int64(lengths[i])
        if facts[i]:
            _sweep(clocks[i], idle_us, index, entries, marks, used)
        if length < 0 or not facts[i]:
            continue
        slot, at = _slot_of(data, starts[i], length, hashes[i], index, entries, arena)
        if slot >= 0 and clocks[i] - entries[slot, MET] > idle_us:
            _forget(slot, index, entries, marks, used)
            slot, at = _slot_of(data, starts[i], length, hashes[i], index, entries, arena)
        if slot < 0:
            slot = _take_slot(free, used)
            index[at] = (hashes[i] & ~np.int64(_SLOT_MASK)) | (slot + 1)
            entries[slot, HASH], entries[slot, START], entries[slot, LENGTH] = hashes[i], used[BYTES], length
            entries[slot, BORN], entries[slot, EVENTS], marks[slot] = ordinals[i], 0, KNOWN
            for k in range(length):
                arena[used[BYTES] + k] = data[starts[i] + k]
            used[BYTES] += length
        _count_event(slot, times[i], clocks[i], entries)
        versions[slot] = version
        slots[i] = slot
    return True


@kernel
def find(ids: tuple[U8, I64, I32], index: I64, entries: I64, arena: U8, slots: I32) -> None:
    """slots[i] = slot of id i, -1 where null or unknown."""
    data, starts, lengths = ids
    for i in range(len(starts)):
        slots[i] = -1
        length = np.int64(lengths[i])
        if length >= 0:
            slots[i] = _slot_of(data, starts[i], length, np.int64(hash64(data, starts[i], length, 0)), index, entries, arena)[0]


@kernel
def hash_keys(ids: tuple[U8, I64, I32], entries: I64) -> None:
    """Fill in the hashes of entries from their ids."""
    data, starts, lengths = ids
    for slot in range(len(starts)):
        entries[slot, HASH] = np.int64(hash64(data, starts[slot], np.int64(lengths[slot]), 0))


@kernel
def reindex(entries: I64, marks: U8, count: int, index: I64) -> None:
    """Fill an empty index with the slots of known ids."""
    mask = len(index) - 1
    for slot in range(count):
        if marks[slot] != KNOWN:
            continue
        h = entries[slot, HASH]
        at = h & mask
        while index[at] != 0:
            at = (at + 1) & mask
        index[at] = (h & ~np.int64(_SLOT_MASK)) | (slot + 1)
