"""The payments of a world as envelopes, in event-time order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from effort import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sent_sequences import payments_of, read
from small_worlds import ROWS, small_world

from assay.app.streamer.pacing import END_OF_TIME
from assay.contracts.canonical import canonical
from assay.contracts.envelope import check
from assay.contracts.errors import Stop


def test_every_envelope_conforms_to_the_contract(tmp_path: Path) -> None:
    for event in read(payments_of(small_world(tmp_path))):
        assert check(event) is None


def test_payments_come_in_event_time_order_and_no_label_among_them(tmp_path: Path) -> None:
    view = payments_of(small_world(tmp_path))
    events = read(view)
    assert [event["ts_utc"] for event in events] == sorted(event["ts_utc"] for event in events)
    assert [event["event_type"] for event in events] == ["transaction"] * 4
    assert view.classes == ("traffic", "context")


def test_truth_is_in_no_payment(tmp_path: Path) -> None:
    for event in read(payments_of(small_world(tmp_path))):
        text = json.dumps(event["payload"])
        assert "fraud" not in text
        assert "stolen" not in text


def test_nulls_are_left_out_and_text_is_escaped(tmp_path: Path) -> None:
    payments = [event["payload"] for event in read(payments_of(small_world(tmp_path)))]
    transfer = next(payment for payment in payments if payment["kind"] == "transfer")
    assert transfer == {
        "kind": "transfer",
        "amount_minor": 99_999_999_999,
        "currency": "EUR",
        "entities": {"customer": "8"},
        "attributes": {"channel": 'quote " and ü'},
    }
    assert sum("channel" not in payment["attributes"] for payment in payments) == 1


@settings(max_examples=drawn(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20), min_size=4, max_size=4),
)
def test_any_text_survives_framing(tmp_path: Path, texts: list[str]) -> None:
    payments = read(payments_of(small_world(tmp_path, {**ROWS, "channel": texts}, truth=None)))
    assert sorted(payment["payload"]["attributes"]["channel"] for payment in payments) == sorted(texts)
    for payment in payments:
        canonical(payment)


def test_a_row_that_no_call_can_hold_is_refused_by_name_after_those_before_it(tmp_path: Path) -> None:
    view = payments_of(small_world(tmp_path, {**ROWS, "channel": ["web", None, "x" * 900, "web"]}))
    wide = read(view)[3]
    taken = [view.take(position, 100, END_OF_TIME, 1_500) for position in (0, 2)]
    assert [batch.rows for batch in taken if batch] == [2, 1]
    with pytest.raises(Stop, match=f"BODY_OVER_LIMIT: the transaction {wide['event_id']} of {wide['ts_utc']}") as refusal:
        view.take(3, 100, END_OF_TIME, 1_500)
    assert refusal.value.remedy


def test_the_end_is_after_every_payment(tmp_path: Path) -> None:
    view = payments_of(small_world(tmp_path))
    assert view.end_us == 1_522_627_200_500_000 + 1
