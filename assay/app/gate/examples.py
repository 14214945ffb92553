"""Examples of every body, in the names of one run: the gate of that run takes each of them as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.contracts import instants

PAYMENT_ID = "example-1"
_DAY_US = 86_400_000_000


def examples_of(pins: Mapping[str, str | int], entities: Sequence[str], currency: str, now_us: int) -> dict[str, Any]:
    """Name → body. They may be posted in this order: a label comes after its payment. The mark at the epoch refuses nothing."""
    paid, known = instants.text(now_us - _DAY_US), instants.text(now_us)
    named = {name: f"{name[0]}-1" for name in entities or ("customer",)}
    payment = {"amount_minor": 25_000, "currency": currency, "entities": named}
    attributes = {"channel": "web"}
    whole = {**payment, "event_id": PAYMENT_ID, "ts_utc": paid, "kind": "purchase", "attributes": attributes}
    label = {"payment": PAYMENT_ID, "label": "FRAUD", "known_at": known}

    def envelope(event_id: str, event_type: str, ts_utc: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return {"event_id": event_id, "event_type": event_type, "schema_version": "v1", "ts_utc": ts_utc, **pins, "payload": payload}

    of_payment = envelope("example-2", "transaction", paid, {**payment, "kind": "purchase", "attributes": attributes})
    of_fact = envelope("example-3", "context_fact", paid, {"entities": named, "attributes": {"city": "Köln"}})
    says = {"subject_event_id": PAYMENT_ID, "subject_ts_utc": paid, "label": "LEGIT", "source": "desk"}
    mark = {name: value for name, value in pins.items() if name != "run_id"}
    return {
        "payment": payment,
        "payment with all fields": whole,
        "payments": [payment, {**payment, "amount_minor": 999}],
        "label": {"payment": PAYMENT_ID, "label": "FRAUD"},
        "labels": [label, {**label, "label": "LEGIT"}],
        "envelope of a payment": of_payment,
        "envelope of a fact": of_fact,
        "envelope of a label": envelope("example-4", "label_assertion", known, says),
        "envelopes": [{**of_payment, "event_id": "example-5"}, {**of_fact, "event_id": "example-6"}],
        "mark": {**mark, "ts_utc": instants.text(0), "final": False},
    }
