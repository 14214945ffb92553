"""Window state of one entity: its lines, its pair tables, and the fold of a batch over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8
from assay.codecs.kernel import frozen
from assay.codecs.table_state import all_within, fill, state_refused
from assay.tables.distinct import PairTable
from assay.tables.feature_plan import BUCKETS, CELLS, CURRENT, EVENTS, FIELDS, RESOLUTION, SQUARES, SUM, TOTAL, EntityPlan
from assay.tables.growth import grown
from assay.tables.row_versions import RowVersions
from assay.tables.windows import NO_ELEMENT, fold_windows

_FIRST_SLOTS = 64
#: largest sum, and largest upper limb of a sum of squares, that a ring may hold
SUM_MAX = 2**63 - 1
LIMB_BITS = 32


class EntityWindows:
    """Lines of one entity, one per slot, and the pairs its distinct counts need. The entity graph gives and frees the slots."""

    def __init__(self, plan: EntityPlan) -> None:
        self.plan = plan
        self.lines = np.zeros((_FIRST_SLOTS, plan.width), np.int64)
        self.versions = RowVersions()
        self.pairs = tuple(PairTable() for _ in plan.pair_entities)

    def fold(
        self,
        roles: U8,
        slots: I32,
        elements: tuple[I32, ...],
        times: I64,
        buckets: I64,
        amounts: I64,
        values: tuple[I64, NDArray[np.float64]],
        sequence: int,
    ) -> None:
        """Fold rows of journal record `sequence` in order. `elements[p]` are the slots of the other entity of pair p; `values` the two
        output matrices."""
        self.reserve(int(slots.max(initial=-1)) + 1)
        previous = np.full((len(slots), len(self.pairs)), NO_ELEMENT, np.int64)
        for column, other in enumerate(elements):
            self._make_room(column, len(slots))
            self.pairs[column].fold(slots, other, times, previous, column)
        plan, version = self.plan, self.versions.stamp(sequence)
        fold_windows(
            self.lines.reshape(-1),
            plan.width,
            plan.rings,
            plan.windows,
            plan.distincts,
            plan.reads,
            plan.since,
            frozen(roles, np.uint8),
            frozen(slots, np.int32),
            frozen(times, np.int64),
            frozen(buckets, np.int64),
            frozen(amounts, np.int64),
            frozen(previous, np.int64),
            *values,
            self.versions.stamps,
            version,
            np.zeros(len(slots), np.uint8),
        )

    def reserve(self, slots: int) -> None:
        """Room for this many slots."""
        self.lines = grown(self.lines, slots)
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

    def _make_room(self, column: int, more: int) -> None:
        if not self.pairs[column].has_room(more):
            self.pairs[column].rebuild(self._counted(column), more)

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
