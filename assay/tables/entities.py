"""Entity ids and the entity graph projection: a text id becomes a slot, numbered in the order of first appearance.

An open-addressing index of 64-bit words (upper half of the hash, slot + 1) points to one entry per slot, 64 bytes: where
the key's bytes lie in an arena, and the graph row: when the id was first and last seen and in how many events. A match is
decided by comparing the bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8, Strings
from assay.codecs.kernel import Int, frozen, inlined, kernel
from assay.codecs.words import load64, prefetch
from assay.tables.growth import grown
from assay.tables.text_hash import hash64

_SLOT_MASK = 0xFFFFFFFF
_FIRST_SLOTS = 64
#: rows between asking for a line and using it
_AHEAD = 6
#: words of an entry; two are spare, so that an entry is one cache line
_HASH, _START, _LENGTH, _FIRST_SEEN, _LAST_SEEN, _EVENTS, _ENTRY_WORDS = 0, 1, 2, 3, 4, 5, 8


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
def _ask_ahead(hashes: I64, i: Int, index: I64, entries: I64, arena: U8) -> None:
    """Prefetch the index word of a row to come, the entry of a nearer one, the key bytes of the nearest."""
    mask = len(index) - 1
    if i + 3 * _AHEAD < len(hashes):
        prefetch(index, hashes[i + 3 * _AHEAD] & mask)
    if i + 2 * _AHEAD < len(hashes):
        slot = (index[hashes[i + 2 * _AHEAD] & mask] & _SLOT_MASK) - 1
        if slot >= 0:
            prefetch(entries, slot * _ENTRY_WORDS)
    if i + _AHEAD < len(hashes):
        slot = (index[hashes[i + _AHEAD] & mask] & _SLOT_MASK) - 1
        if slot >= 0:
            prefetch(arena, entries[slot, _START])


@kernel
def _resolve(
    ids: tuple[U8, I64, I32],
    wanted: NDArray[np.bool_],
    insert: bool,
    index: I64,
    entries: I64,
    arena: U8,
    used: I64,
    hashes: I64,
    slots: I32,
) -> None:
    """slots[i] = slot of id i, -1 where null, not wanted or (without `insert`) unknown. `used` = [slots, arena bytes].

    All hashes come first (into `hashes`), so that the lines a row needs can be asked for while earlier rows are looked up.
    """
    data, starts, lengths = ids
    mask = len(index) - 1
    for i in range(len(starts)):
        hashes[i] = np.int64(hash64(data, starts[i], np.int64(lengths[i]), 0)) if wanted[i] and lengths[i] >= 0 else 0
    for i in range(len(starts)):
        _ask_ahead(hashes, i, index, entries, arena)
        slots[i] = -1
        length = np.int64(lengths[i])
        if length < 0 or not wanted[i]:
            continue
        start = starts[i]
        h = hashes[i]
        tag = h & ~np.int64(_SLOT_MASK)
        at = h & mask
        while index[at] != 0:
            slot = (index[at] & _SLOT_MASK) - 1
            if (index[at] & ~np.int64(_SLOT_MASK)) == tag and entries[slot, _HASH] == h and entries[slot, _LENGTH] == length:
                same = _same_key(data, start, length, arena, entries[slot, _START])
                if same:
                    slots[i] = slot
                    break
            at = (at + 1) & mask
        if slots[i] < 0 and insert:
            slot = used[0]
            index[at] = tag | (slot + 1)
            entries[slot, _HASH], entries[slot, _START], entries[slot, _LENGTH] = h, used[1], length
            for k in range(length):
                arena[used[1] + k] = data[start + k]
            used[0] += 1
            used[1] += length
            slots[i] = slot


@kernel
def _reindex(entries: I64, count: int, index: I64) -> None:
    mask = len(index) - 1
    for slot in range(count):
        h = entries[slot, _HASH]
        at = h & mask
        while index[at] != 0:
            at = (at + 1) & mask
        index[at] = (h & ~np.int64(_SLOT_MASK)) | (slot + 1)


@kernel
def _observe(slots: I32, times: I64, entries: I64, touched: U8) -> None:
    for i in range(len(slots)):
        slot = slots[i]
        if slot < 0:
            continue
        if entries[slot, _EVENTS] == 0 or times[i] < entries[slot, _FIRST_SEEN]:
            entries[slot, _FIRST_SEEN] = times[i]
        if entries[slot, _EVENTS] == 0 or times[i] > entries[slot, _LAST_SEEN]:
            entries[slot, _LAST_SEEN] = times[i]
        entries[slot, _EVENTS] += 1
        touched[slot] = 1


class EntityTable:
    """Ids and graph rows of one entity. Slots are dense: 0 up to `count`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._used = np.zeros(2, np.int64)
        self._index = np.zeros(2 * _FIRST_SLOTS, np.int64)
        self._entries = np.zeros((_FIRST_SLOTS, _ENTRY_WORDS), np.int64)
        self._arena = np.zeros(_FIRST_SLOTS * 16, np.uint8)
        self._touched = np.zeros(_FIRST_SLOTS, np.uint8)

    @property
    def count(self) -> int:
        """Ids known so far."""
        return int(self._used[0])

    @property
    def capacity(self) -> int:
        """Slots there is room for; doubles when passed."""
        return len(self._entries)

    def resolve(self, ids: Strings, wanted: NDArray[np.bool_]) -> I32:
        """Slot of each wanted id, int32 (n,); an unknown id gets the next slot, a null or unwanted one -1."""
        self._reserve(int(np.count_nonzero(wanted)), int(np.maximum(ids.lengths, 0).sum(where=wanted, dtype=np.int64)))
        return self._walk(ids, wanted, insert=True)

    def find(self, ids: Strings) -> I32:
        """Slot of each id, -1 where null or unknown; nothing is added."""
        return self._walk(ids, np.ones(len(ids.lengths), np.bool_), insert=False)

    def observe(self, slots: I32, times: I64) -> None:
        """Count one event at `times[i]` for each slot that is not -1."""
        _observe(frozen(slots, np.int32), frozen(times, np.int64), self._entries, self._touched)

    def ids(self, slots: NDArray[np.integer]) -> Strings:
        """Ids of slots."""
        return Strings(self._arena, self._entries[slots, _START], self._entries[slots, _LENGTH].astype(np.int32))

    def graph(self, slots: NDArray[np.integer]) -> tuple[I64, I64, I64]:
        """first_seen_us, last_seen_us and event counts of slots."""
        return self._entries[slots, _FIRST_SEEN], self._entries[slots, _LAST_SEEN], self._entries[slots, _EVENTS]

    def take_touched(self) -> NDArray[np.intp]:
        """Slots observed since the last call, ascending."""
        slots = np.flatnonzero(self._touched[: self.count])
        self._touched[: self.count] = 0
        return slots

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold the whole state, free of spare room."""
        n = self.count
        return {
            "arena": self._arena[: int(self._used[1])],
            "lengths": self._entries[:n, _LENGTH],
            "graph": self._entries[:n, _FIRST_SEEN : _EVENTS + 1],
            "touched": self._touched[:n],
        }

    @classmethod
    def from_state(cls, name: str, state: dict[str, NDArray[Any]]) -> EntityTable:
        """The inverse of `state`."""
        table = cls(name)
        lengths = state["lengths"].astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        keys = Strings(state["arena"].astype(np.uint8), starts[:-1], lengths.astype(np.int32))
        table.resolve(keys, np.ones(len(lengths), np.bool_))
        n = len(lengths)
        table._entries[:n, _FIRST_SEEN : _EVENTS + 1], table._touched[:n] = state["graph"], state["touched"]
        return table

    def _walk(self, ids: Strings, wanted: NDArray[np.bool_], *, insert: bool) -> I32:
        slots, hashes = np.empty(len(ids.lengths), np.int32), np.empty(len(ids.lengths), np.int64)
        text = (frozen(ids.data, np.uint8), frozen(ids.starts, np.int64), frozen(ids.lengths, np.int32))
        _resolve(text, frozen(wanted, np.bool_), insert, self._index, self._entries, self._arena, self._used, hashes, slots)
        return slots

    def _reserve(self, more: int, more_bytes: int) -> None:
        """Room for `more` ids of together `more_bytes`, so that the kernel never has to stop."""
        if int(self._used[1]) + more_bytes > len(self._arena):
            self._arena = grown(self._arena, int(self._used[1]) + more_bytes)
        needed = self.count + more
        if needed <= self.capacity:
            return
        self._entries, self._touched = grown(self._entries, needed), grown(self._touched, needed)
        self._index = np.zeros(2 * self.capacity, np.int64)
        _reindex(self._entries, self.count, self._index)
