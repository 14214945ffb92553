"""The entity graph as a step: slots, refusals, and evictions at its own pace that no decision can see."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from arrival_lane import ArrivalLane
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from records import CONTEXT, DAY_US, LABELS, T0_US, TRAFFIC, context_fact, label, payment
from states import written

from assay.agents.batch import Batch, Context, Result
from assay.codecs.columns import Strings
from assay.tables.entity_graph import EntityGraph

SECOND_US = 1_000_000
#: longer than the policy remembers an id
LONG_US = 39 * DAY_US


def crowd(start: int, stop: int, ts_us: int) -> list[bytes]:
    """Payments of a customer and a terminal each."""
    return [payment(f"p{n}", ts_us, 1_000, {"customer": f"c{n}", "terminal": f"t{n}"}) for n in range(start, stop)]


def spied(lane: ArrivalLane, name: str) -> list[tuple[Batch, Result]]:
    """The batches and results of a step from now on."""
    step, seen = lane.step(name), list[tuple[Batch, Result]]()
    handle = step.handle

    def spy(batch: Batch) -> Result:
        result: Result = handle(batch)
        seen.append((batch, result))
        return result

    step.handle = spy
    return seen


def test_a_row_has_the_slot_of_each_of_its_ids() -> None:
    lane = ArrivalLane()
    seen = spied(lane, "entity_graph")
    rows = [{"customer": "a", "terminal": "x"}, {"customer": "b"}, {"customer": "a"}, {}, {"terminal": "y"}]
    lane.fold({TRAFFIC: [payment(f"p{n}", T0_US, 5, ids) for n, ids in enumerate(rows)]})
    ((_, result),) = seen
    slots = {name: np.asarray(column).tolist() for name, column in result.columns.items()}
    assert slots == {"slot.customer": [0, 1, 0, -1, -1], "slot.terminal": [0, -1, -1, -1, 1]}
    assert {np.asarray(column).dtype for column in result.columns.values()} == {np.dtype(np.int32)}


def test_a_payment_with_an_amount_out_of_range_is_refused_before_any_table_sees_it() -> None:
    lane, untouched = ArrivalLane(), ArrivalLane()
    for one in (lane, untouched):
        one.fold({TRAFFIC: crowd(0, 3, T0_US)})
    lane.fold({TRAFFIC: [payment("bad", T0_US + LONG_US, 10**11, {"customer": "c0", "terminal": "new"})]})
    assert lane.letters == ["AMOUNT_OUT_OF_RANGE"]
    assert len(lane.decisions) == 3
    tables = ("entity_graph", "online_features")
    lane.step("online_features")._table._subjects.forget(lane.step("online_features")._table._subjects._end - 1)
    assert written(lane.step(tables[0])._graph) == written(untouched.step(tables[0])._graph)


def test_forgotten_ids_are_named_and_their_slots_freed_once_per_interval() -> None:
    lane = ArrivalLane()
    seen = spied(lane, "entity_graph")
    lane.fold({TRAFFIC: crowd(0, 100, T0_US)})
    lane.fold({TRAFFIC: crowd(100, 160, T0_US + LONG_US)})
    assert [len(np.asarray(result.frames["evicted"]["slot"])) for _, result in seen] == [0, 0], "nobody's turn has come"
    lane.rest()
    forgotten = [str(name) for _, result in seen for name in cast(Strings, result.frames["forgotten"]["id"]).text()]
    evicted = [tuple(row) for _, r in seen for row in zip(*(np.asarray(c).tolist() for c in r.frames["evicted"].values()), strict=True)]
    assert sorted(forgotten) == sorted(f"{kind}{n}" for n in range(100) for kind in "ct")
    assert sorted(evicted) == [(entity, slot) for entity in (0, 1) for slot in range(100)]
    assert seen[2][0].rows == 0, "a record without rows evicts"


def test_a_freed_slot_has_no_windows_when_the_rows_of_the_same_record_take_it() -> None:
    lane = ArrivalLane()
    lane.fold({TRAFFIC: crowd(0, 100, T0_US)})
    lane.fold({TRAFFIC: crowd(100, 160, T0_US + LONG_US)})
    seen = spied(lane, "entity_graph")
    lane.fold({TRAFFIC: crowd(1_000, 1_100, T0_US + LONG_US)}, after_us=2 * SECOND_US)
    ((_, result),) = seen
    freed = np.asarray(result.frames["evicted"]["slot"])
    taken = np.asarray(result.columns["slot.customer"])
    assert np.isin(taken, freed).all()
    lane.rest()
    for n in range(1_000, 1_100):
        row = lane.lane.table("features").row(f"customer:c{n}")
        assert row["payment_count"] == 1
        assert {window["count"] for window in row["windows"].values()} <= {0, 1}


def test_slots_that_a_record_without_rows_frees_have_no_windows_either() -> None:
    lane = ArrivalLane()
    lane.fold({TRAFFIC: crowd(0, 100, T0_US)})
    lane.fold({TRAFFIC: crowd(100, 160, T0_US + LONG_US)})
    lane.rest()
    lane.fold({TRAFFIC: crowd(1_000, 1_050, T0_US + LONG_US)})
    rows = [lane.lane.table("features").row(f"customer:c{n}") for n in range(1_000, 1_050)]
    assert [row["payment_count"] for row in rows] == [1] * 50


def _decided(lane: ArrivalLane) -> list[Any]:
    return [(row["source_event"]["event_id"], row["features"], row["score"], row["outcome"]) for row in lane.decisions]


RECORDS = st.lists(
    st.tuples(
        st.sampled_from([0, DAY_US, 30 * DAY_US, LONG_US]),
        st.sampled_from([1_000, 600_000, 2 * SECOND_US]),
        st.lists(st.tuples(st.sampled_from(["pay", "pay", "fact", "fraud"]), st.integers(0, 5)), min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=8,
)


def play(lane: ArrivalLane, records: Any, *, split: bool = False) -> None:
    """Fold these records with a crowd that makes a quarter of all slots forgotten soon; each row alone if `split`."""
    now, number = T0_US, 0
    lane.fold({TRAFFIC: crowd(100, 130, now)})
    for step_us, wall_us, rows in records:
        now += step_us
        values: list[tuple[str, bytes]] = []
        for kind, n in rows:
            number += 1
            ids = {"customer": f"c{n}", "terminal": f"t{n % 3}"}
            if kind == "pay":
                values.append((TRAFFIC, payment(f"x{number}", now, 1_000 * n, ids)))
            elif kind == "fact":
                values.append((CONTEXT, context_fact(f"x{number}", now, {"customer": f"c{n}"})))
            else:
                values.append((LABELS, label(f"x{number}", now, f"x{max(number - 1 - n, 1)}", now)))
        if split:
            for k, (handle, value) in enumerate(values):
                lane.fold({handle: [value]}, wall_us if k == 0 else 0)
        else:
            for k, (handle, group) in enumerate(_runs(values)):
                lane.fold({handle: group}, wall_us if k == 0 else 0)
    lane.rest()


def _runs(values: list[tuple[str, bytes]]) -> list[tuple[str, list[bytes]]]:
    """Neighbours of one topic together: a record keeps the order in which they came."""
    runs: list[tuple[str, list[bytes]]] = []
    for handle, value in values:
        if runs and runs[-1][0] == handle:
            runs[-1][1].append(value)
        else:
            runs.append((handle, [value]))
    return runs


@settings(max_examples=drawn(15), deadline=None)
@given(RECORDS)
def test_no_decision_depends_on_when_slots_are_freed_or_how_the_rows_are_split(records: Any) -> None:
    usual, split, seldom = ArrivalLane(), ArrivalLane(), ArrivalLane(changelog_interval_ms=10**12)
    play(usual, records)
    play(split, records, split=True)
    play(seldom, records)
    assert _decided(usual) == _decided(split) == _decided(seldom)
    assert usual.letters == split.letters == seldom.letters


@settings(max_examples=drawn(15), deadline=None)
@given(RECORDS, st.integers(0, 7))
def test_every_step_goes_on_from_its_state_as_if_nothing_had_happened(records: Any, cut: int) -> None:
    one, other = ArrivalLane(), ArrivalLane()
    for lane in (one, other):
        play(lane, records[:cut])
    other.restart()
    for name, step in one.steps().items():
        assert written(other.steps()[name]) == written(step), name
    for lane in (one, other):
        play(lane, records[cut:])
    assert one.newest == other.newest
    assert one.decisions == other.decisions
    for name, step in one.steps().items():
        assert written(other.steps()[name]) == written(step), name


def test_a_context_without_rows_reaches_no_table() -> None:
    lane = ArrivalLane()
    step = lane.step("entity_graph")
    before = written(step._graph)
    step.handle(Batch({}, np.zeros(0, np.bool_), Context(0, 0, 0, 10**15, [], 0)))
    assert written(step._graph) == before == written(EntityGraph(step._plan))
