"""Rows the feature table refuses, and that a refused row changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from feature_worlds import DOCUMENT, HORIZON_ROWS, HORIZON_US, SECOND, LaneRow, assertion, fold_in_batches, lane_columns, pay, values_of
from states import written

from assay.contracts.reasons import Reason
from assay.tables.dedupe import SeenIds
from assay.tables.feature_plan import BUCKETS, CELLS, FIELDS, SQUARES, SUM, TOTAL, compile_plan
from assay.tables.features import REFUSALS, FeatureBatch, FeatureTable

PLAN = compile_plan(DOCUMENT)
T0 = 1_520_000_000 * SECOND
FIRST = pay("p0", T0, 700, account="a", merchant="m", device="d")


class Lane:
    """A table with its seen ids, after one payment."""

    def __init__(self, document: dict[str, Any] = DOCUMENT) -> None:
        self.plan = compile_plan(document)
        self.seen, self.table = SeenIds(HORIZON_US, HORIZON_ROWS), FeatureTable(self.plan)
        self.fold(FIRST)

    def fold(self, *rows: LaneRow, skip: bool = False) -> FeatureBatch:
        columns = lane_columns(rows, self.plan.entities)
        return self.table.fold(columns, np.full(len(rows), skip), self.seen.fold(columns))


REFUSED = [
    (pay("p1", T0, -1, account="a"), Reason.AMOUNT_OUT_OF_RANGE),
    (pay("p1", T0, 10**11, account="new"), Reason.AMOUNT_OUT_OF_RANGE),
    (pay("p1", T0, 2**62), Reason.AMOUNT_OUT_OF_RANGE),
    (assertion("l1", T0, "nobody"), Reason.LABEL_SUBJECT_UNKNOWN),
    (assertion("l1", T0, "nobody", fraud=False), Reason.LABEL_SUBJECT_UNKNOWN),
    (LaneRow(2, "l1", T0, label=1), Reason.LABEL_SUBJECT_UNKNOWN),
]


@pytest.mark.parametrize(("row", "reason"), REFUSED)
def test_a_refused_row_names_its_reason_and_changes_nothing(row: LaneRow, reason: Reason) -> None:
    lane, untouched = Lane(), Lane()
    batch = lane.fold(row)
    assert REFUSALS[int(batch.refusals[0])] is reason
    assert not batch.longs.any()
    assert not batch.doubles.any()
    untouched.table._subjects.extend(lane.seen.count)
    assert written(lane.table) == written(untouched.table)


def test_a_label_of_a_refused_payment_has_an_unknown_subject() -> None:
    batch = Lane().fold(pay("p1", T0, -5, account="a"), assertion("l1", T0, "p1"))
    assert [REFUSALS[r] for r in batch.refusals] == [Reason.AMOUNT_OUT_OF_RANGE, Reason.LABEL_SUBJECT_UNKNOWN]


def test_a_label_before_its_payment_has_an_unknown_subject() -> None:
    batch = Lane().fold(assertion("l1", T0, "p1"), pay("p1", T0, account="a"))
    assert REFUSALS[int(batch.refusals[0])] is Reason.LABEL_SUBJECT_UNKNOWN


def test_a_skipped_row_changes_nothing_and_reads_zeros() -> None:
    lane, untouched = Lane(), Lane()
    batch = lane.fold(pay("p1", T0 + SECOND, account="a"), skip=True)
    assert not batch.longs.any()
    assert batch.refusals.tolist() == [0]
    untouched.table._subjects.extend(lane.seen.count)
    assert written(lane.table) == written(untouched.table)


def nearly_full(lane: Lane, entity: str, *, squares: bool) -> None:
    """Plant a total just below what an int64 holds into the current cell and windows of the entity's first slot."""
    windows = lane.table.windows[lane.plan.entities.index(entity)]
    for ring in windows.plan.rings:
        if squares and ring[SQUARES] < 0:
            continue
        field = int(ring[SQUARES]) if squares else SUM
        counts = windows.lines[0, ring[CELLS] : ring[CELLS] + ring[BUCKETS] * ring[FIELDS] : ring[FIELDS]]
        place = int(np.flatnonzero(counts)[0])
        windows.lines[0, ring[CELLS] + place * ring[FIELDS] + field] = 2**63 - 1 - 1000
        windows.lines[0, ring[TOTAL] + field] = 2**63 - 1 - 1000
    lane.table._bound_from_lines()


@pytest.mark.parametrize(("entity", "squares", "fits", "bursts"), [("merchant", False, 1000, 1001), ("account", True, 65_535, 10**9)])
def test_a_payment_that_would_overflow_a_window_is_refused_and_changes_no_key(entity: str, squares: bool, fits: int, bursts: int) -> None:
    lane, untouched = Lane(), Lane()
    for each in (lane, untouched):
        nearly_full(each, entity, squares=squares)
    refused = lane.fold(pay("p1", T0 + SECOND, bursts, account="a", merchant="m", device="new"))
    assert REFUSALS[int(refused.refusals[0])] is Reason.WINDOW_OVERFLOW
    untouched.table._subjects.extend(lane.seen.count)
    assert written(lane.table) == written(untouched.table)
    batch = lane.fold(
        pay("p2", T0 + SECOND, bursts, account="a", merchant="m"),
        pay("p3", T0 + SECOND, fits, account="a", merchant="m"),
        assertion("l1", T0 + SECOND, "p2"),
        pay("p4", T0 + 1000 * SECOND, bursts, account="a", merchant="m"),
    )
    assert [REFUSALS[r] for r in batch.refusals] == [Reason.WINDOW_OVERFLOW, None, Reason.LABEL_SUBJECT_UNKNOWN, None]


def test_a_payment_without_an_entity_reads_zeros_for_it_and_touches_nothing() -> None:
    lane = Lane()
    values = values_of(PLAN, lane.fold(pay("p1", T0, 5, account="a")), 0)
    assert (values["m_count"], values["m_frauds"], values["m_rate"]) == (0, 0, 0.0)
    assert values["a_count"] == 2
    assert lane.table.entities[1].count == 1


def test_a_key_seen_for_the_first_time_has_no_time_since_last() -> None:
    values = values_of(PLAN, Lane().fold(pay("p1", T0, 5, account="b")), 0)
    assert values["a_since"] == -1


def test_a_fraud_counts_once_however_often_it_is_asserted() -> None:
    later = pay("p9", T0 + 25 * SECOND, merchant="m")
    rows = [FIRST, assertion("l1", T0, "p0"), assertion("l2", T0, "p0"), assertion("l3", T0, "p0", fraud=False), later]
    for cuts in ([], [2], [1, 2, 3]):
        assert values_of(PLAN, fold_in_batches(PLAN, rows, cuts).batch, 4)["m_frauds"] == 1


def test_a_label_counts_for_the_bucket_of_its_payment_while_that_is_in_the_ring() -> None:
    rows = [
        FIRST,
        pay("p1", T0 + 100 * SECOND, merchant="m"),
        assertion("l", T0 + 100 * SECOND, "p0"),
        pay("p2", T0 + 100 * SECOND, merchant="m"),
    ]
    assert values_of(PLAN, fold_in_batches(PLAN, rows, []).batch, 3)["m_frauds"] == 0
