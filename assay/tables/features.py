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

from assay.codecs.columns import I32, I64, Column, Columns
from assay.codecs.kernel import frozen
from assay.codecs.table_state import TableState
from assay.contracts.reasons import Reason
from assay.tables.entity_view import EntityView
from assay.tables.entity_windows import SUM_MAX, EntityWindows
from assay.tables.feature_plan import FeaturePlan
from assay.tables.feature_view import FeatureView
from assay.tables.row_features import fill_row_features
from assay.tables.row_kinds import LABEL, PAYMENT
from assay.tables.subjects import Subjects
from assay.tables.windows import LABELS, NOTHING, PAYS, bucket_rows

#: the meaning of a number in `FeatureBatch.refusals`
REFUSALS: Final = (None, Reason.LABEL_SUBJECT_UNKNOWN, Reason.WINDOW_OVERFLOW)
_NO_SUBJECT, _OVERFLOW = 1, 2


class FeatureBatch(NamedTuple):
    """`longs` int64 (n, L) and `doubles` float64 (n, D) in document order; zeros for rows that are not folded payments.
    `refusals` int8 (n,) indexes `REFUSALS`; a refused row changed no window."""

    longs: I64
    doubles: NDArray[np.float64]
    refusals: NDArray[np.int8]


class _Rows(NamedTuple):
    """The part of a batch that is folded: views of columns and of the outputs, all of one length. `slots` has one array per entity."""

    kinds: NDArray[np.int8]
    times: I64
    amounts: I64
    labels: NDArray[np.int8]
    live: NDArray[np.bool_]
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
        self._labelled = tuple(plan.entities.index(name) for name in plan.document.label_entities)
        self._subjects = Subjects(len(self._labelled))
        #: upper bounds of the content of any ring: only a batch that might overflow is looked at row by row
        self._sum_bound = self._square_bound = 0

    def fold(self, columns: Mapping[str, Column], live: NDArray[np.bool_], entities: EntityView, sequence: int) -> FeatureBatch:
        """Fold the live rows of journal record `sequence` in order; the other rows change nothing and read zeros.

        Needs the columns kind, ts_us, amount_minor, label, slot.*, seen.ordinal, seen.subject and seen.oldest.
        """
        kinds, ordinals, oldest = (np.asarray(columns[name]) for name in ("kind", "seen.ordinal", "seen.oldest"))
        n = len(kinds)
        out = FeatureBatch(
            np.zeros((n, len(self.plan.long_names)), np.int64),
            np.zeros((n, len(self.plan.double_names)), np.float64),
            np.zeros(n, np.int8),
        )
        times, amounts = (frozen(np.asarray(columns[name]), np.int64) for name in ("ts_us", "amount_minor"))
        labels, subjects = np.asarray(columns["label"]), np.asarray(columns["seen.subject"])
        slots = tuple(np.asarray(columns[f"slot.{name}"]) for name in self.plan.entities)
        self._subjects.extend(int(ordinals.max(initial=-1)) + 1)
        self._fold(_Rows(kinds, times, amounts, labels, live, ordinals, subjects, *out, slots=slots), _Record(sequence, entities))
        self._subjects.forget(int(oldest[-1]) if n else 0)
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
        payments = rows.live & (rows.kinds == PAYMENT)
        if self._may_overflow(rows.amounts[payments]):
            if len(rows.kinds) > 1:
                middle = len(rows.kinds) // 2
                self._fold(rows.part(0, middle), record)
                return self._fold(rows.part(middle, len(rows.kinds)), record)
            if self._overflows(rows):
                rows.refusals[:] = _OVERFLOW
                return None
        return self._fold_admitted(rows, payments, record)

    def _fold_admitted(self, rows: _Rows, payments: NDArray[np.bool_], record: _Record) -> None:
        paying = [np.where(payments, slots, np.int32(-1)) for slots in rows.slots]
        labels, label_slots, times = self._speak_of_payments(rows, payments, paying, record.entities)
        buckets = np.empty((2 * len(self.plan.shapes), len(times)), np.int64)
        bucket_rows(frozen(times, np.int64), self.plan.shapes, buckets)
        for e, windows in enumerate(self.windows):
            roles = np.where(payments, np.uint8(PAYS), np.uint8(NOTHING))
            keys = paying[e]
            if e in self._labelled:
                roles[labels] = LABELS
                keys = keys.copy()
                keys[labels] = label_slots[:, self._labelled.index(e)]
            elements = tuple(paying[self.plan.entities.index(name)] for name in windows.plan.pair_entities)
            windows.fold(roles, keys, elements, times, buckets, rows.amounts, (rows.longs, rows.doubles), record.sequence)
        fill_row_features(self.plan.document, payments, rows.times, rows.amounts, rows.longs)

    def _speak_of_payments(
        self, rows: _Rows, payments: NDArray[np.bool_], paying: list[I32], entities: EntityView
    ) -> tuple[NDArray[np.intp], I32, I64]:
        """Rows of fraud labels that count, the slots they count for, and all times with theirs put to their payment's.

        A payment's fraud counts once, whoever asserts it first.
        """
        linked = payments & (rows.ordinals >= 0)
        slots = (
            np.stack([paying[e][linked] for e in self._labelled], axis=1) if self._labelled else np.empty((int(linked.sum()), 0), np.int32)
        )
        self._subjects.remember(rows.ordinals[linked], rows.times[linked], slots)
        spoken = np.flatnonzero(rows.live & (rows.kinds == LABEL))
        known = self._subjects.known(rows.subjects[spoken])
        rows.refusals[spoken[~known]] = _NO_SUBJECT
        frauds = spoken[known & (rows.labels[spoken] == 1)]
        frauds = frauds[self._subjects.mark_fraud(rows.subjects[frauds])]
        times_of, slots_of = self._subjects.of(rows.subjects[frauds])
        times = rows.times.copy()
        times[frauds] = times_of
        return frauds, self._still_theirs(rows.subjects[frauds], slots_of, entities), times

    def _still_theirs(self, ordinals: I64, slots: I32, entities: EntityView) -> I32:
        """Slots of label entities, -1 where the slot was freed since the payment of that ordinal.

        The graph frees slots before the rows of a record, so its view at the end of the record answers for every row of it.
        """
        kept = slots.copy()
        for column, e in enumerate(self._labelled):
            held = slots[:, column] >= 0
            kept[held, column] = np.where(entities.born(e, slots[held, column]) > ordinals[held], -1, slots[held, column])
        return kept

    def _may_overflow(self, amounts: I64) -> bool:
        """False when even all of these amounts in one bucket would fit; keeps the bounds it decides by."""
        largest = int(amounts.max(initial=0))
        self._sum_bound += largest * len(amounts)
        self._square_bound += (largest * largest * len(amounts) >> 32) + 1
        if max(self._sum_bound, self._square_bound) < SUM_MAX:
            return False
        self._bound_from_lines()
        self._sum_bound += largest * len(amounts)
        self._square_bound += (largest * largest * len(amounts) >> 32) + 1
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
