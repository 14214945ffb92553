"""Entity ids become slots in the order of their first appearance, whatever the batches and however the table grows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.columns import Strings
from assay.tables.entities import EntityTable

IDS = st.one_of(st.none(), st.text("ab\x00é", max_size=10), st.integers(0, 40).map(lambda i: f"customer-with-a-long-id-{i}"))


def by_dictionary(ids: list[str | None]) -> list[int]:
    """Slots by an ordinary dictionary."""
    slots: dict[str, int] = {}
    return [-1 if id_ is None else slots.setdefault(id_, len(slots)) for id_ in ids]


def all_of(ids: list[str | None]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(len(ids), np.bool_)


@settings(max_examples=150, deadline=None)
@given(st.lists(IDS, max_size=150), st.integers(0, 150))
def test_slots_equal_a_dictionary_for_any_cut(ids: list[str | None], cut: int) -> None:
    whole, parts = EntityTable("customer"), EntityTable("customer")
    slots = whole.resolve(Strings.of(ids), all_of(ids))
    assert slots.tolist() == by_dictionary(ids)
    halves = [parts.resolve(Strings.of(half), all_of(half)) for half in (ids[:cut], ids[cut:])]
    np.testing.assert_array_equal(np.concatenate(halves), slots)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, parts.state()[name])
    assert whole.find(Strings.of(ids)).tolist() == slots.tolist()
    known = [id_ for id_ in dict.fromkeys(ids) if id_ is not None]
    assert whole.ids(np.arange(whole.count)).text() == known


def test_many_ids_keep_their_slots_while_the_table_grows() -> None:
    table = EntityTable("customer")
    for start in range(0, 20_000, 1000):
        ids: list[str | None] = [f"c{i}" for i in range(start, start + 1000)]
        assert table.resolve(Strings.of(ids), all_of(ids)).tolist() == list(range(start, start + 1000))
    assert table.find(Strings.of(["c0", "c19999", "c20000"])).tolist() == [0, 19_999, -1]


def test_an_unwanted_id_is_not_added() -> None:
    table = EntityTable("customer")
    assert table.resolve(Strings.of(["a", "b"]), np.array([False, True])).tolist() == [-1, 0]


def test_the_graph_keeps_first_and_last_time_and_counts_late_events() -> None:
    table = EntityTable("customer")
    slots = table.resolve(Strings.of(["a", "b", "a", "a"]), np.ones(4, np.bool_))
    table.observe(slots, np.array([50, 60, 90, 20]))
    first, last, events = (values.tolist() for values in table.graph(np.arange(2)))
    assert (first, last, events) == ([20, 60], [90, 60], [3, 1])
    assert table.take_touched().tolist() == [0, 1]
    assert table.take_touched().tolist() == []
