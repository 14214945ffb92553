"""The feature table: all feature and entity state of a lane, folded a batch at a time.

Payments (kind 4) update windows and read features; labels (kind 2) add frauds to the bucket of the payment they speak
of; context facts (kind 3) only enter the entity graph; other kinds are ignored. A batch gives exactly what its rows
would give one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, Columns, Strings
from assay.codecs.kernel import frozen
from assay.codecs.table_state import Sparse, TableState
from assay.contracts.errors import Stop
from assay.contracts.limits import AMOUNT_MINOR_END
from assay.contracts.reasons import Reason
from assay.tables.dedupe import SeenBatch
from assay.tables.entities import EntityTable
from assay.tables.entity_windows import SUM_MAX, EntityWindows
from assay.tables.feature_plan import FeaturePlan
from assay.tables.feature_rows import dead_columns, entity_columns, feature_columns, feature_row
from assay.tables.row_features import fill_row_features
from assay.tables.row_kinds import CONTEXT, LABEL, PAYMENT
from assay.tables.subjects import Subjects
from assay.tables.windows import LABELS, NOTHING, PAYS, bucket_rows

#: what a number in `FeatureBatch.refusals` stands for
REFUSALS: Final = (None, Reason.LABEL_SUBJECT_UNKNOWN, Reason.AMOUNT_OUT_OF_RANGE, Reason.WINDOW_OVERFLOW)
_NO_SUBJECT, _BAD_AMOUNT, _OVERFLOW = 1, 2, 3
_NEVER = -(2**62)


class FeatureBatch(NamedTuple):
    """`longs` int64 (n, L) and `doubles` float64 (n, D) in document order; zeros for rows that are not folded payments.
    `refusals` int8 (n,) indexes `REFUSALS`; a refused row changed nothing."""

    longs: I64
    doubles: NDArray[np.float64]
    refusals: NDArray[np.int8]


class _Rows(NamedTuple):
    """The part of a batch that is folded: views of columns and of the outputs, all of one length."""

    kinds: NDArray[np.int8]
    times: I64
    amounts: I64
    labels: NDArray[np.int8]
    live: NDArray[np.bool_]
    ordinals: I64
    subjects: I64
    ids: tuple[Strings, ...]
    out: FeatureBatch

    def part(self, start: int, stop: int) -> _Rows:
        rows = slice(start, stop)
        ids = tuple(Strings(text.data, text.starts[rows], text.lengths[rows]) for text in self.ids)
        out = FeatureBatch(self.out.longs[rows], self.out.doubles[rows], self.out.refusals[rows])
        return _Rows(
            self.kinds[rows],
            self.times[rows],
            self.amounts[rows],
            self.labels[rows],
            self.live[rows],
            self.ordinals[rows],
            self.subjects[rows],
            ids,
            out,
        )


class FeatureTable:
    """State of every entity of a plan: ids, graph rows, window lines; and of the payments a label may speak of."""

    def __init__(self, plan: FeaturePlan) -> None:
        self.plan = plan
        self.entities = tuple(EntityTable(name, plan.idle_us) for name in plan.entities)
        by_name = {ids.name: ids for ids in self.entities}
        self.windows = tuple(EntityWindows(entity_plan, by_name) for entity_plan in plan.entity_plans)
        self._labelled = tuple(plan.entities.index(name) for name in plan.document.label_entities)
        self._subjects = Subjects(len(self._labelled))
        #: upper bounds of what any ring holds, so that only a batch that might overflow is looked at row by row
        self._sum_bound = self._square_bound = 0
        #: latest time of a payment or context fact: what makes an id idle
        self._clock = _NEVER

    def fold(self, columns: Columns, skip: NDArray[np.bool_], seen: SeenBatch) -> FeatureBatch:
        """Fold lane rows in order. Rows in `skip`, and rows that are not NEW in `seen`, change nothing and read zeros."""
        kinds = np.asarray(columns["kind"])
        n = len(kinds)
        out = FeatureBatch(
            np.zeros((n, len(self.plan.long_names)), np.int64),
            np.zeros((n, len(self.plan.double_names)), np.float64),
            np.zeros(n, np.int8),
        )
        live = ~skip & (seen.verdicts == 0)
        times, amounts = (frozen(np.asarray(columns[name]), np.int64) for name in ("ts_us", "amount_minor"))
        ids = tuple(_strings(columns[f"entity.{name}"]) for name in self.plan.entities)
        self._subjects.extend(seen.end)
        self._fold(_Rows(kinds, times, amounts, np.asarray(columns["label"]), live, seen.ordinals, seen.subjects, ids, out))
        self._subjects.forget(seen.floor)
        return out

    def row(self, entity: str, entity_id: str) -> dict[str, Any] | None:
        """What is known of one id, for people: graph row, windows at the key's current bucket. None if unknown."""
        if entity not in self.plan.entities:
            return None
        e = self.plan.entities.index(entity)
        slot = int(self.entities[e].find(Strings.of([entity_id]))[0])
        return None if slot < 0 else feature_row(self.entities[e], self.windows[e], slot)

    def changed_features(self, of: Sequence[int]) -> Columns:
        """Rows of these entities (numbers) whose windows changed since the last call, in entity and slot order; columns of
        `feature_row`, without epoch and sequence."""
        return feature_columns([self.entities[e] for e in of], [self.windows[e] for e in of])

    def changed_entities(self, of: Sequence[int]) -> Columns:
        """Graph rows that changed since the last call, as `changed_features`; columns of `entity_row`."""
        return entity_columns([self.entities[e] for e in of])

    def take_dead(self, of: Sequence[int]) -> Columns:
        """Entity and id of these entities' ids forgotten since the last call; what they held is free for others from now on.

        Some may be known again: their rows are among the changed ones.
        """
        entities = [self.entities[e] for e in of]
        dead = dead_columns(entities)
        for ids in entities:
            slots = ids.reclaim()
            for windows in self.windows if len(slots) else ():
                windows.reclaim(ids.name, slots)
        return dead

    def state(self) -> TableState:
        """The whole state, what is touched included: views of the tables' memory, so to be read before the next fold."""
        arrays = {f"subjects.{name}": array for name, array in self._subjects.state().items()}
        for ids, windows in zip(self.entities, self.windows, strict=True):
            arrays |= {f"ids.{ids.name}.{name}": array for name, array in ids.state().items()}
            arrays |= {f"windows.{ids.name}.{name}": array for name, array in windows.state().items()}
        return TableState({"table": "features", "plan": self.plan.digest.hex(), "clock": self._clock}, arrays)

    @classmethod
    def from_state(cls, plan: FeaturePlan, state: TableState) -> FeatureTable:
        """The inverse of `state`. Raises Stop(STATE_UNREADABLE) or, when another plan wrote it, Stop(STATE_OF_ANOTHER_PLAN)."""
        header, arrays = state
        if header.get("plan") != plan.digest.hex():
            raise Stop(
                Reason.STATE_OF_ANOTHER_PLAN,
                f"feature state was written under plan {header.get('plan')}, this one is {plan.digest.hex()}",
                remedy="Start with the feature document the state belongs to, or rebuild the state from the journal.",
            )
        table = cls(plan)
        table.entities = tuple(EntityTable.from_state(name, plan.idle_us, _under(arrays, f"ids.{name}.")) for name in plan.entities)
        by_name = {ids.name: ids for ids in table.entities}
        table.windows = tuple(EntityWindows.from_state(p, by_name, _under(arrays, f"windows.{p.name}.")) for p in plan.entity_plans)
        table._clock = header["clock"]
        table._subjects = Subjects.from_state(len(table._labelled), _under(arrays, "subjects."))
        table._bound_from_lines()
        return table

    def _fold(self, rows: _Rows) -> None:
        payments = rows.live & (rows.kinds == PAYMENT)
        bad = payments & ((rows.amounts < 0) | (rows.amounts >= AMOUNT_MINOR_END))
        rows.out.refusals[bad] = _BAD_AMOUNT
        payments &= ~bad
        facts = payments | (rows.live & (rows.kinds == CONTEXT))
        clocks = np.maximum(np.maximum.accumulate(np.where(facts, rows.times, _NEVER)), self._clock)
        # within what is folded at once no id that was met can become idle: only so are later steps free to look at its end
        leaps = facts.any() and int(clocks[-1]) - int(clocks[np.argmax(facts)]) > self.plan.idle_us
        if leaps and len(rows.kinds) > 1:
            return self._fold_halves(rows)
        if self._may_overflow(rows.amounts[payments]):
            if len(rows.kinds) > 1:
                return self._fold_halves(rows)
            if self._overflows(rows, int(clocks[0])):
                rows.out.refusals[:] = _OVERFLOW
                return None
        return self._fold_admitted(rows, payments, facts, clocks)

    def _fold_halves(self, rows: _Rows) -> None:
        middle = len(rows.kinds) // 2
        self._fold(rows.part(0, middle))
        self._fold(rows.part(middle, len(rows.kinds)))

    def _fold_admitted(self, rows: _Rows, payments: NDArray[np.bool_], facts: NDArray[np.bool_], clocks: I64) -> None:
        self._clock = int(clocks[-1]) if len(clocks) else self._clock
        slots = [ids.resolve(text, facts, rows.ordinals, clocks) for ids, text in zip(self.entities, rows.ids, strict=True)]
        for ids, found in zip(self.entities, slots, strict=True):
            ids.observe(found, rows.times)
        paying = [np.where(payments, found, np.int32(-1)) for found in slots]
        labels, label_slots, times = self._speak_of_payments(rows, payments, paying)
        buckets = np.empty((2 * len(self.plan.shapes), len(times)), np.int64)
        bucket_rows(frozen(times, np.int64), self.plan.shapes, buckets)
        for e, windows in enumerate(self.windows):
            roles = np.where(payments, np.uint8(PAYS), np.uint8(NOTHING))
            keys = paying[e]
            if e in self._labelled:
                roles[labels] = LABELS
                keys = keys.copy()
                keys[labels] = label_slots[:, self._labelled.index(e)]
            members = tuple(paying[self.plan.entities.index(name)] for name in windows.plan.pair_entities)
            windows.fold(roles, keys, members, times, buckets, rows.amounts, (rows.out.longs, rows.out.doubles))
        fill_row_features(self.plan.document, payments, rows.times, rows.amounts, rows.out.longs)

    def _speak_of_payments(self, rows: _Rows, payments: NDArray[np.bool_], paying: list[I32]) -> tuple[NDArray[np.intp], I32, I64]:
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
        rows.out.refusals[spoken[~known]] = _NO_SUBJECT
        frauds = spoken[known & (rows.labels[spoken] == 1)]
        frauds = frauds[self._subjects.mark_fraud(rows.subjects[frauds])]
        times_of, slots_of = self._subjects.of(rows.subjects[frauds])
        times = rows.times.copy()
        times[frauds] = times_of
        return frauds, self._still_theirs(rows.subjects[frauds], slots_of), times

    def _still_theirs(self, ordinals: I64, slots: I32) -> I32:
        """Slots of label entities, -1 where another id has taken the slot since the payment of that ordinal."""
        kept = slots.copy()
        for column, e in enumerate(self._labelled):
            held = slots[:, column] >= 0
            kept[held, column] = np.where(self.entities[e].born(slots[held, column]) > ordinals[held], -1, slots[held, column])
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

    def _overflows(self, rows: _Rows, clock: int) -> bool:
        """Whether the one row given is a payment that would overflow a ring of one of its keys."""
        if not rows.live[0] or rows.kinds[0] != PAYMENT or rows.out.refusals[0]:
            return False
        for ids, windows, text in zip(self.entities, self.windows, rows.ids, strict=True):
            slot = int(ids.find(text)[0])
            windows.reserve(slot + 1)
            if slot >= 0 and not ids.is_idle(slot, clock) and windows.overflows(slot, int(rows.times[0]), int(rows.amounts[0])):
                return True
        return False


def _strings(column: object) -> Strings:
    assert isinstance(column, Strings)
    return column


def _under(arrays: Mapping[str, NDArray[Any] | Sparse], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
