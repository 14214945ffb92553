"""A key that is there twice and a control character are refused wherever they stand, however the text is spelled, and nothing else is."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from gate_events import NOW_US, PAYMENT, SCOPE, event, examined, paid, raw
from gate_process import mark
from hypothesis import given
from hypothesis import strategies as st

from assay.app.gate.admission import Admissible, RefusedEvent
from assay.app.gate.exact import check_exact
from assay.app.gate.requests import mark_of
from assay.app.gate.short_forms import payment_of
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

CLASSES = ("traffic", "context", "label")
PERSON = {"amount_minor": 1999, "currency": "EUR", "entities": {"customer": "7"}}
#: what counting has to see through: colons, quotes, escapes, bytes that look like those of control characters
SHY = st.text(st.sampled_from(':"\\ ,{}aé©\u00a0\u2028東'), max_size=6)
NAMED = SHY.filter(lambda text: bool(text) and text == text.strip())
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]

Members = list[tuple[str, Any]]


def spelled(value: Any, rng: Random) -> str:
    """JSON text of a value, in one of its many spellings. An object is a list of its members, so a key may be there twice."""
    if isinstance(value, str):
        return '"' + "".join(_letter(letter, rng) for letter in value) + '"'
    if isinstance(value, list):
        members = [f"{spelled(key, rng)}{_blank(rng)}:{_blank(rng)}{spelled(child, rng)}" for key, child in value]
        return "{" + _blank(rng) + f"{_blank(rng)},".join(members) + _blank(rng) + "}"
    return json.dumps(value)


def _letter(letter: str, rng: Random) -> str:
    if letter in '"\\' or letter < " " or rng.random() < 0.02:
        units = letter.encode("utf-16-be")
        return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
    return letter


def _blank(rng: Random) -> str:
    return rng.choice(("", "", "", " ", "\n", "\t"))


def members(document: dict[str, Any]) -> Members:
    return [(key, members(child) if isinstance(child, dict) else child) for key, child in document.items()]


def objects(found: Members) -> list[Members]:
    """An object and all objects inside."""
    return [found, *(inner for _, child in found if isinstance(child, list) for inner in objects(child))]


ITEMS = st.builds(
    lambda event_id, producer, payload: event(event_id, producer=producer, payload=payload),
    NAMED,
    NAMED,
    st.fixed_dictionaries(
        {
            "kind": NAMED,
            "amount_minor": st.integers(0, 10**11 - 1),
            "currency": st.just("EUR"),
            "entities": st.dictionaries(NAMED, st.none() | NAMED, max_size=4),
        },
        optional={"attributes": st.dictionaries(NAMED, SHY, max_size=4)},
    ),
)


@given(ITEMS, st.integers(0, 2**32))
def test_an_item_without_a_fault_is_admitted_in_every_spelling(document: dict[str, Any], seed: int) -> None:
    item = examined(spelled(members(document), Random(seed)).encode())
    assert isinstance(item, Admissible), item
    assert item.payload_hash == examined(document).payload_hash  # type: ignore[union-attr]


@given(ITEMS, st.integers(0, 2**32), st.data())
def test_a_key_that_is_there_twice_is_refused_wherever_it_stands(document: dict[str, Any], seed: int, data: st.DataObject) -> None:
    whole = members(document)
    chosen = data.draw(st.sampled_from([found for found in objects(whole) if found]))
    key, child = data.draw(st.sampled_from(chosen))
    chosen.insert(data.draw(st.integers(0, len(chosen))), (key, child))
    item = examined(spelled(whole, Random(seed)).encode())
    assert isinstance(item, RefusedEvent)
    assert item.reason is Reason.KEY_DUPLICATE
    assert item.event_id == (None if chosen is whole and key == "event_id" else document["event_id"])


@given(ITEMS, st.sampled_from(CONTROLS), st.sampled_from(["event_id", "producer", "kind", "entities", "attributes"]), st.booleans())
def test_a_control_character_is_refused_wherever_it_stands(document: dict[str, Any], control: str, place: str, in_name: bool) -> None:
    payload = document["payload"]
    if place in ("entities", "attributes"):
        payload[place] = {**payload.get(place, {}), **({f"a{control}": "b"} if in_name else {"a": f"b{control}"})}
    elif place == "kind":
        payload[place] += control
    else:
        document[place] += control
    item = examined(document)
    assert isinstance(item, RefusedEvent)
    assert item.reason is Reason.CONTROL_CHARACTER
    assert place in item.where


@pytest.mark.parametrize(
    ("text", "reason", "where"),
    [
        (b'{"a":1,"a":1}', Reason.KEY_DUPLICATE, "$.a"),
        (b'{"a":1,"\\u0061":2}', Reason.KEY_DUPLICATE, "$.a"),
        (b'[{"x":1},{"b c":{"d":1,"d":[]}}]', Reason.KEY_DUPLICATE, "$[1]['b c'].d"),
        (b'{"a":{"b":1,"b":1},"a":1}', Reason.KEY_DUPLICATE, "$.a"),
        (b'{"a":["x",{"b":"\\u0000"}]}', Reason.CONTROL_CHARACTER, "$.a[1].b"),
        (b'{"a\\u001b":1}', Reason.CONTROL_CHARACTER, "$['a\\x1b']"),
        (b'{"a":"\\u001b[2J"}', Reason.CONTROL_CHARACTER, "$.a"),
        (b'{"a":"\xff"}', Reason.BODY_INVALID, "$"),
        (b"[" * 50_000 + b"]" * 50_000, Reason.BODY_INVALID, "$"),
    ],
)
def test_a_fault_is_named_with_its_place(text: bytes, reason: Reason, where: str) -> None:
    with pytest.raises(Quarantine) as refusal:
        check_exact(text, Reason.BODY_INVALID)
    assert (refusal.value.reason, refusal.value.where) == (reason, where)
    assert refusal.value.remedy
    assert str(refusal.value).isprintable(), "no control character reaches a terminal"


@pytest.mark.parametrize(
    "text", [b"{}", b'{"a":{"a":{"a":1}}}', b'[{"a":1},{"a":1}]', b'{"a":"a:a","b":[1.5,-0,1e400,true,null]}', b"9" * 10_000]
)
def test_text_that_says_each_key_once_passes(text: bytes) -> None:
    check_exact(text, Reason.BODY_INVALID)


def test_each_control_character_is_seen_in_each_of_its_spellings() -> None:
    short = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    spellings = [spelling for control in CONTROLS for spelling in (f"\\u{ord(control):04x}", f"\\u{ord(control):04X}")]
    spellings += [*short.values(), *CONTROLS[0x20:]]
    for spelling in spellings:
        with pytest.raises(Quarantine) as refusal:
            check_exact(f'{{"a":"b{spelling}"}}'.encode(), Reason.BODY_INVALID)
        assert refusal.value.reason is Reason.CONTROL_CHARACTER, spelling


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (raw(PERSON)[:-1] + b',"amount_minor":5}', Reason.KEY_DUPLICATE),
        (raw(PERSON).replace(b'{"customer', b'{"customer":"8","customer'), Reason.KEY_DUPLICATE),
        (raw({**PERSON, "event_id": "mine\0"}), Reason.CONTROL_CHARACTER),
    ],
)
def test_a_payment_posted_by_hand_is_read_to_the_letter(body: bytes, reason: Reason) -> None:
    with pytest.raises(Quarantine) as refusal:
        payment_of(body, SCOPE, NOW_US, 0)
    assert refusal.value.reason is reason


def test_a_mark_is_read_to_the_letter() -> None:
    with pytest.raises(Quarantine) as refusal:
        mark_of(raw(mark("2018-04-02T00:00:00.000000Z"))[:-1] + b',"final":true,"final":false}', SCOPE, CLASSES)
    assert (refusal.value.reason, refusal.value.where) == (Reason.KEY_DUPLICATE, "$.final")


def test_a_payload_that_was_dropped_need_not_be_one() -> None:
    """The compiled reader looks at the last one only."""
    item = examined(raw(event()).replace(b'"payload"', b'"payload":{"deep":' + b"[" * 20 + b"]" * 20 + b'},"payload"'))
    assert isinstance(item, RefusedEvent)
    assert (item.reason, item.where) == (Reason.KEY_DUPLICATE, "$.payload")
    assert isinstance(examined(event(payload=paid(**PAYMENT))), Admissible)
