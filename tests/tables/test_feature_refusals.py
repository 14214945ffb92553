"""Rows that the entity graph or the feature table refuses, and the tables that a refused row does not change."""

from __future__ import annotations

import numpy as np
import pytest
from feature_worlds import DOCUMENT, SECOND, LaneRow, assertion, fact, pay
from lane_tables import LaneTables, fold_in_batches, values_of

from assay.contracts.reasons import Reason
from assay.tables.feature_plan import BUCKETS, CELLS, FIELDS, SQUARES, SUM, TOTAL, compile_plan

PLAN = compile_plan(DOCUMENT)
T0 = 1_520_000_000 * SECOND
FIRST = pay("p0", T0, 700, account="a", merchant="m", device="d")


def lane() -> LaneTables:
    """Tables after one payment."""
    tables = LaneTables(PLAN)
    tables.fold([FIRST])
    return tables


def unchanged(tables: LaneTables, *names: str) -> bool:
    """Whether these tables are as after one payment, but for the ordinals that the seen ids gave since."""
    untouched = lane()
    untouched.features._subjects.extend(tables.seen.count)
    return all(tables.written()[name] == untouched.written()[name] for name in names)


REFUSED = [
    (pay("p1", T0, -1, account="a"), Reason.AMOUNT_OUT_OF_RANGE),
    (pay("p1", T0, 10**11, account="new"), Reason.AMOUNT_OUT_OF_RANGE),
    (pay("p1", T0 + 10**12, 2**62, account="a"), Reason.AMOUNT_OUT_OF_RANGE),
    (pay("p1", T0, 2**62), Reason.AMOUNT_OUT_OF_RANGE),
    (assertion("l1", T0, "nobody"), Reason.LABEL_SUBJECT_UNKNOWN),
    (assertion("l1", T0, "nobody", fraud=False), Reason.LABEL_SUBJECT_UNKNOWN),
    (LaneRow(2, "l1", T0, label=1), Reason.LABEL_SUBJECT_UNKNOWN),
]


@pytest.mark.parametrize(("row", "reason"), REFUSED)
def test_a_refused_row_names_its_reason_and_changes_nothing(row: LaneRow, reason: Reason) -> None:
    tables = lane()
    batch = tables.fold([row])
    assert batch.refusals == [reason]
    assert not batch.longs.any()
    assert not batch.doubles.any()
    assert unchanged(tables, "entities", "features")


def test_a_label_of_a_refused_payment_has_an_unknown_subject() -> None:
    batch = lane().fold([pay("p1", T0, -5, account="a"), assertion("l1", T0, "p1")])
    assert batch.refusals == [Reason.AMOUNT_OUT_OF_RANGE, Reason.LABEL_SUBJECT_UNKNOWN]


def test_a_label_before_its_payment_has_an_unknown_subject() -> None:
    batch = lane().fold([assertion("l1", T0, "p1"), pay("p1", T0, account="a")])
    assert batch.refusals == [Reason.LABEL_SUBJECT_UNKNOWN, None]


def test_a_skipped_row_changes_nothing_and_reads_zeros() -> None:
    tables = lane()
    batch = tables.fold([pay("p1", T0 + SECOND, account="a")], skip=True)
    assert not batch.longs.any()
    assert batch.refusals == [None]
    assert unchanged(tables, "entities", "features")


def nearly_full(tables: LaneTables, entity: str, *, squares: bool) -> None:
    """Plant a total just below what an int64 holds into the current cell and windows of the entity's first slot."""
    windows = tables.features.windows[PLAN.entities.index(entity)]
    for ring in windows.plan.rings:
        if squares and ring[SQUARES] < 0:
            continue
        field = int(ring[SQUARES]) if squares else SUM
        counts = windows.lines[0, ring[CELLS] : ring[CELLS] + ring[BUCKETS] * ring[FIELDS] : ring[FIELDS]]
        place = int(np.flatnonzero(counts)[0])
        windows.lines[0, ring[CELLS] + place * ring[FIELDS] + field] = 2**63 - 1 - 1000
        windows.lines[0, ring[TOTAL] + field] = 2**63 - 1 - 1000
    tables.features._bound_from_lines()


@pytest.mark.parametrize(("entity", "squares", "fits", "bursts"), [("merchant", False, 1000, 1001), ("account", True, 65_535, 10**9)])
def test_a_payment_that_would_overflow_a_window_is_refused_and_changes_no_window(
    entity: str, squares: bool, fits: int, bursts: int
) -> None:
    tables, untouched = lane(), lane()
    for each in (tables, untouched):
        nearly_full(each, entity, squares=squares)
    refused = tables.fold([pay("p1", T0 + SECOND, bursts, account="a", merchant="m", device="new")])
    assert refused.refusals == [Reason.WINDOW_OVERFLOW]
    untouched.features._subjects.extend(tables.seen.count)
    assert tables.written()["features"] == untouched.written()["features"]
    rows = [
        pay("p2", T0 + SECOND, bursts, account="a", merchant="m"),
        pay("p3", T0 + SECOND, fits, account="a", merchant="m"),
        assertion("l1", T0 + SECOND, "p2"),
        pay("p4", T0 + 1000 * SECOND, bursts, account="a", merchant="m"),
    ]
    whole, single = tables.restored(), tables.restored()
    for each in (whole, single):
        each.features._bound_from_lines()
    expected = [Reason.WINDOW_OVERFLOW, None, Reason.LABEL_SUBJECT_UNKNOWN, None]
    assert whole.fold(rows, sequence=9).refusals == expected
    assert [reason for row in rows for reason in single.fold([row], sequence=9).refusals] == expected
    assert whole.written() == single.written()


def test_a_payment_that_overflows_a_window_is_an_event_of_the_graph() -> None:
    """Only the windows cannot take it: the ids were met."""
    tables = lane()
    nearly_full(tables, "merchant", squares=False)
    tables.fold([pay("p1", T0 + SECOND, 1001, account="a", merchant="m", device="new")])
    row = tables.graph.view().row("account", "a")
    assert row == {"entity": "account", "id": "a", "first_seen_us": T0, "last_seen_us": T0 + SECOND, "event_count": 2}
    assert tables.graph.view().row("device", "new") is not None


def test_a_payment_without_an_entity_reads_zeros_for_it_and_touches_nothing() -> None:
    tables = lane()
    values = values_of(PLAN, tables.fold([pay("p1", T0, 5, account="a")]), 0)
    assert (values["m_count"], values["m_frauds"], values["m_rate"]) == (0, 0, 0.0)
    assert values["a_count"] == 2
    assert tables.graph.entities[1].count == 1


def test_a_context_fact_is_an_event_of_the_graph_and_changes_no_window() -> None:
    tables = lane()
    tables.fold([fact("c0", T0 + SECOND, account="a", device="new")])
    assert tables.graph.entities[2].count == 2
    assert unchanged(tables, "features")
    assert not unchanged(tables, "entities")


def test_a_key_seen_for_the_first_time_has_no_time_since_last() -> None:
    values = values_of(PLAN, lane().fold([pay("p1", T0, 5, account="b")]), 0)
    assert values["a_since"] == -1


def test_a_fraud_counts_once_however_often_it_is_asserted() -> None:
    later = pay("p9", T0 + 25 * SECOND, merchant="m")
    rows = [FIRST, assertion("l1", T0, "p0"), assertion("l2", T0, "p0"), assertion("l3", T0, "p0", fraud=False), later]
    for cuts in ([], [2], [1, 2, 3]):
        assert values_of(PLAN, fold_in_batches(PLAN, rows, cuts).rows, 4)["m_frauds"] == 1


def test_a_label_counts_for_the_bucket_of_its_payment_while_that_is_in_the_ring() -> None:
    rows = [
        FIRST,
        pay("p1", T0 + 100 * SECOND, merchant="m"),
        assertion("l", T0 + 100 * SECOND, "p0"),
        pay("p2", T0 + 100 * SECOND, merchant="m"),
    ]
    assert values_of(PLAN, fold_in_batches(PLAN, rows, []).rows, 3)["m_frauds"] == 0


def test_a_payment_without_an_event_id_is_the_subject_of_no_label() -> None:
    """Nor does it take the place of a payment with one, whichever that is."""
    tables, there = LaneTables(PLAN), T0 + 25 * SECOND
    tables.fold([pay(f"p{n}", T0, merchant="m") for n in range(64)])
    tables.fold([pay("", there, merchant="other")], nameless=True)
    tables.fold([assertion(f"l{n}", there, f"p{n}") for n in range(64)])
    of_m, of_other = (values_of(PLAN, tables.fold([pay(f"q{name}", there, merchant=name)]), 0)["m_frauds"] for name in ("m", "other"))
    assert (of_m, of_other) == (64, 0)
