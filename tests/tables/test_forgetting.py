"""Ids that nobody meets any more are forgotten, no window sees it, and state stays flat in time."""

from __future__ import annotations

import numpy as np
import pytest
from effort import drawn
from feature_worlds import DOCUMENT, SECOND, assertion, fact, pay, random_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_tables import LaneTables, assert_equals_reference, fold_in_batches, values_of

from assay.codecs.columns import Columns, Strings
from assay.contracts.errors import Stop
from assay.tables.feature_plan import compile_plan

PLAN = compile_plan(DOCUMENT)
IDLE = PLAN.idle_us
T0 = 1_520_000_000 * SECOND


@settings(max_examples=drawn(40), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_values_equal_the_plain_python_fold_while_slots_go_from_id_to_id(seed: int, batch: int) -> None:
    rows = random_rows(seed, 400, spread=40)
    assert_equals_reference(PLAN, rows, fold_in_batches(PLAN, rows, list(range(0, 400, batch)), evict=True))


def test_a_long_lane_in_which_slots_go_from_id_to_id_equals_the_plain_python_fold() -> None:
    rows = random_rows(21, 12_000, spread=200)
    folded = fold_in_batches(PLAN, rows, list(range(0, 12_000, 50)), evict=True)
    assert_equals_reference(PLAN, rows, folded)
    account = folded.tables.graph.entities[0]
    assert account.slots < 700, "of the 1,000 accounts at most 700 are known at a time"
    assert folded.tables.restored().written() == folded.tables.written()


def test_state_does_not_grow_with_time() -> None:
    tables, sizes = LaneTables(PLAN, (IDLE, 10**6)), []
    for start in range(0, 20_000, 200):
        tables.evict()
        rows = [pay(f"p{i}", T0 + i * SECOND, account=f"a{i}", merchant=f"m{i}", device=f"d{i % 7}") for i in range(start, start + 200)]
        assert not any(tables.fold(rows).refusals)
        sizes.append(sum(map(len, tables.written().values())))
    assert max(sizes[50:]) <= 1.2 * max(sizes[10:50])
    assert tables.graph.entities[0].slots < 1_000
    assert all(len(pairs.held()) < 1_000 for windows in tables.features.windows for pairs in windows.pairs)


def test_an_id_is_forgotten_when_it_was_idle_for_longer_than_the_document_says() -> None:
    last_known, first_forgotten = (
        fold_in_batches(PLAN, [pay("p0", T0, account="a"), pay("p1", T0 + later, account="a")], []).rows for later in (IDLE, IDLE + 1)
    )
    assert values_of(PLAN, last_known, 1)["a_since"] == IDLE // 1_000
    assert values_of(PLAN, first_forgotten, 1)["a_since"] == -1


def test_a_context_fact_keeps_an_id_known() -> None:
    rows = [pay("p0", T0, account="a"), fact("c", T0 + IDLE, account="a"), pay("p1", T0 + 2 * IDLE, account="a")]
    assert values_of(PLAN, fold_in_batches(PLAN, rows, []).rows, 2)["a_since"] == 2 * IDLE // 1_000


def test_who_takes_the_slot_of_a_forgotten_id_takes_nothing_of_it() -> None:
    """Even late rows, which see windows that its payments were in: neither its members nor its frauds count for them."""
    crowd = [pay(f"x{n}", T0, account=f"x{n}", merchant=f"x{n}") for n in range(40)]
    clock = [pay(f"c{n}", T0 + n * SECOND, device="d") for n in range(1, IDLE // SECOND + 40)]
    late = [
        pay("late", T0 + SECOND, account="b", merchant="n"),
        assertion("l", T0 + SECOND, "p0"),
        pay("later", T0 + 2 * SECOND, merchant="n"),
    ]
    rows = [pay("p0", T0, account="a", merchant="m"), *crowd, *clock, *late]
    folded = fold_in_batches(PLAN, rows, [100, len(rows) - 3, len(rows) - 2, len(rows) - 1], evict=True)
    assert [ids.ids(np.array([0])).text() for ids in folded.tables.graph.entities[:2]] == [["b"], ["n"]]
    assert values_of(PLAN, folded.rows, len(rows) - 3)["a_merchants_now"] == 1
    assert values_of(PLAN, folded.rows, len(rows) - 1)["m_frauds"] == 0
    assert_equals_reference(PLAN, rows, folded)


def test_a_fraud_of_a_payment_whose_slot_is_free_is_not_there_when_the_next_id_takes_it() -> None:
    crowd = [pay(f"x{n}", T0, account=f"x{n}", merchant=f"x{n}") for n in range(40)]
    clock = [pay(f"c{n}", T0 + n * SECOND, device="d") for n in range(1, IDLE // SECOND + 40)]
    late = [assertion("l", T0 + SECOND, "p0"), *(pay(f"late{n}", T0 + n * SECOND, account="b") for n in (1, 13))]
    rows = [pay("p0", T0, account="a", merchant="m"), *crowd, *clock, *late]
    folded = fold_in_batches(PLAN, rows, [100, *range(len(rows) - 3, len(rows))], evict=True)
    assert folded.tables.graph.entities[0].ids(np.array([0])).text() == ["b"]
    assert values_of(PLAN, folded.rows, len(rows) - 1)["a_frauds"] == 0


def test_leaps_of_the_clock_within_a_batch_forget_as_they_do_row_by_row() -> None:
    rows = [
        pay("p0", T0, account="a", merchant="m"),
        pay("p1", T0 + 2 * IDLE, account="a", merchant="n"),
        assertion("l0", T0 + 2 * IDLE, "p0"),
        assertion("l1", T0 + 2 * IDLE, "p1"),
        pay("p2", T0 + 2 * IDLE + SECOND, account="a", merchant="n"),
        pay("p3", T0 + 4 * IDLE, account="a", merchant="n"),
    ]
    whole, single = fold_in_batches(PLAN, rows, []), fold_in_batches(PLAN, rows, [1, 2, 3, 4, 5])
    assert_equals_reference(PLAN, rows, whole)
    assert whole.tables.written() == single.tables.written()


def text(columns: Columns, name: str) -> list[str | None]:
    column = columns[name]
    assert isinstance(column, Strings)
    return column.text()


def test_a_forgotten_id_is_named_once_and_has_no_row_any_more() -> None:
    tables = LaneTables(PLAN)
    tables.fold([pay("p0", T0, account="a", merchant="m")])
    for n in range(1, 4):
        tables.fold([pay(f"p{n}", T0 + n * IDLE, merchant="n")])
    graph = tables.graph.view()
    assert graph.row("account", "a") is None
    assert tables.features.view().row(graph, "account", "a") is None
    assert graph.row("merchant", "n") is not None
    assert text(tables.changed_features(0, -1), "id") == []
    assert graph.changed_since(0, -1).tolist() == []
    forgotten = tables.evict().forgotten
    assert list(zip(np.asarray(forgotten["entity"]).tolist(), text(forgotten, "id"), strict=True))[:2] == [(0, "a"), (1, "m")]
    assert text(tables.evict().forgotten, "id") == []


def test_eviction_clears_windows_and_pairs_before_another_id_takes_the_slot() -> None:
    tables = LaneTables(PLAN)
    tables.fold([pay(f"p{n}", T0, 5, account=f"a{n}", merchant=f"m{n}", device="d") for n in range(100)])
    tables.fold([pay("kept", T0, 5, account="kept", merchant="m0", device="d"), fact("f", T0 + IDLE, account="kept")])
    tables.fold([pay(f"q{n}", T0 + 2 * IDLE, account="b", device="d") for n in range(60)])
    evicted = tables.evict().evicted
    numbers, slots = np.asarray(evicted["entity"]), np.asarray(evicted["slot"])
    assert len(slots) > 150
    for e, windows in enumerate(tables.features.windows):
        freed = slots[numbers == e]
        assert not windows.lines[freed].any()
        assert not windows.versions.has(freed).any()
    account = tables.features.windows[0]
    for pairs, other in zip(account.pairs, account.plan.pair_entities, strict=True):
        held = pairs.held()
        assert not np.isin(held[:, 0], slots[numbers == 0]).any()
        assert not np.isin(held[:, 1], slots[numbers == PLAN.entities.index(other)]).any()
        assert len(held) == (2 if other == "device" else 0), "of b and of the account that facts keep, with the device"


@pytest.mark.parametrize("forget_after", ["70s", "1s", "0s", "", 5, None])
def test_a_document_that_forgets_sooner_than_a_window_reaches_back_is_refused(forget_after: object) -> None:
    with pytest.raises(Stop, match="forget_after"):
        compile_plan({**DOCUMENT, "forget_after": forget_after})


def test_a_document_that_does_not_say_forgets_after_30_days_or_when_its_longest_window_is_over() -> None:
    assert compile_plan({key: value for key, value in DOCUMENT.items() if key != "forget_after"}).idle_us == 30 * 86_400 * SECOND
