"""Examples of every body, in the names of one run: the gate of that run takes each of them as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.contracts import instants

_DAY_US = 86_400_000_000


def examples_of(pins: Mapping[str, str | int], entities: Sequence[str], currency: str, now_us: int) -> dict[str, Any]:
    """Name → body. They may be posted in this order: a label comes after its payment. The mark at the epoch refuses nothing."""
    name = f"example-{now_us // 1_000_000}-"  # another start has another time: its examples are events of their own
    payment_id = f"{name}1"
    paid, known = instants.text(now_us - _DAY_US), instants.text(now_us)
    named = {entity: f"{entity[0]}-1" for entity in entities or ("customer",)}
    payment = {"amount_minor": 25_000, "currency": currency, "entities": named}
    attributes = {"channel": "web"}
    whole = {**payment, "event_id": payment_id, "ts_utc": paid, "kind": "purchase", "attributes": attributes}
    label = {"payment": payment_id, "label": "FRAUD", "known_at": known}

    def envelope(event_id: str, event_type: str, ts_utc: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return {"event_id": event_id, "event_type": event_type, "schema_version": "v1", "ts_utc": ts_utc, **pins, "payload": payload}

    of_payment = envelope(f"{name}2", "transaction", paid, {**payment, "kind": "purchase", "attributes": attributes})
    of_fact = envelope(f"{name}3", "context_fact", paid, {"entities": named, "attributes": {"city": "Köln"}})
    says = {"subject_event_id": payment_id, "subject_ts_utc": paid, "label": "LEGIT", "source": "desk"}
    mark = {pin: value for pin, value in pins.items() if pin != "run_id"}
    return {
        "payment": payment,
        "payment with all fields": whole,
        "payment that waits": {**payment, "event_id": f"{name}7"},
        "payments": [payment, {**payment, "amount_minor": 999}],
        "label": {"payment": payment_id, "label": "FRAUD"},
        "labels": [label, {**label, "label": "LEGIT"}],
        "envelope of a payment": of_payment,
        "envelope of a fact": of_fact,
        "envelope of a label": envelope(f"{name}4", "label_assertion", known, says),
        "envelopes": [{**of_payment, "event_id": f"{name}5"}, {**of_fact, "event_id": f"{name}6"}],
        "mark": {**mark, "ts_utc": instants.text(0), "final": False},
    }
