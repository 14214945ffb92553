"""Short forms: what a person writes becomes one envelope of the run, whatever the spelling; what cannot be read is told where."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from gate_events import NOW_US, SCOPE, examined, raw

from assay.app.gate.admission import Admissible, RefusedEvent
from assay.app.gate.short_forms import LABELS, Reader, Short, label_of, payment_of, short_items
from assay.contracts import instants
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

PAID: dict[str, Any] = {"amount_minor": 1999, "currency": "EUR", "entities": {"customer": "7"}}
TOLD: dict[str, Any] = {"payment": "pay-1", "label": "FRAUD"}
DAY = "2025-12-31T23:00:00.000000Z"
DAY_US = instants.parse(DAY)


def read(body: Any, reader: Reader = payment_of, subject_us: int = DAY_US, now_us: int = NOW_US) -> dict[str, Any]:
    """The envelope of one item."""
    envelope: dict[str, Any] = msgspec.json.decode(reader(raw(body), SCOPE, now_us, 0).envelope(subject_us))
    return envelope


def admitted(body: Any, reader: Reader = payment_of) -> Admissible:
    item = examined(read(body, reader))
    assert isinstance(item, Admissible), item
    return item


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-01-01T00:00:00+01:00", DAY),
        ("2025-12-31t23:00:00z", DAY),
        ("2025-12-31T23:00:00.5Z", "2025-12-31T23:00:00.500000Z"),
        ("2025-12-31T23:00:00.123456789Z", "2025-12-31T23:00:00.123456Z"),
        ("2025-12-31T23:00:00.1234569999999999Z", "2025-12-31T23:00:00.123456Z"),
    ],
)
def test_the_time_of_a_payment_is_kept_in_utc_and_microseconds(given: str, kept: str) -> None:
    assert admitted({**PAID, "ts_utc": given}).envelope.ts_utc == kept


def test_a_payment_that_says_no_time_happens_now() -> None:
    assert admitted(PAID).ts_us == NOW_US


def test_an_instant_in_another_spelling_is_the_same_payment() -> None:
    first = admitted({**PAID, "event_id": "mine", "ts_utc": DAY})
    again = admitted({"ts_utc": "2026-01-01T00:00:00+01:00", **dict(reversed(PAID.items())), "event_id": "mine"})
    assert (first.dedupe_key, first.payload_hash, first.ts_us) == (again.dedupe_key, again.payload_hash, again.ts_us)


def test_payments_without_an_id_are_payments_of_their_own_in_one_call_and_in_two() -> None:
    for body in (PAID, {**PAID, "ts_utc": DAY}):
        items, many = short_items(raw([body, body]), payment_of, SCOPE, NOW_US, 5)
        assert many
        ids = [msgspec.json.decode(item.envelope(0))["event_id"] for item in items if isinstance(item, Short)]
        assert len({*ids, read(body, now_us=NOW_US + 1)["event_id"]}) == 3


def test_a_label_is_an_assertion_on_its_payment_at_the_time_of_that_payment() -> None:
    label = admitted({**TOLD, "known_at": "2026-01-01T00:00:00Z"}, label_of)
    assert (label.event_class, label.ts_us) == ("label", NOW_US)
    assert (label.payload.subject_event_id, label.payload.subject_ts_utc) == ("pay-1", DAY)
    assert (label.payload.label, label.payload.source) == ("FRAUD", LABELS)


def test_a_label_of_one_knowledge_is_the_same_label_and_a_later_one_is_another() -> None:
    known = {**TOLD, "known_at": "2026-01-01T00:00:00Z"}
    ids = [admitted(body, label_of).dedupe_key for body in (known, {**known, "known_at": "2026-01-01T01:00:00.0+01:00"})]
    assert ids[0] == ids[1]
    others = ({**known, "label": "LEGIT"}, {**known, "payment": "pay-2"}, {**known, "source": "desk"}, {**known, "known_at": DAY})
    assert len({read(body, label_of)["event_id"] for body in (known, *others)}) == 5


def test_a_label_that_says_the_time_of_its_payment_waits_for_nothing() -> None:
    short = label_of(raw({**TOLD, "payment_ts_utc": "2026-01-01T00:00:00+02:00"}), SCOPE, NOW_US, 0)
    assert (short.subject, short.timed) == ("pay-1", True)
    assert msgspec.json.decode(short.envelope(0))["payload"]["subject_ts_utc"] == "2025-12-31T22:00:00.000000Z"
    waiting = label_of(raw(TOLD), SCOPE, NOW_US, 0)
    assert (waiting.subject, waiting.timed) == ("pay-1", False)


@pytest.mark.parametrize(
    ("reader", "body", "where", "remedy"),
    [
        (payment_of, {**PAID, "ts_utc": "yesterday"}, "$.ts_utc", "offset"),
        (payment_of, {**PAID, "ts_utc": "2016-12-31T23:59:60Z"}, "$.ts_utc", "second 59"),
        (payment_of, {**PAID, "ts_utc": 1522540831}, "$.ts_utc", "Send"),
        (payment_of, {"currency": "EUR"}, "$.amount_minor", "A payment has amount_minor, currency and entities."),
        (label_of, {**TOLD, "known_at": "today"}, "$.known_at", "offset"),
        (label_of, {**TOLD, "payment_ts_utc": ""}, "$.payment_ts_utc", "offset"),
        (label_of, {**TOLD, "label": "fraud"}, "$.label", "FRAUD or LEGIT"),
        (label_of, {"event_id": "pay-1", "label": "FRAUD"}, "$.event_id", "A label has payment, the event_id of the payment"),
        (label_of, {"label": "FRAUD"}, "$.payment", "A label has payment"),
    ],
)
def test_what_is_no_short_form_is_refused_with_its_place(reader: Reader, body: Any, where: str, remedy: str) -> None:
    with pytest.raises(Quarantine) as refused:
        reader(raw(body), SCOPE, NOW_US, 0)
    assert (refused.value.reason, refused.value.where) == (Reason.BODY_INVALID, where)
    assert remedy in refused.value.remedy
    (item,), many = short_items(raw([body]), reader, SCOPE, NOW_US, 5)
    assert isinstance(item, RefusedEvent)
    assert (many, item.reason, item.where, item.raw) == (True, Reason.SCHEMA_FAIL, where, raw(body))
    assert (item.event_type, item.event_id) == ("AUTH_REQUEST" if reader is payment_of else "label_assertion", None)


@pytest.mark.parametrize(
    ("body", "event_id"),
    [
        (b'{"event_id":"mine","amount_minor":"x"}', "mine"),
        (b'{"event_id":"mine","event_id":"mine","amount_minor":1,"currency":"EUR","entities":{}}', None),
        (b'{"event_id":7}', None),
        (b'{"event_id":"' + b"x" * 257 + b'"}', None),
        (b"7", None),
        (b'{"event_id":""}', None),
    ],
)
def test_a_payment_that_cannot_be_read_keeps_its_id_where_that_is_one(body: bytes, event_id: str | None) -> None:
    (item,), _ = short_items(b"[" + body + b"]", payment_of, SCOPE, NOW_US, 5)
    assert isinstance(item, RefusedEvent)
    assert (item.event_id, item.event_class) == (event_id, "traffic")


def test_text_that_goes_wrong_behind_a_fault_is_told_of_the_fault() -> None:
    with pytest.raises(Quarantine) as refused:
        payment_of(b'{"currency":"EUR","entities":{"customer":false},"attributes":k}', SCOPE, NOW_US, 0)
    assert (refused.value.reason, refused.value.where) == (Reason.BODY_INVALID, "$.entities[...]")


@pytest.mark.parametrize(("body", "reason"), [(b"[{}", Reason.BODY_INVALID), (b"[1,2,3]", Reason.BODY_OVER_LIMIT)])
def test_an_array_that_cannot_be_taken_is_refused_whole(body: bytes, reason: Reason) -> None:
    with pytest.raises(Quarantine) as refused:
        short_items(body, payment_of, SCOPE, NOW_US, 2)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("reader", "where", "posted"),
    [
        (payment_of, "$.payload.entities.costumer", "$.entities.costumer"),
        (payment_of, "$.payload.entities['card no']", "$.entities['card no']"),
        (payment_of, "$.payload", "$"),
        (payment_of, "$.ts_utc", "$.ts_utc"),
        (payment_of, "$.event_id", "$.event_id"),
        (label_of, "$.ts_utc", "$.known_at"),
        (label_of, "$.payload.subject_event_id", "$.payment"),
        (label_of, "$.payload.subject_ts_utc", "$.payment_ts_utc"),
        (label_of, "$.payload.source", "$.source"),
    ],
)
def test_a_place_in_the_envelope_is_told_as_it_was_posted(reader: Reader, where: str, posted: str) -> None:
    body = PAID if reader is payment_of else TOLD
    assert reader(raw(body), SCOPE, NOW_US, 0).place(where) == posted
