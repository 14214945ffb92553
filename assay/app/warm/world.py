"""The small world that warming runs: records of every kind a lane reads, under one shipped policy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from assay.agents.specs import Role
from assay.agents.step import TopicPartition
from assay.agents.topology import TOPOLOGY
from assay.app.policy.documents import document
from assay.app.run.directory import RunConfig
from assay.app.simulation.log import LoggedRecord, ModelLog
from assay.codecs.single_object import pack
from assay.contracts.handles import CONTEXT, CONTROL, LABELS, POSTURE, TRAFFIC

PAYMENTS = 600
STEP_US = 3_600_000_000
START_US = 1_750_000_000_000_000
END_US = START_US + 2 * PAYMENTS * STEP_US
LABEL_EVERY = 7
#: more keys than a table starts with, so that tables grow
KEYS = 211


def config_of(policy: str) -> RunConfig:
    """A run under a shipped policy."""
    return RunConfig(
        platform_run_id="platform_20250101T000000Z",
        scenario_run_id="5" * 32,
        manifest_fingerprint="a" * 64,
        parameter_hash="b" * 64,
        scenario_id="warm",
        seed=1,
        run_id="6" * 32,
        features=document(policy, "features"),
        policy=document(policy, "rules"),
    )


def world(config: RunConfig, partitions: Mapping[str, int]) -> ModelLog:
    """READY and posture, context, payments with some labels known later, and the marks that end all topics."""
    log = ModelLog()
    records = [*_control(), *_context(config), *_payments(config), *_labels()]
    for number, (handle, name, record) in enumerate(records):
        _append(log, config, (handle, number % partitions[handle]), name, record)
    for handle in TOPOLOGY.with_role(Role.DECIDE).inputs:
        for partition in range(partitions[handle]):
            end = {"topic": handle, "partition": partition, "ts_utc": END_US, "final": True}
            _append(log, config, (handle, partition), "mark", end)
    return log


def _append(log: ModelLog, config: RunConfig, tp: TopicPartition, name: str, record: Mapping[str, Any]) -> None:
    log.append(tp, LoggedRecord(b"", pack(name, {"pins": config.pins.as_avro(), **record}), START_US))


def _control() -> Iterator[tuple[str, str, dict[str, Any]]]:
    ready = {"run_id": bytes(16), "message_id": bytes(32), "run_config_digest": bytes(32), "bundle_hash": bytes(32)}
    yield CONTROL, "run_ready", {"event_id": "ready", "event_type": "run_ready", "ts_utc": START_US, "facts_view_ref": "", **ready}
    allowed = dict.fromkeys(("allow_ieg", "allow_model_primary", "allow_model_stage2", "allow_fallback_heuristics"), True)
    mode = {"mode": "NORMAL", "action_posture": "NORMAL", "posture_seq": 1, "policy_rev": "1", "reason": "warm"}
    groups = {"allowed_feature_groups": ["core_features"]}
    yield POSTURE, "posture", {"event_id": "posture", "event_type": "posture", "ts_utc": START_US, **allowed, **mode, **groups}


def _context(config: RunConfig) -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield CONTEXT, "context_fact", {**_head("context", "context_fact", START_US), "run_id": bytes(16), **_entities(config, 1)}


def _payments(config: RunConfig) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Amounts up to where rules fire; every 50th payment comes twice, every 90th has another payload the second time."""
    listed = config.features.get("currencies")
    currency = listed[0] if isinstance(listed, list) else "EUR"
    for number in range(PAYMENTS):
        money = {"kind": "card_payment", "amount_minor": number * number % 400_000, "currency": currency}
        head = _head(f"p{number}", "transaction", START_US + number * STEP_US)
        record = {**head, "run_id": bytes(16), **money, **_entities(config, number)}
        yield TRAFFIC, "payment", record
        if number % 50 == 0:
            yield TRAFFIC, "payment", record
        if number % 90 == 0:
            yield TRAFFIC, "payment", {**record, "payload_hash": bytes(32)}


def _labels() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for number in range(0, PAYMENTS, LABEL_EVERY):
        at_us = START_US + number * STEP_US
        head = _head(f"l{number}", "label_assertion", at_us + PAYMENTS // 4 * STEP_US)
        subject = {"subject_event_id": f"p{number}", "subject_ts_utc": at_us, "source": "warm"}
        yield LABELS, "label_assertion", {**head, **subject, "label": "FRAUD" if number % 2 else "LEGIT"}


def _head(event_id: str, event_type: str, ts_us: int) -> dict[str, Any]:
    digest = hashlib.sha256(event_id.encode()).digest()
    return {"event_id": event_id, "event_type": event_type, "ts_utc": ts_us, "producer": "warm", "payload_hash": digest}


def _entities(config: RunConfig, number: int) -> dict[str, Any]:
    names = enumerate(config.features["entities"])
    entities = [{"name": name, "id": f"{name}-{(number * (tp + 1)) % KEYS}"} for tp, name in names]
    return {"entities": entities, "attributes": {}}
