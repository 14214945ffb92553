"""Window state of one entity: its lines, its pair tables, and the fold of a batch over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8
from assay.codecs.table_state import all_within, fill, state_refused
from assay.tables.distinct import PairTable
from assay.tables.feature_plan import BUCKETS, CELLS, CURRENT, EVENTS, FIELDS, RESOLUTION, SQUARES, SUM, TOTAL, EntityPlan
from assay.tables.growth import grown
from assay.tables.row_versions import RowVersions
from assay.tables.windows import fold_windows

_FIRST_SLOTS = 64
#: largest sum, and largest upper limb of a sum of squares, that a ring may hold
SUM_MAX = 2**63 - 1
LIMB_BITS = 32


class CountedRows(NamedTuple):
    """The rows of a batch for the windows of all entities: `roles` uint8, the `times` at which they count, `buckets` (2q, n) of
    `feature_rows`, `fresh` uint8 as scratch, all for n rows or more; `amounts` int64 (n,), the outputs `longs` and `doubles`."""

    roles: U8
    times: I64
    buckets: I64
    fresh: U8
    amounts: I64
    longs: I64
    doubles: NDArray[np.float64]


class EntityWindows:
    """Lines of one entity, one per slot, and the pairs its distinct counts need. The entity graph gives and frees the slots."""

    def __init__(self, plan: EntityPlan) -> None:
        self.plan = plan
        self.lines = np.zeros((_FIRST_SLOTS, plan.width), np.int64)
        self._words = self.lines.reshape(-1)
        self.versions = RowVersions()
        self.pairs = tuple(PairTable() for _ in plan.pair_entities)
        self._previous = np.empty((_FIRST_SLOTS, len(self.pairs)), np.int64)

    def fold(self, rows: CountedRows, keys: I32, elements: Sequence[I32], sequence: int) -> None:
        """Fold rows of journal record `sequence` in order. `keys` (n or more) are the slots for which they count, `elements[p]` (n,) the
        slots of the other entity of pair p."""
        roles, times, buckets, fresh, amounts, longs, doubles = rows
        if len(amounts) > len(self._previous):
            self._previous = grown(self._previous, len(amounts))
        for column, other in enumerate(elements):
            while not self.pairs[column].fold(roles, keys, other, times, self._previous, column):
                self.pairs[column].rebuild(self._counted(column), len(amounts))
        plan, version = self.plan, self.versions.stamp(sequence)
        while True:
            needed = fold_windows(
                self._words,
                plan.width,
                plan.rings,
                plan.windows,
                plan.distincts,
                plan.reads,
                plan.since,
                roles,
                keys,
                times,
                buckets,
                amounts,
                self._previous,
                longs,
                doubles,
                self.versions.stamps,
                version,
                fresh,
            )
            if not needed:
                return
            self.reserve(needed)

    def reserve(self, slots: int) -> None:
        """Room for this many slots."""
        self.lines = grown(self.lines, slots)
        self._words = self.lines.reshape(-1)
        self.versions.reserve(slots)

    def evict(self, freed: Mapping[str, NDArray[np.integer]]) -> None:
        """Clear the lines of freed slots of this entity and drop every pair with a freed slot; `freed` has slots by entity."""
        own = freed.get(self.plan.name, np.empty(0, np.int32))
        for column, other in enumerate(self.plan.pair_entities):
            others = freed.get(other, np.empty(0, np.int32))
            if len(own) or len(others):
                pairs = self._counted(column)
                self.pairs[column].rebuild(pairs[~(np.isin(pairs[:, 0], own) | np.isin(pairs[:, 1], others))], 0)
        held = own[own < len(self.lines)]
        self.lines[held] = 0
        self.versions.clear(held)

    def largest_totals(self) -> tuple[int, int]:
        """Largest sum and largest upper limb of a sum of squares that any ring of any key holds."""
        sums = [int(self.lines[:, ring[TOTAL] + SUM].max()) for ring in self.plan.rings]
        limbs = [int(self.lines[:, ring[TOTAL] + ring[SQUARES]].max()) for ring in self.plan.rings if ring[SQUARES] >= 0]
        return max(sums, default=0), max(limbs, default=0)

    def overflows(self, slot: int, ts: int, amount: int) -> bool:
        """Whether adding one payment would pass what an int64 holds, after what its time expires; nothing is changed."""
        if slot >= len(self.lines):
            return False
        line = self.lines[slot]
        for ring in self.plan.rings:
            total, limb = _held_at(line, ring, ts // int(ring[RESOLUTION]))
            if total + amount > SUM_MAX or limb + (amount * amount >> LIMB_BITS) >= SUM_MAX:
                return True
        return False

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold the whole state, free of spare room and of pairs that left every window."""
        count = self.versions.end()
        arrays: dict[str, NDArray[Any]] = {"lines": self.lines[:count], **self.versions.state(count)}
        return arrays | {f"pairs.{other}": _in_order(self._counted(column)) for column, other in enumerate(self.plan.pair_entities)}

    @classmethod
    def from_state(cls, plan: EntityPlan, slots: Mapping[str, int], state: dict[str, Any]) -> EntityWindows:
        """The inverse of `state`; `slots` counts the slots of each entity. Raises Stop(STATE_UNREADABLE)."""
        table = cls(plan)
        table.versions = RowVersions.from_state(state)
        count = len(state["versions"])
        if not len(state["lines"]) == count <= slots[plan.name]:
            raise state_refused(f"has window lines that do not fit the {slots[plan.name]} slots of entity {plan.name}")
        table.reserve(count)
        fill(table.lines[:count], state["lines"])
        for column, other in enumerate(plan.pair_entities):
            pairs = state[f"pairs.{other}"]
            if not (all_within(pairs[:, 0], count) and all_within(pairs[:, 1], slots[other])):
                raise state_refused(f"has pairs of {plan.name} and {other} that are of no id")
            table.pairs[column].rebuild(pairs, 0)
        return table

    def _counted(self, column: int) -> I64:
        """Pairs that a ring still counts. A pair outside all rings acts as if it had never been: rings only move on."""
        held = self.pairs[column].held()
        counted = np.zeros(len(held), np.bool_)
        for r in self.plan.pair_rings[column]:
            ring = self.plan.rings[r]
            counted |= held[:, 2] // ring[RESOLUTION] > self.lines[held[:, 0], ring[CURRENT]] - ring[BUCKETS]
        kept: I64 = held[counted]
        return kept


def _in_order(pairs: I64) -> I64:
    """Pairs by key slot, then slot of the other entity."""
    ordered: I64 = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return ordered


def _held_at(line: I64, ring: I64, bucket: int) -> tuple[int, int]:
    """Sum and upper limb a ring holds once `bucket` has come; zeros for a bucket that is too late to be counted."""
    current, buckets, fields = int(line[ring[CURRENT]]), int(ring[BUCKETS]), int(ring[FIELDS])
    if line[EVENTS] == 0 or bucket <= current - buckets:
        return 0, 0
    held = np.arange(max(current, bucket) - buckets + 1, current + 1) % buckets
    cells = line[ring[CELLS] : ring[CELLS] + buckets * fields].reshape(buckets, fields)[held]
    return int(cells[:, SUM].sum()), int(cells[:, ring[SQUARES]].sum()) if ring[SQUARES] >= 0 else 0
