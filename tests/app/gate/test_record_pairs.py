"""Lists of names and keys are those of each event by itself, whether all events have the same names or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.gate.record_pairs import keys_of, pairs_of
from assay.contracts.keys import entity_key

NAMES = st.sampled_from(["terminal", "customer", "card", "zebra", "ü"])
VALUES = st.text(max_size=4)
SAME = st.lists(NAMES, max_size=4, unique=True).flatmap(
    lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, VALUES)), min_size=1)
)
ANY = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), min_size=1, max_size=5)


@settings(max_examples=drawn(300), deadline=None)
@given(SAME | ANY)
def test_lists_and_keys_are_those_of_each_event(objects: Sequence[Mapping[str, str]]) -> None:
    made = pairs_of(objects, "name", "id")
    names, values = made.children["name"].text(), made.children["id"].text()
    offsets = made.offsets.tolist()
    found = [list(zip(names[a:b], values[a:b], strict=True)) for a, b in pairwise(offsets)]
    assert found == [sorted(members.items()) for members in objects]
    ids = [f"e-{number}" for number in range(len(objects))]
    assert keys_of(objects, ids) == [entity_key(members, event_id) for members, event_id in zip(objects, ids, strict=True)]
