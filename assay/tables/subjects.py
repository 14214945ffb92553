"""What a label needs of the payment it speaks of: its time and the slots of its label entities.

Payments are addressed by the ordinal `SeenIds` gave them, in a ring that holds the ordinals it still remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8
from assay.codecs.kernel import kernel
from assay.codecs.table_state import state_refused
from assay.tables.growth import power_of_two
from assay.tables.windows import LABELS, PAYS

#: what is known of an ordinal
UNKNOWN, FOLDED, FRAUD = 0, 1, 2
_FIRST_ROWS = 64


@kernel
def _make_unknown(marks: U8, first: int, end: int) -> None:
    for ordinal in range(first, end):
        marks[ordinal & (len(marks) - 1)] = UNKNOWN


@kernel
def _fold_slots(roles: U8, slots: I32, ordinals: I64, subjects: I64, births: I64, held: I32, column: int, keys: I32) -> None:
    mask = len(held) - 1
    for i in range(len(slots)):
        keys[i] = slots[i]
        if roles[i] == PAYS and ordinals[i] >= 0:
            held[ordinals[i] & mask, column] = slots[i]
        elif roles[i] == LABELS:
            slot = held[subjects[i] & mask, column]
            keys[i] = slot if slot >= 0 and births[slot] <= subjects[i] else -1


class Subjects:
    """Ordinals `base` up to `end`; `entities` slots each. `times` int64 (ring,) and `marks` uint8 (ring,) are folded by `feature_rows`."""

    def __init__(self, entities: int) -> None:
        self.base = self._end = 0
        self.times = np.zeros(_FIRST_ROWS, np.int64)
        self.marks = np.zeros(_FIRST_ROWS, np.uint8)
        self._slots = np.zeros((_FIRST_ROWS, entities), np.int32)

    def extend(self, end: int) -> None:
        """Room for ordinals up to `end` (exclusive); nothing is known of the new ones."""
        if end - self.base > len(self.times):
            self._grow(end - self.base)
        if end > self._end:
            _make_unknown(self.marks, self._end, end)
            self._end = end

    def forget(self, base: int) -> None:
        """Ordinals before `base` are asked for no more."""
        self.base = max(self.base, min(base, self._end))

    def fold_slots(self, roles: U8, slots: I32, ordinals: I64, subjects: I64, births: I64, column: int, keys: I32) -> None:
        """Remember the slots of payments in this column, and write the slot for which each row counts into `keys` (n or more).

        A fraud counts for the slot of its payment, unless the slot was freed since: then for none (-1). `births` say with which ordinal
        the id of each slot took it. The graph frees slots before the rows of a record, so its view at the end of the record answers for
        every row of it.
        """
        _fold_slots(roles, slots, ordinals, subjects, births, self._slots, column, keys)

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold the whole state, free of spare room."""
        at = self._at(np.arange(self.base, self._end))
        known = self.marks[at] != UNKNOWN
        return {
            "range": np.array([self.base, self._end], np.int64),
            "times": np.where(known, self.times[at], 0),
            "slots": np.where(known[:, None], self._slots[at], 0).astype(np.int32),
            "state": self.marks[at],
        }

    @classmethod
    def from_state(cls, slots: Sequence[int], state: dict[str, NDArray[Any]]) -> Subjects:
        """The inverse of `state`; `slots` are the slots of each label entity. Raises Stop(STATE_UNREADABLE)."""
        table = cls(len(slots))
        table.base, end = (int(bound) for bound in state["range"])
        if table.base < 0 or end - table.base != len(state["state"]):
            raise state_refused(f"has subjects {table.base} to {end} and {len(state['state'])} rows of them")
        held = state["slots"]
        if (held.min(axis=0, initial=-1) < -1).any() or (held.max(axis=0, initial=-1) >= np.maximum(slots, 1)).any():
            raise state_refused("has payments of slots that no id has")
        table._end = table.base
        table.extend(end)
        at = table._at(np.arange(table.base, end))
        table.times[at], table._slots[at], table.marks[at] = state["times"], state["slots"], state["state"]
        return table

    def _at(self, ordinals: NDArray[Any]) -> NDArray[Any]:
        return ordinals & (len(self.times) - 1)

    def _grow(self, needed: int) -> None:
        held = np.arange(self.base, self._end)
        old_at, size = self._at(held), power_of_two(needed)
        old = (self.times[old_at], self._slots[old_at], self.marks[old_at])
        self.times = np.zeros(size, np.int64)
        self._slots = np.zeros((size, old[1].shape[1]), np.int32)
        self.marks = np.zeros(size, np.uint8)
        at = self._at(held)
        self.times[at], self._slots[at], self.marks[at] = old
