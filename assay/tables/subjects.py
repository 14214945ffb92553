"""What a label needs of the payment it speaks of: its time and the slots of its label entities.

Payments are addressed by the ordinal `SeenIds` gave them, in a ring that holds the ordinals it still remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64
from assay.codecs.table_state import state_refused
from assay.tables.growth import power_of_two

#: what is known of an ordinal
UNKNOWN, FOLDED, FRAUD = 0, 1, 2
_FIRST_ROWS = 64


class Subjects:
    """Ordinals `base` up to `end`; `entities` slots each."""

    def __init__(self, entities: int) -> None:
        self._base = self._end = 0
        self._times = np.zeros(_FIRST_ROWS, np.int64)
        self._slots = np.zeros((_FIRST_ROWS, entities), np.int32)
        self._state = np.zeros(_FIRST_ROWS, np.uint8)

    def extend(self, end: int) -> None:
        """Room for ordinals up to `end` (exclusive); nothing is known of the new ones."""
        if end - self._base > len(self._times):
            self._grow(end - self._base)
        if end > self._end:
            self._state[self._at(np.arange(self._end, end))] = UNKNOWN
            self._end = end

    def forget(self, base: int) -> None:
        """Ordinals before `base` are asked for no more."""
        self._base = max(self._base, min(base, self._end))

    def remember(self, ordinals: I64, times: I64, slots: I32) -> None:
        """Payments folded under these ordinals: times int64 (n,), slots int32 (n, entities)."""
        at = self._at(ordinals)
        self._times[at], self._slots[at], self._state[at] = times, slots, FOLDED

    def known(self, ordinals: I64) -> NDArray[np.bool_]:
        """Whether the payment of each ordinal was folded; -1 is unknown."""
        known: NDArray[np.bool_] = (ordinals >= self._base) & (self._state[self._at(ordinals)] != UNKNOWN)
        return known

    def mark_fraud(self, ordinals: I64) -> NDArray[np.bool_]:
        """Mark known payments as fraud; True where the ordinal is marked for the first time (in row order)."""
        at = self._at(ordinals)
        first = np.zeros(len(ordinals), np.bool_)
        first[np.unique(ordinals, return_index=True)[1]] = True
        first &= self._state[at] != FRAUD
        self._state[at] = FRAUD
        return first

    def of(self, ordinals: I64) -> tuple[I64, I32]:
        """Times and slots of known payments."""
        at = self._at(ordinals)
        return self._times[at], self._slots[at]

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold the whole state, free of spare room."""
        at = self._at(np.arange(self._base, self._end))
        known = self._state[at] != UNKNOWN
        return {
            "range": np.array([self._base, self._end], np.int64),
            "times": np.where(known, self._times[at], 0),
            "slots": np.where(known[:, None], self._slots[at], 0).astype(np.int32),
            "state": self._state[at],
        }

    @classmethod
    def from_state(cls, slots: Sequence[int], state: dict[str, NDArray[Any]]) -> Subjects:
        """The inverse of `state`; `slots` are the slots of each label entity. Raises Stop(STATE_UNREADABLE)."""
        table = cls(len(slots))
        table._base, end = (int(bound) for bound in state["range"])
        if table._base < 0 or end - table._base != len(state["state"]):
            raise state_refused(f"has subjects {table._base} to {end} and {len(state['state'])} rows of them")
        held = state["slots"]
        if (held.min(axis=0, initial=-1) < -1).any() or (held.max(axis=0, initial=-1) >= np.maximum(slots, 1)).any():
            raise state_refused("has payments of slots that no id has")
        table._end = table._base
        table.extend(end)
        at = table._at(np.arange(table._base, end))
        table._times[at], table._slots[at], table._state[at] = state["times"], state["slots"], state["state"]
        return table

    def _at(self, ordinals: NDArray[Any]) -> NDArray[Any]:
        return ordinals & (len(self._times) - 1)

    def _grow(self, needed: int) -> None:
        held = np.arange(self._base, self._end)
        old_at, size = self._at(held), power_of_two(needed)
        old = (self._times[old_at], self._slots[old_at], self._state[old_at])
        self._times = np.zeros(size, np.int64)
        self._slots = np.zeros((size, old[1].shape[1]), np.int32)
        self._state = np.zeros(size, np.uint8)
        at = self._at(held)
        self._times[at], self._slots[at], self._state[at] = old
