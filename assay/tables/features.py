"""The feature table: windows, pairs and subjects of a lane, folded a batch at a time.

Payments (kind 4) update windows and read features. Labels (kind 2) add frauds to the bucket of the payment they speak of. Other kinds
change nothing. A batch gives exactly the values that its rows would give one by one.

State is kept per slot. The entity graph owns the slots: it says which slots a row names and which slots it has freed, and this table
clears all that it holds under a freed slot (`evict`) before the slot can come again.

A payment that would overflow a window is refused here and changes no window. The graph has counted it before: it is an event of its
ids, and only the arithmetic of windows cannot take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, Columns
from assay.codecs.table_state import TableState
from assay.contracts.reasons import Reason
from assay.tables.entity_view import EntityView
from assay.tables.entity_windows import SUM_MAX, CountedRows, EntityWindows
from assay.tables.feature_plan import FeaturePlan
from assay.tables.feature_rows import fold_rows, survey
from assay.tables.feature_view import FeatureView
from assay.tables.growth import power_of_two
from assay.tables.row_features import row_features
from assay.tables.row_kinds import PAYMENT
from assay.tables.subjects import Subjects

#: the meaning of a number in `FeatureBatch.refusals`
REFUSALS: Final = (None, Reason.LABEL_SUBJECT_UNKNOWN, Reason.WINDOW_OVERFLOW)
_OVERFLOW = 2
_FIRST_ROWS = 64


class FeatureBatch(NamedTuple):
    """`longs` int64 (n, L) and `doubles` float64 (n, D) in document order; zeros for rows that are not folded payments.
    `refusals` int8 (n,) indexes `REFUSALS`; a refused row changed no window."""

    longs: I64
    doubles: NDArray[np.float64]
    refusals: NDArray[np.int8]


class _Rows(NamedTuple):
    """The part of a batch that is folded: views of columns and of the outputs, all of one length. `slots` has one array per entity."""

    kinds: NDArray[np.int8]
    live: NDArray[np.bool_]
    times: I64
    amounts: I64
    labels: NDArray[np.int8]
    ordinals: I64
    subjects: I64
    longs: I64
    doubles: NDArray[np.float64]
    refusals: NDArray[np.int8]
    slots: tuple[I32, ...]

    def part(self, start: int, stop: int) -> _Rows:
        """Rows from `start` up to `stop` (exclusive)."""
        columns: list[Any] = [column[start:stop] for column in self[:-1]]
        return _Rows._make([*columns, tuple(held[start:stop] for held in self.slots)])


class _Record(NamedTuple):
    """The journal record of a batch: its sequence, and the entity graph as of the end of it."""

    sequence: int
    entities: EntityView


class FeatureTable:
    """Windows and pairs of every entity of a plan, and the payments that a label may speak of."""

    def __init__(self, plan: FeaturePlan) -> None:
        self.plan = plan
        self.windows = tuple(EntityWindows(entity_plan) for entity_plan in plan.entity_plans)
        labelled = plan.document.label_entities
        self._subjects = Subjects(len(labelled))
        #: per entity its column among the slots of subjects, None if no label counts for it, and the entities of its pairs
        self._label_columns = [labelled.index(name) if name in labelled else None for name in plan.entities]
        self._elements = [[plan.entities.index(name) for name in entity_plan.pair_entities] for entity_plan in plan.entity_plans]
        self._slot_columns = [f"slot.{name}" for name in plan.entities]
        self._row_features = row_features(plan.document)
        self._widths = len(plan.long_names), len(plan.double_names)
        #: upper bounds of the content of any ring: only a batch that might overflow is looked at row by row
        self._sum_bound = self._square_bound = 0
        self._make_room(_FIRST_ROWS)

    def _make_room(self, rows: int) -> None:
        """Scratch for this many rows."""
        self._roles, self._fresh = np.empty(rows, np.uint8), np.empty(rows, np.uint8)
        self._times, self._keys = np.empty(rows, np.int64), np.empty(rows, np.int32)
        self._buckets = np.empty((2 * len(self.plan.shapes), rows), np.int64)

    def fold(self, columns: Mapping[str, Any], live: NDArray[np.bool_], entities: EntityView, sequence: int) -> FeatureBatch:
        """Fold the live rows of journal record `sequence` in order; the other rows change nothing and read zeros.

        Needs the columns kind, ts_us, amount_minor, label, slot.*, seen.ordinal, seen.subject and seen.oldest.
        """
        n, oldest = len(live), columns["seen.oldest"]
        if n > len(self._roles):
            self._make_room(power_of_two(n))
        longs, doubles = self._widths
        out = FeatureBatch(np.zeros((n, longs), np.int64), np.zeros((n, doubles), np.float64), np.empty(n, np.int8))
        rows = _Rows(
            columns["kind"],
            live,
            columns["ts_us"],
            columns["amount_minor"],
            columns["label"],
            columns["seen.ordinal"],
            columns["seen.subject"],
            *out,
            slots=tuple([columns[name] for name in self._slot_columns]),
        )
        self._fold(rows, _Record(sequence, entities))
        if n:
            self._subjects.forget(int(oldest[-1]))
        return out

    def evict(self, evicted: Columns) -> None:
        """Clear the windows and pairs of freed slots: columns `entity` (number) and `slot`."""
        numbers, slots = np.asarray(evicted["entity"]), np.asarray(evicted["slot"])
        if not len(numbers):
            return
        freed = {self.plan.entities[e]: slots[numbers == e] for e in np.unique(numbers).tolist()}
        for windows in self.windows:
            windows.evict(freed)

    def view(self) -> FeatureView:
        """The read-only view for others."""
        return FeatureView(self.windows)

    def state(self) -> TableState:
        """The whole state: views of the tables' memory, so to be read before the next `fold` or `evict`."""
        arrays = {f"subjects.{name}": array for name, array in self._subjects.state().items()}
        for windows in self.windows:
            arrays |= {f"windows.{windows.plan.name}.{name}": array for name, array in windows.state().items()}
        return TableState({"table": "features", "plan": self.plan.digest.hex()}, arrays)

    @classmethod
    def from_state(cls, plan: FeaturePlan, entities: EntityView, state: TableState) -> FeatureTable:
        """The inverse of `state`, over the entity graph of the same moment.

        Raises Stop(STATE_UNREADABLE) or, when another plan wrote it, Stop(STATE_OF_ANOTHER_PLAN).
        """
        plan.check_state(state)
        table = cls(plan)
        slots = {name: entities.slots(e) for e, name in enumerate(plan.entities)}
        table.windows = tuple(EntityWindows.from_state(p, slots, state.under(f"windows.{p.name}.")) for p in plan.entity_plans)
        table._subjects = Subjects.from_state([slots[name] for name in plan.document.label_entities], state.under("subjects."))
        table._bound_from_lines()
        return table

    def _fold(self, rows: _Rows, record: _Record) -> None:
        largest, payments, end = survey(rows.kinds, rows.live, rows.amounts, rows.ordinals)
        self._subjects.extend(end)
        if self._may_overflow(largest, payments):
            if len(rows.kinds) > 1:
                middle = len(rows.kinds) // 2
                self._fold(rows.part(0, middle), record)
                return self._fold(rows.part(middle, len(rows.kinds)), record)
            if self._overflows(rows):
                rows.refusals[:] = _OVERFLOW
                return None
        return self._fold_admitted(rows, record)

    def _fold_admitted(self, rows: _Rows, record: _Record) -> None:
        kinds, live, times, amounts, labels, ordinals, spoken, longs, doubles, refusals, slots = rows
        subjects, roles, keys = self._subjects, self._roles, self._keys
        fold_rows(
            kinds,
            live,
            times,
            amounts,
            labels,
            ordinals,
            spoken,
            subjects.base,
            subjects.times,
            subjects.marks,
            self._row_features,
            self.plan.shapes,
            roles,
            self._times,
            self._buckets,
            longs,
            refusals,
        )
        counted = CountedRows(roles, self._times, self._buckets, self._fresh, amounts, longs, doubles)
        for e, windows in enumerate(self.windows):
            column, elements = self._label_columns[e], [slots[other] for other in self._elements[e]]
            if column is None:
                windows.fold(counted, slots[e], elements, record.sequence)
            else:
                subjects.fold_slots(roles, slots[e], ordinals, spoken, record.entities.births(e), column, keys)
                windows.fold(counted, keys, elements, record.sequence)

    def _may_overflow(self, largest: int, payments: int) -> bool:
        """False when even so many payments of the largest amount in one bucket would fit; keeps the bounds it decides by."""
        self._sum_bound += largest * payments
        self._square_bound += (largest * largest * payments >> 32) + 1
        if max(self._sum_bound, self._square_bound) < SUM_MAX:
            return False
        self._bound_from_lines()
        self._sum_bound += largest * payments
        self._square_bound += (largest * largest * payments >> 32) + 1
        return max(self._sum_bound, self._square_bound) >= SUM_MAX

    def _bound_from_lines(self) -> None:
        totals = [windows.largest_totals() for windows in self.windows]
        self._sum_bound = max((total[0] for total in totals), default=0)
        self._square_bound = max((total[1] for total in totals), default=0)

    def _overflows(self, rows: _Rows) -> bool:
        """Whether the one row given is a payment that would overflow a ring of one of its keys."""
        if not rows.live[0] or rows.kinds[0] != PAYMENT:
            return False
        named = [(windows, int(slots[0])) for windows, slots in zip(self.windows, rows.slots, strict=True) if slots[0] >= 0]
        return any(windows.overflows(slot, int(rows.times[0]), int(rows.amounts[0])) for windows, slot in named)
