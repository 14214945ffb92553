"""Ids are found in the bytes of an item and replaced there; everything else keeps its bytes, and a fault of an id stays one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from effort import drawn
from gate_events import NOW_US, SCOPE, event, paid, raw
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.gate.admission import Admissible, Examiner, RefusedEvent
from assay.app.gate.ids_in_json import IN_ENVELOPE, IN_SHORT, hidden, is_id, opened, replaced, subjects_in
from assay.app.gate.policy import shipped_admission_policy
from assay.contracts.reasons import Reason

EXAMINER = Examiner(shipped_admission_policy(), SCOPE)
DECLARED = ("card", "customer")
SEEN = "4711-seen-by-nobody"

ids = st.text(min_size=1, max_size=20).filter(is_id)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=4), below, max_size=3),
    max_leaves=6,
)


def in_place(item: bytes, way: tuple[str, ...] = IN_ENVELOPE) -> bytes:
    """The item with `tok-` before each id that is declared."""
    found = opened(item, way, DECLARED)
    assert found is not None
    return replaced(found, {one: f"tok-{one[0]}" for one in subjects_in(found)})


def examined(item: bytes) -> Admissible | RefusedEvent:
    return EXAMINER.examine(item, NOW_US, 0)


@settings(max_examples=drawn(120))
@given(ids, ids, st.dictionaries(st.text(max_size=5), json_values, max_size=3), st.sampled_from([None, 1]), st.booleans())
def test_only_the_declared_ids_are_replaced(card: str, shop: str, more: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    entities = {**more, "card": card, "shop": shop, "customer": None}
    document = event(payload={**paid(entities=entities), "more": more})
    item = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    found = opened(item, IN_ENVELOPE, DECLARED)
    expected = {**document, "payload": {**document["payload"], "entities": {**entities, "card": "tok-card"}}}
    if found is not None:  # a control character in a text is refused before
        assert list(subjects_in(found)) == [("card", card)]
        assert json.loads(in_place(item)) == expected
    else:
        refused = examined(item)
        assert isinstance(refused, RefusedEvent)


def test_a_number_keeps_its_text_and_keys_their_order() -> None:
    item = b'{"b":1.50,"a":1e3,"payload":{"x":-0.0,"entities":{"shop":"s","card":"c"},"y":[ 1 , 2]}}'
    assert in_place(item) == item.replace(b'"c"', b'"tok-card"')


def test_the_short_form_has_its_entities_outside() -> None:
    assert in_place(b'{"entities":{"card":"c"},"payload":{"entities":{"card":"c"}}}', IN_SHORT) == (
        b'{"entities":{"card":"tok-card"},"payload":{"entities":{"card":"c"}}}'
    )


@pytest.mark.parametrize("item", [b"{}", b'{"payload":{}}', b'{"payload":{"entities":{}}}', b'{"entities":{"card":"c"}}'])
def test_an_item_without_entities_stays_as_it_is(item: bytes) -> None:
    assert in_place(item) == item


ILL_FORMED: list[tuple[Any, Reason]] = [
    (f" {SEEN}", Reason.BLANKS_AROUND_ID),
    (f"{SEEN}\u00a0", Reason.BLANKS_AROUND_ID),
    (SEEN * 20, Reason.SCHEMA_FAIL),
    ("", Reason.SCHEMA_FAIL),
    (4711, Reason.SCHEMA_FAIL),
    (4711.5, Reason.SCHEMA_FAIL),
    (True, Reason.SCHEMA_FAIL),
    ([SEEN], Reason.SCHEMA_FAIL),
    ({SEEN: SEEN}, Reason.SCHEMA_FAIL),
]


@pytest.mark.parametrize(("value", "reason"), ILL_FORMED)
def test_an_id_that_the_gate_refuses_is_hidden_and_refused_for_the_same_fault(value: Any, reason: Reason) -> None:
    item = raw(event(payload=paid(entities={"card": value})))
    plain, told = examined(item), examined(in_place(item))
    assert isinstance(plain, RefusedEvent)
    assert isinstance(told, RefusedEvent)
    assert (plain.reason, plain.where) == (told.reason, told.where) == (reason, told.where)
    assert b"4711" not in told.raw
    assert "4711" not in told.detail


@settings(max_examples=drawn(120))
@given(st.text(max_size=300).filter(lambda text: not is_id(text)))
def test_what_hides_an_ill_formed_text_is_as_ill_formed_and_tells_no_letter_of_it(text: str) -> None:
    assert not is_id(hidden(text))
    assert len(hidden(text)) == len(text)
    assert {one for one in hidden(text) if one.isalnum()} == set()


UNKNOWN_PLACES = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'{"payload":{"entities":{"card":"4711"', id="a part"),
    pytest.param(b'{"payload":[{"entities":{"card":"4711"}}]}', id="a payload that is a list"),
    pytest.param(b'{"payload":{"entities":["card","4711"]}}', id="entities that are a list"),
    pytest.param(b'{"payload":{"entities":null}}', id="entities that are null"),
    pytest.param(b'{"payload":{"entities":{"card":"4711","card":"c"}}}', id="an id twice"),
    pytest.param(b'{"payload":{"entities":{"card":"4711","c\\u0061rd":"c"}}}', id="an id twice, in other letters"),
    pytest.param(b'{ "payload": {"entities": {"card": "4711"}, "entities": {"card":"c"}}}', id="entities twice"),
    pytest.param(b'{"payload":{"entities":{"card":"4711"}},"payload":{}}', id="a payload twice"),
    pytest.param(b'{"payload":{"entities":{"card":"4711"},"x":{"a":1,"a":2}}}' + b" " * 0 + b"", id="a key twice elsewhere"),
    pytest.param(b'{"payload":{"entities":{"card":"47\xff11"}}}', id="no UTF-8"),
    pytest.param(b'{"a":' * 2_000 + b"1" + b"}" * 2_000, id="nested without end"),
]


@pytest.mark.parametrize("item", UNKNOWN_PLACES)
def test_an_item_whose_places_cannot_be_told_is_one_that_the_gate_refuses(item: bytes) -> None:
    """Also after a key that is there twice outside of the entities was left there: its item is refused, and its body not kept."""
    assert isinstance(examined(item), RefusedEvent)
    found = opened(item, IN_ENVELOPE, DECLARED)
    if found is not None:
        assert isinstance(examined(replaced(found, dict.fromkeys(subjects_in(found), "tok"))), RefusedEvent)


def test_entities_that_stand_elsewhere_too_are_replaced_in_their_place_alone() -> None:
    same = {"card": "c"}
    item = json.dumps(event(payload=paid(entities=same, attributes=same))).encode()
    assert json.loads(in_place(item))["payload"] == paid(entities={"card": "tok-card"}, attributes=same)
    assert opened(item.replace(b'"kind"', b'"attributes": {}, "kind"'), IN_ENVELOPE, DECLARED) is None, "a key twice, and written again"


@settings(max_examples=drawn(200))
@given(st.lists(st.tuples(st.sampled_from(["card", "shop", "customer"]), st.sampled_from(["4711", "c"])), max_size=4), st.booleans())
def test_no_id_that_is_there_twice_gets_through(members: list[tuple[str, str]], blanks: bool) -> None:
    gap = " " if blanks else ""
    text = ",".join(f'"{name}":{gap}"{value}"' for name, value in members)
    good = msgspec.json.encode(event(payload=paid(entities={})))
    item = good.replace(b'"entities":{}', f'"entities":{{{text}}}'.encode())
    found = opened(item, IN_ENVELOPE, DECLARED)
    assert (found is None) == (len({name for name, _ in members}) < len(members))
