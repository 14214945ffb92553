"""Entity table: the ids of one entity, their slots, and their graph rows (first and last event time, number of events).

The table is owned by the entity graph (`entity_graph`). An id is idle when the table's clock is more than `idle_us` past the last row
with this id. An idle id is forgotten: it leaves the index when it comes again (it is then a new id with a new slot), or when the sweep,
which looks at a few slots per row, finds it. So memory does not grow with time. The slot of a forgotten id stays reserved until `evict`
frees it: until then the windows of the slot still belong to the forgotten id.
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
    BYTES,
    ENTRY_WORDS,
    EVENTS,
    FIRST_SEEN,
    FORGOTTEN,
    FREE,
    GONE,
    KNOWN,
    LAST_SEEN,
    LENGTH,
    MET,
    OPEN,
    SLOTS,
    START,
    SWEEP,
    TOLD,
)
from assay.tables.growth import grown
from assay.tables.row_versions import RowVersions

_FIRST_SLOTS = 64
#: an ordinal that never comes
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
        self._hashes = np.empty(_FIRST_SLOTS, np.int64)
        self._versions = RowVersions()

    @property
    def slots(self) -> int:
        """Slots ever taken: every slot is below this."""
        return int(self._used[SLOTS])

    @property
    def count(self) -> int:
        """Ids known."""
        return int(self._used[SLOTS] - self._used[GONE] - self._used[OPEN])

    def fold(self, ids: Any, facts: NDArray[np.bool_], ordinals: I64, times: I64, clocks: I64, sequence: int) -> I32:
        """Fold rows in order: the slot of each id, int32 (n,); an unknown id takes a new slot. -1 for null and for rows not in `facts`.

        `ids` is a text column. `ordinals` number the rows of the lane, `times` are their event times, `clocks` is the table's clock at
        each row; ordinals and clocks never fall. `facts` and `clocks` may be longer than n. `sequence` is that of the journal record, the
        version of every graph row that changes.
        """
        data, starts, lengths = ids
        slots, version = np.empty(len(starts), np.int32), self._versions.stamp(sequence)
        while True:
            folded = entity_index.fold_ids(
                data,
                starts,
                lengths,
                facts,
                ordinals,
                times,
                clocks,
                self.idle_us,
                version,
                self._index,
                self._entries,
                self._arena,
                self._marks,
                self._free,
                self._used,
                self._versions.stamps,
                self._hashes,
                slots,
            )
            if folded:
                return slots
            self._make_room(lengths, facts[: len(starts)])

    def find(self, ids: Strings) -> I32:
        """Slot of each id, -1 where null or unknown; nothing is added."""
        slots = np.empty(len(ids.lengths), np.int32)
        entity_index.find(_text(ids), self._index, self._entries, self._arena, slots)
        return slots

    def ids(self, slots: NDArray[np.integer]) -> Strings:
        """Ids of slots, in the read-only memory of the table: valid until the next `fold` or `evict`."""
        return Strings(frozen(self._arena, np.uint8), self._entries[slots, START], self._entries[slots, LENGTH].astype(np.int32))

    def graph(self, slots: NDArray[np.integer]) -> tuple[I64, I64, I64]:
        """first_seen_us, last_seen_us and event counts of slots."""
        return self._entries[slots, FIRST_SEEN], self._entries[slots, LAST_SEEN], self._entries[slots, EVENTS]

    def births(self) -> I64:
        """Ordinal of the row with which the id of each slot took it; for a free slot later than any. A read-only view with spare room."""
        births: I64 = self._entries[:, BORN]
        births.flags.writeable = False
        return births

    def known(self, slots: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each slot is that of a known id."""
        known: NDArray[np.bool_] = self._marks[slots] == KNOWN
        return known

    def changed_since(self, sequence: int) -> NDArray[np.intp]:
        """Slots of known ids whose graph row a later journal record than `sequence` changed, ascending."""
        slots = self._versions.changed_since(sequence)
        return slots[self.known(slots)]

    def tell(self) -> NDArray[np.intp]:
        """Slots of ids forgotten since the last call, ascending. Their ids can be read until `evict` frees the slots."""
        slots = np.flatnonzero(self._marks[: self.slots] == FORGOTTEN)
        self._marks[slots] = TOLD
        return slots

    def evict(self) -> NDArray[np.intp]:
        """Free the slots of the ids that were told, once forgotten ids hold a quarter of all slots; the freed slots, ascending.

        Clearing windows and pairs of freed slots goes over whole tables, so it waits until a quarter is worth it.
        """
        if 4 * int(self._used[GONE]) < self.slots + _FIRST_SLOTS:
            return np.empty(0, np.intp)
        slots = np.flatnonzero(self._marks[: self.slots] == TOLD)
        self._marks[slots], self._entries[slots, BORN] = FREE, NOBODYS
        first = int(self._used[OPEN])
        self._free = grown(self._free, first + len(slots))
        self._free[first : first + len(slots)] = slots[::-1]
        self._used[OPEN] += len(slots)
        self._used[GONE] -= len(slots)
        self._pack_arena()
        return slots

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold the whole state, free of spare room; the ids of forgotten ids are in it until they were told."""
        n, marks = self.slots, self._marks[: self.slots]
        named = marks <= FORGOTTEN
        return {
            "arena": self.ids(np.flatnonzero(named)).compact().data,
            "lengths": np.where(named, self._entries[:n, LENGTH], 0),
            "rows": self._entries[:n, FIRST_SEEN : MET + 1],
            "marks": marks,
            "free": self._free[: int(self._used[OPEN])],
            "sweep": self._used[SWEEP : SWEEP + 1],
            **self._versions.state(n),
        }

    @classmethod
    def from_state(cls, name: str, idle_us: int, state: dict[str, NDArray[Any]]) -> EntityTable:
        """The inverse of `state`. Raises Stop(STATE_UNREADABLE) for positions outside of the arrays: kernels would write there."""
        table = cls(name, idle_us)
        n, lengths, marks = len(state["marks"]), state["lengths"], state["marks"]
        if (
            lengths.min(initial=0) < 0
            or lengths.sum() != len(state["arena"])
            or marks.max(initial=0) > FREE
            or len(state["versions"]) != n
            or not all_within(state["free"], n)
            or not np.array_equal(np.sort(state["free"]), np.flatnonzero(marks == FREE))
            or not all_within(state["sweep"], n + 2)  # of no slots it stands behind the first
        ):
            raise state_refused(f"does not fit its {n} ids of entity {name}")
        table._versions = RowVersions.from_state(state)
        table._reserve(n, len(state["arena"]))
        table._arena[: len(state["arena"])] = state["arena"]
        table._entries[:n, LENGTH] = lengths
        table._entries[:n, START] = np.cumsum(lengths) - lengths
        table._entries[:n, FIRST_SEEN : MET + 1], table._marks[:n] = state["rows"], marks
        table._free = grown(table._free, len(state["free"]))
        table._free[: len(state["free"])] = state["free"]
        gone = np.count_nonzero((marks == FORGOTTEN) | (marks == TOLD))
        table._used[:] = n, len(state["arena"]), int(state["sweep"][0]), gone, len(state["free"])
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

    def _make_room(self, lengths: I32, facts: NDArray[np.bool_]) -> None:
        """Room for a batch of which every fact names a new id."""
        self._hashes = grown(self._hashes, len(lengths))
        self._reserve(int(np.count_nonzero(facts)), int(np.maximum(lengths, 0).sum(where=facts, dtype=np.int64)))

    def _reserve(self, more: int, more_bytes: int) -> None:
        """Room for `more` ids of together `more_bytes`."""
        self._arena = grown(self._arena, int(self._used[BYTES]) + more_bytes)
        needed = self.slots + more
        self._versions.reserve(needed)
        if needed <= len(self._entries):
            return
        self._entries, self._marks = grown(self._entries, needed), grown(self._marks, needed)
        self._index = np.zeros(2 * len(self._entries), np.int64)
        entity_index.reindex(self._entries, self._marks, self.slots, self._index)


def _text(ids: Strings) -> tuple[U8, I64, I32]:
    return frozen(ids.data, np.uint8), frozen(ids.starts, np.int64), frozen(ids.lengths, np.int32)
