"""A card number of any network is found in every place of an item, refused, and stands nowhere in clear after that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gate_events import CONTEXT, LABEL, event, examined, paid, raw, row
from hypothesis import given
from hypothesis import strategies as st

from assay.app.gate.admission import Admissible, RefusedEvent, without_cards
from assay.app.gate.card_numbers import NETWORKS, Network, has_card, is_card, luhn, masked, masked_json, may_hold_card
from assay.app.gate.run_names import RunNames
from assay.contracts.reasons import Reason

VISA, AMEX, MASTERCARD = "4111111111111111", "378282246310005", "5555555555554444"
ENGINE = RunNames(of_engine=True)


def number_of(network: Network, length: int, head: int, fill: str) -> str:
    """A number with a valid check digit."""
    first = str(int(network.first) + head % (int(network.last) - int(network.first) + 1))
    body = (first + fill)[: length - 1].ljust(length - 1, "7")
    return next(body + last for last in "0123456789" if luhn(body + last) == 0)


fills = st.text("0123456789", min_size=18, max_size=18)
cards = st.sampled_from(NETWORKS).flatmap(
    lambda one: st.builds(number_of, st.just(one), st.sampled_from(sorted(one.lengths)), st.integers(0, 999), fills)
)


def grouped(card: str, between: str) -> str:
    return between.join(card[at : at + 4] for at in range(0, len(card), 4))


PLACES: list[tuple[str, Any]] = [
    ("$.event_id", lambda text: event(event_id=text)),
    ("$.producer", lambda text: event(producer=text)),
    ("$.trace_id", lambda text: event(trace_id=text)),
    ("$.span_id", lambda text: event(span_id=text)),
    ("$.parent_event_id", lambda text: event(parent_event_id=text)),
    ("$.payload.kind", lambda text: event(payload=paid(kind=text))),
    ("$.payload.entities.card", lambda text: event(payload=paid(entities={"card": text, "customer": "1"}))),
    ("$.payload.attributes.note", lambda text: event(payload=paid(attributes={"note": text}))),
    ("$.payload.attributes", lambda text: event(payload=paid(attributes={text: "1"}))),
    ("$.payload.entities", lambda text: event(payload=paid(entities={text: "1"}))),
    ("$.payload.attributes.city", lambda text: event("e-1", "context_fact", {**CONTEXT, "attributes": {"city": text}})),
    ("$.payload.subject_event_id", lambda text: event("e-1", "label_assertion", {**LABEL, "subject_event_id": text})),
    ("$.payload.source", lambda text: event("e-1", "label_assertion", {**LABEL, "source": text})),
]


@given(cards, st.sampled_from(["", " ", "-"]), st.sampled_from(["{}", "card {} of", "x{}", "12 {}", "{}!"]), st.sampled_from(PLACES))
def test_a_card_number_is_refused_in_every_place_and_told_nowhere(card: str, between: str, around: str, at: tuple[str, Any]) -> None:
    text = around.format(grouped(card, between))
    found = examined(at[1](text))
    assert isinstance(found, RefusedEvent)
    assert found.reason is Reason.PAN_IN_CLEAR
    assert found.where.startswith(at[0])
    kept = without_cards(found)
    told = json.dumps([kept.raw.decode(), kept.detail, kept.where, kept.remedy, kept.event_id])
    assert not has_card(told)
    assert grouped(card, between) not in told
    assert card[:6] in told.replace(" ", "").replace("-", "")


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.sampled_from([64, 32]))
def test_a_digest_is_no_card_number_whatever_digits_it_holds(text: str, length: int) -> None:
    assert not has_card(text[:length])
    assert isinstance(examined(event(event_id=text[:length])), Admissible)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (VISA, True),
        ("4222222222222", True),
        (AMEX, True),
        (MASTERCARD, True),
        ("2221000000000009", True),
        ("2220999999999993", False),
        ("6011111111111117", True),
        ("3530111333300000", True),
        ("30569309025904", True),
        ("6200000000000005", True),
        ("6759649826438453", True),
        ("4111111111111112", False),
        ("1234567812345670", False),
        ("41111111111111", False),
        ("1767225600000000", False),
        ("", False),
    ],
)
def test_a_card_number_has_a_network_a_length_and_a_check_digit(text: str, is_one: bool) -> None:
    assert is_card(text) is is_one


@pytest.mark.parametrize(
    "text",
    [
        "0.4111111111111111",
        f"{VISA}1",
        f"1{VISA}",
        "4111-11111111x11111",
        "00411111-1111-4111-8111-111111111111",
        "ab4111111111111111abcdefabcdefab",
        "4111  1111  1111  1111",
        "2018-04-01 00:00:31",
        "a41111111-11111111",
        "41111111-11111111b",
    ],
)
def test_other_digits_are_none(text: str) -> None:
    assert not has_card(text)
    assert masked(text) == text


@given(st.text("0123456789abcdef", min_size=16, max_size=40), st.integers(0, 10**9), st.sampled_from(["-", " "]))
def test_an_id_with_a_number_behind_it_is_none(name: str, number: int, between: str) -> None:
    name = f"{name}f{VISA[:5]}"
    assert not has_card(f"{name}{between}{number:011d}")


@pytest.mark.parametrize(
    "text", [f"x{VISA}", f"x{grouped(VISA, '-')}", f"{grouped(AMEX, ' ')}x", "x3782-822463-10005", "41111111-11111111"]
)
def test_a_number_that_touches_a_letter_is_found_in_one_piece_and_in_the_groups_of_a_card(text: str) -> None:
    assert has_card(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (VISA, "411111******1111"),
        ("4111 1111-1111 1111", "4111 11**-**** 1111"),
        (f"a {AMEX}, b {MASTERCARD}", "a 378282*****0005, b 555555******4444"),
        (f"12 {VISA} 34", "12 411111******1111 34"),
    ],
)
def test_six_digits_and_four_are_left(text: str, told: str) -> None:
    assert masked(text) == told


def test_escapes_hide_no_number_and_broken_bytes_are_masked_too() -> None:
    hidden = raw(event(payload=paid(attributes={"note": VISA}))).replace(b"4111111111111111", b"\\u0034111111111111\\u0031\\u00311")
    found = examined(hidden)
    assert isinstance(found, RefusedEvent)
    assert found.reason is Reason.PAN_IN_CLEAR
    assert b"411111******1111" in without_cards(found).raw
    assert masked_json(b'{"a": "\xff' + VISA.encode()) == b'{"a": "\xff411111******1111'
    assert masked_json(b"\\u0041 1") == b"\\u0041 1"


@pytest.mark.parametrize(
    "document",
    [
        event(payload=paid(attributes={"note": VISA}, colour=VISA)),
        event(payload=paid(amount_minor=int(VISA))),
        event(surprise=VISA),
        event(f"{'x' * 490}{VISA}"),
        event(payload=paid(currency=VISA)),
        {VISA: VISA},
        VISA,
    ],
)
def test_an_item_that_is_refused_for_another_reason_is_masked_too(document: Any) -> None:
    found = examined(document)
    assert isinstance(found, RefusedEvent)
    kept = without_cards(found)
    assert VISA not in json.dumps([kept.raw.decode(), kept.detail, kept.where, kept.remedy, kept.event_id])
    assert VISA[:12] not in kept.detail + kept.where


def test_ids_that_the_engine_gave_are_integers_and_no_cards() -> None:
    of_engine = event(payload=paid(entities={"account": VISA, "instrument": MASTERCARD}))
    assert isinstance(examined(of_engine, ENGINE), Admissible)
    assert isinstance(examined(of_engine), RefusedEvent)
    for entities in ({"card": VISA}, {"account": f"a{VISA}"}, {"account": "4111 1111 1111 1111"}):
        assert isinstance(examined(event(payload=paid(entities=entities)), ENGINE), RefusedEvent)
    assert isinstance(examined(row("s3_event_stream_with_fraud_6B", flow_id=int(VISA)), traffic="fraud"), Admissible)


def test_ids_of_entities_that_a_mapping_names_may_read_as_cards_and_nothing_else_may() -> None:
    names = RunNames(ids_in_clear=frozenset({"customer"}))
    assert isinstance(examined(event(payload=paid(entities={"customer": VISA})), names), Admissible)
    for payload in (paid(entities={"customer": "c", "card": VISA}), paid(attributes={"note": VISA}), paid(entities={VISA: "c"})):
        assert isinstance(examined(event(payload=payload), names), RefusedEvent)


def test_the_first_look_passes_over_ordinary_items() -> None:
    assert not may_hold_card(raw(event()))
    assert may_hold_card(raw(event(event_id="4111-1111 1111 1111")))


@given(
    text=st.text(st.sampled_from("0123456789 -.\naé€\x00"), max_size=40).map(lambda around: f"{around}4111111111111111{around[::-1]}"),
    plain=st.booleans(),
)
def test_the_first_look_passes_over_no_text_that_holds_a_card(text: str, plain: bool) -> None:
    assert not has_card(text) or may_hold_card(json.dumps({text: 1, "b": text}, ensure_ascii=plain).encode())
