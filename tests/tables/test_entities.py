"""Entity ids become slots in the order of their first appearance, whatever the batches and however the table grows."""

from __future__ import annotations

import numpy as np
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.columns import Strings
from assay.tables.entities import NOBODYS, EntityTable

SECOND = 1_000_000
FOREVER = 10**15
IDS = st.one_of(st.none(), st.text("ab\x00é", max_size=10), st.integers(0, 40).map(lambda i: f"customer-with-a-long-id-{i}"))


def by_dictionary(ids: list[str | None]) -> list[int]:
    """Slots by an ordinary dictionary."""
    slots: dict[str, int] = {}
    return [-1 if id_ is None else slots.setdefault(id_, len(slots)) for id_ in ids]


def fold(table: EntityTable, ids: list[str | None], first_row: int = 0, sequence: int = 0) -> list[int]:
    """Slots of these ids, which come one after another, a second apart."""
    rows = np.arange(first_row, first_row + len(ids))
    times = rows * SECOND
    found: list[int] = table.fold(Strings.of(ids), np.ones(len(ids), np.bool_), rows, times, times, sequence).tolist()
    return found


@settings(max_examples=drawn(150), deadline=None)
@given(st.lists(IDS, max_size=150), st.integers(0, 150))
def test_slots_equal_a_dictionary_for_any_cut(ids: list[str | None], cut: int) -> None:
    whole, parts = EntityTable("customer", FOREVER), EntityTable("customer", FOREVER)
    slots = fold(whole, ids)
    assert slots == by_dictionary(ids)
    assert fold(parts, ids[:cut]) + fold(parts, ids[cut:], cut) == slots
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, parts.state()[name])
    assert whole.find(Strings.of(ids)).tolist() == slots
    known = [id_ for id_ in dict.fromkeys(ids) if id_ is not None]
    assert whole.ids(np.arange(whole.count)).text() == known


def test_many_ids_keep_their_slots_while_the_table_grows() -> None:
    table = EntityTable("customer", FOREVER)
    for start in range(0, 20_000, 1000):
        assert fold(table, [f"c{i}" for i in range(start, start + 1000)], start) == list(range(start, start + 1000))
    assert table.find(Strings.of(["c0", "c19999", "c20000"])).tolist() == [0, 19_999, -1]


def test_the_id_of_a_row_that_is_no_fact_is_not_added() -> None:
    table = EntityTable("customer", FOREVER)
    rows = np.arange(2)
    assert table.fold(Strings.of(["a", "b"]), np.array([False, True]), rows, rows, rows, 0).tolist() == [-1, 0]


def test_the_graph_keeps_first_and_last_time_and_counts_late_events() -> None:
    table = EntityTable("customer", FOREVER)
    rows = np.arange(4)
    table.fold(Strings.of(["a", "b", "a", "a"]), np.ones(4, np.bool_), rows, np.array([50, 60, 90, 20]), np.array([50, 60, 90, 90]), 0)
    first, last, events = (values.tolist() for values in table.graph(np.arange(2)))
    assert (first, last, events) == ([20, 60], [90, 60], [3, 1])


def test_rows_that_changed_since_a_record_are_those_of_later_records() -> None:
    table = EntityTable("customer", FOREVER)
    fold(table, ["a", "b"], 0, sequence=3)
    fold(table, ["b", "c"], 2, sequence=7)
    assert [table.changed_since(sequence).tolist() for sequence in (-1, 2, 3, 6, 7)] == [[0, 1, 2], [0, 1, 2], [1, 2], [1, 2], []]
    assert table.changed_since(3).tolist() == [1, 2], "a reader changes nothing"


def test_an_idle_id_is_a_new_one_when_it_is_met_again() -> None:
    table = EntityTable("customer", 2 * SECOND)
    assert fold(table, ["a", "b", "a", "a"]) == [0, 1, 0, 0]
    assert fold(table, ["a"], 5) == [0]
    assert fold(table, ["a"], 8) == [2]
    assert table.find(Strings.of(["a", "b"])).tolist() == [2, -1]
    assert table.changed_since(-1).tolist() == [2], "forgotten ids have no row"
    assert table.ids(table.tell()).text() == ["a", "b"]
    assert table.tell().tolist() == []
    assert table.count == 1


@settings(max_examples=drawn(100), deadline=None)
@given(st.lists(IDS, max_size=150), st.integers(0, 150))
def test_ids_that_come_and_go_equal_a_dictionary_of_those_met_lately(ids: list[str | None], cut: int) -> None:
    """Whatever dies, the index still finds all the others."""
    table, parts = EntityTable("customer", 5 * SECOND), EntityTable("customer", 5 * SECOND)
    fold(table, ids)
    met = {id_: row for row, id_ in enumerate(ids) if id_ is not None}
    last = len(ids) - 1
    for id_, row in met.items():
        slot = int(table.find(Strings.of([id_]))[0])
        assert (slot >= 0) or last - row > 5
        assert slot < 0 or table.ids(np.array([slot])).text() == [id_]
    fold(parts, ids[:cut])
    restored = EntityTable.from_state("customer", 5 * SECOND, parts.state())
    fold(restored, ids[cut:], cut)
    for name, array in table.state().items():
        np.testing.assert_array_equal(array, restored.state()[name])


def test_a_stream_of_ids_that_never_come_back_takes_no_more_room_after_a_while() -> None:
    table = EntityTable("customer", 1_000 * SECOND)
    for start in range(0, 60_000, 500):
        fold(table, [f"c{i}" for i in range(start, start + 500)], start)
        table.tell()
        table.evict()
    assert table.slots < 3_000
    assert len(table.changed_since(-1)) == table.count, "a freed slot has no row"
    assert table.count < 2_500
    assert table.find(Strings.of(["c0", "c57000"])).tolist() == [-1, -1]
    assert (table.find(Strings.of([f"c{i}" for i in range(59_000, 60_000)])) >= 0).all()


def test_ids_come_in_memory_that_a_reader_cannot_write_to() -> None:
    table = EntityTable("customer", FOREVER)
    fold(table, ["a", "b"])
    assert not table.ids(np.arange(2)).data.flags.writeable


def test_a_slot_is_freed_only_after_its_id_was_told() -> None:
    """And only once forgotten ids hold a quarter of the slots; until then nobody else gets it."""
    table = EntityTable("customer", 10 * SECOND)
    fold(table, [f"c{i}" for i in range(100)])
    assert table.evict().tolist() == []
    told = table.tell().tolist()
    assert len(told) > 50
    fold(table, [f"d{i}" for i in range(30)], 100)
    assert table.evict().tolist() == told
    assert fold(table, ["e"], 130)[0] == told[0]
    assert table.births()[[told[0], told[1]]].tolist() == [130, NOBODYS]
