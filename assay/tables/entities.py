"""Entity ids and the entity graph projection: a text id becomes a slot, and is forgotten when it has been idle for long.

An id is idle once the table's clock is more than `idle_us` past the time it was last met. It dies when it is met idle (and
is then a new id), or when a hand that looks at some slots per row comes by, so that what is held does not grow with time.
Its slot goes to another id only after `reclaim`: until then others may still speak of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8, Strings
from assay.codecs.kernel import frozen
from assay.codecs.table_state import all_within, state_refused
from assay.tables import entity_index
from assay.tables.entity_index import (
    BORN,
    BURIED,
    BYTES,
    CHANGED,
    DEAD,
    ENTRY_WORDS,
    EVENTS,
    FIRST_SEEN,
    FREE,
    GONE,
    HAND,
    KNOWN,
    LAST_SEEN,
    LENGTH,
    MET,
    OPEN,
    SLOTS,
    START,
)
from assay.tables.growth import grown

_FIRST_SLOTS = 64
#: a row that never comes
NOBODYS = 2**62


class EntityTable:
    """Ids and graph rows of one entity. Ids idle for more than `idle_us` are forgotten."""

    def __init__(self, name: str, idle_us: int) -> None:
        self.name = name
        self.idle_us = idle_us
        self._used = np.zeros(5, np.int64)
        self._index = np.zeros(2 * _FIRST_SLOTS, np.int64)
        self._entries = np.zeros((_FIRST_SLOTS, ENTRY_WORDS), np.int64)
        self._marks = np.zeros(_FIRST_SLOTS, np.uint8)
        self._free = np.zeros(_FIRST_SLOTS, np.int32)
        self._arena = np.zeros(_FIRST_SLOTS * 16, np.uint8)

    @property
    def slots(self) -> int:
        """Slots ever taken: every slot is below this."""
        return int(self._used[SLOTS])

    @property
    def count(self) -> int:
        """Ids known."""
        return int(self._used[SLOTS] - self._used[GONE] - self._used[OPEN])

    def resolve(self, ids: Strings, wanted: NDArray[np.bool_], rows: I64, clocks: I64) -> I32:
        """Slot of each wanted id, int32 (n,); an unknown id gets a new one, a null or unwanted one -1.

        `rows` numbers the rows of the lane, `clocks` is the table's clock at each; both never fall.
        """
        self._reserve(int(np.count_nonzero(wanted)), int(np.maximum(ids.lengths, 0).sum(where=wanted, dtype=np.int64)))
        slots, hashes = np.empty(len(ids.lengths), np.int32), np.empty(len(ids.lengths), np.int64)
        entity_index.resolve(
            _text(ids),
            frozen(wanted, np.bool_),
            frozen(rows, np.int64),
            frozen(clocks, np.int64),
            self.idle_us,
            self._index,
            self._entries,
            self._arena,
            self._marks,
            self._free,
            self._used,
            hashes,
            slots,
        )
        return slots

    def find(self, ids: Strings) -> I32:
        """Slot of each id, -1 where null or unknown; nothing is added."""
        slots = np.empty(len(ids.lengths), np.int32)
        entity_index.find(_text(ids), self._index, self._entries, self._arena, slots)
        return slots

    def observe(self, slots: I32, times: I64) -> None:
        """Count one event at `times[i]` for each slot that is not -1."""
        entity_index.observe(frozen(slots, np.int32), frozen(times, np.int64), self._entries, self._marks)

    def ids(self, slots: NDArray[np.integer]) -> Strings:
        """Ids of slots."""
        return Strings(self._arena, self._entries[slots, START], self._entries[slots, LENGTH].astype(np.int32))

    def graph(self, slots: NDArray[np.integer]) -> tuple[I64, I64, I64]:
        """first_seen_us, last_seen_us and event counts of slots."""
        return self._entries[slots, FIRST_SEEN], self._entries[slots, LAST_SEEN], self._entries[slots, EVENTS]

    def born(self, slots: NDArray[np.integer]) -> I64:
        """The row from which on a slot is its id's; later than any while it is nobody's."""
        rows: I64 = self._entries[slots, BORN]
        return rows

    def is_idle(self, slot: int, clock: int) -> bool:
        """Whether the id of a slot would be a new one, were it met now."""
        return bool(clock - self._entries[slot, MET] > self.idle_us)

    def lives(self) -> NDArray[np.bool_]:
        """bool (slots,): whether a slot is that of a known id."""
        lives: NDArray[np.bool_] = self._marks[: self.slots] <= CHANGED
        return lives

    def take_changed(self) -> NDArray[np.intp]:
        """Slots of known ids observed since the last call, ascending."""
        slots = np.flatnonzero(self._marks[: self.slots] == CHANGED)
        self._marks[slots] = KNOWN
        return slots

    def take_dead(self) -> NDArray[np.intp]:
        """Slots of ids that died since the last call, ascending; their ids can be read until the next `reclaim`."""
        slots = np.flatnonzero(self._marks[: self.slots] == DEAD)
        self._marks[slots] = BURIED
        return slots

    def reclaim(self) -> NDArray[np.intp]:
        """Slots that new ids may take from now on: those of the dead, once they are a quarter of all, else none."""
        if 4 * int(self._used[GONE]) < self.slots + _FIRST_SLOTS:
            return np.empty(0, np.intp)
        slots = np.flatnonzero(self._marks[: self.slots] == BURIED)
        self._marks[slots], self._entries[slots, BORN] = FREE, NOBODYS
        first = int(self._used[OPEN])
        self._free[first : first + len(slots)] = slots[::-1]
        self._used[OPEN] += len(slots)
        self._used[GONE] -= len(slots)
        self._pack_arena()
        return slots

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold the whole state, free of spare room; ids of the dead are in it until they were told."""
        n, marks = self.slots, self._marks[: self.slots]
        named = marks <= DEAD
        return {
            "arena": self.ids(np.flatnonzero(named)).compact().data,
            "lengths": np.where(named, self._entries[:n, LENGTH], 0),
            "rows": self._entries[:n, FIRST_SEEN : MET + 1],
            "marks": marks,
            "free": self._free[: int(self._used[OPEN])],
            "hand": self._used[HAND : HAND + 1],
        }

    @classmethod
    def from_state(cls, name: str, idle_us: int, state: dict[str, NDArray[Any]]) -> EntityTable:
        """The inverse of `state`. Raises Stop(STATE_UNREADABLE) for places outside of the arrays: machine code would go there."""
        table = cls(name, idle_us)
        n, lengths, marks = len(state["marks"]), state["lengths"], state["marks"]
        if (
            lengths.min(initial=0) < 0
            or lengths.sum() != len(state["arena"])
            or marks.max(initial=0) > FREE
            or not all_within(state["free"], n)
            or not all_within(state["hand"], n + 2)  # of no slots it stands behind the first
        ):
            raise state_refused(f"does not fit its {n} ids of entity {name}")
        table._reserve(n, len(state["arena"]))
        table._arena[: len(state["arena"])] = state["arena"]
        table._entries[:n, LENGTH] = lengths
        table._entries[:n, START] = np.cumsum(lengths) - lengths
        table._entries[:n, FIRST_SEEN : MET + 1], table._marks[:n] = state["rows"], marks
        table._free[: len(state["free"])] = state["free"]
        gone = np.count_nonzero((marks == DEAD) | (marks == BURIED))
        table._used[:] = n, len(state["arena"]), int(state["hand"][0]), gone, len(state["free"])
        ids = table.ids(np.arange(n))
        entity_index.hash_keys(_text(ids), table._entries)
        entity_index.reindex(table._entries, table._marks, n, table._index)
        return table

    def _pack_arena(self) -> None:
        """Drop the bytes of ids whose slots are free."""
        slots = np.flatnonzero(self._marks[: self.slots] != FREE)
        packed = self.ids(slots).compact()
        self._arena[: len(packed.data)] = packed.data
        self._entries[slots, START] = packed.starts
        self._used[BYTES] = len(packed.data)

    def _reserve(self, more: int, more_bytes: int) -> None:
        """Room for `more` ids of together `more_bytes`, so that the kernel never has to stop."""
        self._arena = grown(self._arena, int(self._used[BYTES]) + more_bytes)
        needed = self.slots + more
        if needed <= len(self._entries):
            return
        self._entries, self._marks, self._free = grown(self._entries, needed), grown(self._marks, needed), grown(self._free, needed)
        self._index = np.zeros(2 * len(self._entries), np.int64)
        entity_index.reindex(self._entries, self._marks, self.slots, self._index)


def _text(ids: Strings) -> tuple[U8, I64, I32]:
    return frozen(ids.data, np.uint8), frozen(ids.starts, np.int64), frozen(ids.lengths, np.int32)
