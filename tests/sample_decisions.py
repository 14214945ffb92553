"""A feature document of three features, and a decision under it as a record with every field set."""

from __future__ import annotations

from typing import Any

FEATURES: dict[str, Any] = {
    "feature_set": "sample",
    "revision": "1",
    "entities": ["customer"],
    "label_entities": [],
    "features": [
        {"name": "count_1d", "entity": "customer", "op": "count", "window": "1d", "resolution": "1h", "include_current": True},
        {
            "name": "mean_1d",
            "entity": "customer",
            "op": "mean",
            "value": "amount_minor",
            "window": "1d",
            "resolution": "1h",
            "include_current": True,
        },
        {"name": "is_night", "op": "night", "to_hour": 6},
    ],
}
PINS: dict[str, Any] = {
    "platform_run_id": "platform_20260101T000000Z",
    "scenario_run_id": b"\0" * 16,
    "manifest_fingerprint": b"\1" * 32,
    "parameter_hash": b"\2" * 32,
    "scenario_id": "sample",
    "seed": 7,
}


def decision_record(event_id: str = "pay-1") -> dict[str, Any]:
    """The decision on an event."""
    revision = {"policy_id": "p", "revision": "1", "content_digest": b"\3" * 32}
    return {
        "decision_id": b"\4" * 16,
        "source_event": {"event_id": event_id, "event_type": "transaction", "ts_utc": 5, "topic": "T", "partition": 0, "offset": 9},
        "amount_minor": 31_000,
        "currency": "EUR",
        "entities": {"customer": "c-1"},
        "outcome": "STEP_UP",
        "score": 35,
        "reasons": ["MANY", "NIGHT"],
        "features": {"longs": [4, 1], "doubles": [0.5]},
        "snapshot_hash": b"\5" * 32,
        "intent": {"action_id": b"\6" * 16, "action_kind": "STEP_UP", "idempotency_key": b"\7" * 32},
        "row": 3,
        "pins": PINS,
        "decided_at_utc": 6,
        "feature_set": revision,
        "policy": revision,
        "bundle_ref": {"bundle_id": "rules", "bundle_version": "1"},
        "posture": {"mode": "NORMAL", "posture_seq": 1, "policy_rev": "r", "trust": "TRUSTED"},
        "run_config_digest": b"\x08" * 32,
        "basis": {"shard": 0, "epoch": 1, "sequence": 2, "offsets": [{"topic": "T", "partition": 0, "next_offset": 10}]},
    }
