"""Builders of bus records with plain defaults, and chunks of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from assay.agents.step import Chunk
from assay.codecs.columns import Strings
from assay.codecs.single_object import pack
from assay.contracts import ids
from assay.contracts.pins import Pins
from assay.contracts.traffic_modes import FRAUD

CONTROL, POSTURE = "FP_BUS_CONTROL_V1", "FP_BUS_POSTURE_V1"
LABELS, CONTEXT, TRAFFIC = "FP_BUS_LABELS_EVENTS_V1", "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1", "FP_BUS_TRAFFIC_FRAUD_V1"
RTDL = "FP_BUS_RTDL_V1"
INPUTS = {CONTROL: 0, POSTURE: 0, LABELS: 1, CONTEXT: 2, TRAFFIC: 3}

PINS = Pins("platform_20260101T000000Z", "5c" * 16, "ab" * 32, "cd" * 32, "baseline", 7)
OTHER_PINS = Pins("platform_20260101T000001Z", "5c" * 16, "ab" * 32, "cd" * 32, "baseline", 7)
RUN_ID = bytes(16)
DAY_US = 86_400_000_000
T0_US = 1_750_000_000_000_000 // DAY_US * DAY_US


def payment(
    event_id: str,
    ts_us: int,
    amount_minor: int = 1_000,
    entities: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    pins: Pins = PINS,
    payload: str = "",
    event_type: str = "transaction",
    source_order: int = 0,
    currency: str = "EUR",
) -> bytes:
    """A payment record; pairs may name an entity twice."""
    named = entities if entities is not None else {"customer": "c1", "terminal": "t1"}
    given = list(named.items() if isinstance(named, Mapping) else named)
    text = f"{event_type}|{amount_minor}|{sorted(given)}|{payload}"
    return pack("payment", {
        "event_id": event_id, "event_type": event_type, "ts_utc": ts_us, "pins": pins.as_avro(), "run_id": RUN_ID,
        "producer": "test", "payload_hash": hashlib.sha256(text.encode()).digest(), "kind": "card_payment",
        "amount_minor": amount_minor, "currency": currency,
        "entities": [{"name": name, "id": value} for name, value in given], "attributes": {},
        "source_order": source_order,
    })  # fmt: skip


def label(event_id: str, ts_us: int, subject: str, subject_ts_us: int, verdict: str = "FRAUD", source_order: int = 0) -> bytes:
    """A label assertion; ts_us is when it was observed."""
    return pack("label_assertion", {
        "event_id": event_id, "event_type": "label_assertion", "ts_utc": ts_us, "pins": PINS.as_avro(), "producer": "test",
        "payload_hash": hashlib.sha256(f"{subject}{verdict}".encode()).digest(), "subject_event_id": subject,
        "subject_ts_utc": subject_ts_us, "label": verdict, "source": "test",
        "source_order": source_order,
    })  # fmt: skip


def context_fact(event_id: str, ts_us: int, entities: Mapping[str, str]) -> bytes:
    """A context fact."""
    return pack("context_fact", {
        "event_id": event_id, "event_type": "context_fact", "ts_utc": ts_us, "pins": PINS.as_avro(), "run_id": RUN_ID,
        "producer": "test", "payload_hash": hashlib.sha256(event_id.encode()).digest(),
        "entities": [{"name": name, "id": value} for name, value in entities.items()], "attributes": {},
    })  # fmt: skip


def flow_event(event_id: str, ts_us: int, pins: Pins = PINS) -> bytes:
    """A row of the event stream of a generated world."""
    return pack("flow_event", {
        "event_id": event_id, "event_type": FRAUD.events, "ts_utc": ts_us, "pins": pins.as_avro(), "run_id": RUN_ID, "producer": "test",
        "payload_hash": hashlib.sha256(event_id.encode()).digest(), "flow_id": 7, "event_seq": 0, "flow_event_type": "AUTH_REQUEST",
        "amount_minor": 6999, "source_order": 1,
    })  # fmt: skip


def arrival_entities(event_id: str, ts_us: int) -> bytes:
    """The entities of an arrival of a generated world."""
    names = ("arrival_seq", "merchant_id", "party_id", "account_id", "instrument_id", "device_id", "ip_id", "session_id")
    return pack("arrival_entities", {
        "event_id": event_id, "event_type": FRAUD.arrival_entities, "ts_utc": ts_us, "pins": PINS.as_avro(), "run_id": RUN_ID,
        "producer": "test", "payload_hash": hashlib.sha256(event_id.encode()).digest(), **dict.fromkeys(names, 1), "source_order": 1,
    })  # fmt: skip


def mark(handle: str, partition: int, ts_us: int, *, final: bool = False, pins: Pins = PINS) -> bytes:
    """A watermark record."""
    return pack("mark", {"pins": pins.as_avro(), "topic": handle, "partition": partition, "ts_utc": ts_us, "final": final})


def run_ready(ts_us: int = T0_US) -> bytes:
    """A READY record."""
    return pack("run_ready", {
        "event_id": "ready", "event_type": "run_ready", "ts_utc": ts_us, "pins": PINS.as_avro(), "run_id": RUN_ID,
        "message_id": bytes(32), "run_config_digest": bytes(32), "bundle_hash": bytes(32), "facts_view_ref": "sr/facts",
    })  # fmt: skip


def run_terminal_signal(ts_us: int = T0_US, pins: Pins = PINS) -> bytes:
    """The signal that a run ended without READY."""
    return pack("run_terminal_signal", {
        "event_id": "end", "event_type": "run_terminal_signal", "ts_utc": ts_us, "pins": pins.as_avro(), "run_id": RUN_ID,
        "status_state": "FAILED", "reason_code": "GATE_FAIL", "status_ref": "sr/status", "record_ref": "sr/record", "reemit_key": bytes(32),
    })  # fmt: skip


def posture(ts_us: int = T0_US, mode: str = "NORMAL", posture_seq: int = 1, action_posture: str = "NORMAL") -> bytes:
    """A posture record."""
    return pack("posture", {
        "event_id": f"posture-{posture_seq}", "event_type": "posture", "ts_utc": ts_us, "pins": PINS.as_avro(), "mode": mode,
        "posture_seq": posture_seq, "policy_rev": "1", "allow_ieg": True, "allowed_feature_groups": ["core_features"],
        "allow_model_primary": True, "allow_model_stage2": True, "allow_fallback_heuristics": True,
        "action_posture": action_posture, "reason": "test",
    })  # fmt: skip


def chunk(handle: str, values: Sequence[bytes | None], first: int = 0, partition: int = 0) -> Chunk:
    """Values at consecutive offsets from `first`."""
    offsets = np.arange(first, first + len(values), dtype=np.int64)
    return Chunk(handle, partition, offsets, Strings.of(values))


def decision(event_id: str, outcome: str = "ALLOW", score: int = 0, pins: Pins = PINS, ts_us: int = T0_US) -> bytes:
    """A decision on an event; its ids are content hashes as the contracts say."""
    key = ids.idempotency_key(pins.digest, event_id)
    revision = {"policy_id": "p", "revision": "1", "content_digest": bytes(32)}
    return pack("decision_response", {
        "decision_id": ids.decision_id(pins.digest, bytes(32), event_id),
        "source_event": {
            "event_id": event_id, "event_type": "transaction", "ts_utc": ts_us,
            "topic": TRAFFIC, "partition": 0, "offset": 9,
        },
        "outcome": outcome, "score": score, "reasons": ["MANY"],
        "features": {"longs": [4, 1], "doubles": [0.5]}, "snapshot_hash": bytes(32),
        "intent": {"action_id": ids.action_id(key, outcome), "action_kind": outcome, "idempotency_key": key}, "row": 3,
        "pins": pins.as_avro(), "decided_at_utc": ts_us, "feature_set": revision, "policy": revision,
        "bundle_ref": {"bundle_id": "rules", "bundle_version": "1"},
        "posture": {"mode": "NORMAL", "posture_seq": 1, "policy_rev": "r", "trust": "TRUSTED"}, "run_config_digest": bytes(32),
        "basis": {"shard": 0, "epoch": 1, "sequence": 2, "offsets": [{"topic": TRAFFIC, "partition": 0, "next_offset": 10}]},
    })  # fmt: skip


def outcome(event_id: str, action_kind: str = "ALLOW", status: str = "EXECUTED", pins: Pins = PINS) -> bytes:
    """What became of the action of `decision(event_id, action_kind)`."""
    key = ids.idempotency_key(pins.digest, event_id)
    action = ids.action_id(key, action_kind)
    return pack("action_outcome", {
        "outcome_id": ids.outcome_id(action, status), "decision_id": ids.decision_id(pins.digest, bytes(32), event_id), "action_id": action,
        "idempotency_key": key, "source_event_id": event_id, "action_kind": action_kind, "status": status, "attempts": 1, "reason": "",
        "provider_ref": "ref", "completed_at_utc": T0_US, "authz_policy_rev": "al.authz.v1", "pins": pins.as_avro(),
    })  # fmt: skip
