"""What the Scenario Runner publishes, as records with stable ids.

READY, the names of features, the first posture, policy revisions, and the marks that nothing follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from assay.agents.components import SCENARIO_RUNNER
from assay.app.bus.publisher import OutboundRecord
from assay.app.run.policy_revisions import PolicyRevision
from assay.codecs.single_object import pack
from assay.contracts.ids import policy_revision_id, ready_message_id
from assay.contracts.pins import Pins
from assay.contracts.posture import MASKS, Mode
from assay.contracts.topics import topic
from assay.tables.feature_document import parse_document

POSTURE_POLICY_REV = "bootstrap.1"


def run_ready(pins: Pins, run_id: str, ts_us: int, run_config_digest: bytes, bundle_hash: str, facts_view_ref: str) -> dict[str, Any]:
    """READY: the world is checked and may be streamed. The same run and world give the same ids."""
    message_id = ready_message_id(pins.platform_run_id, pins.scenario_run_id, bundle_hash)
    return {
        "event_id": message_id,
        "event_type": "run_ready",
        "ts_utc": ts_us,
        "pins": pins.as_avro(),
        "run_id": bytes.fromhex(run_id),
        "message_id": bytes.fromhex(message_id),
        "run_config_digest": run_config_digest,
        "bundle_hash": bytes.fromhex(bundle_hash),
        "facts_view_ref": facts_view_ref,
    }


def normal_posture(pins: Pins, ts_us: int) -> dict[str, Any]:
    """The posture every run starts under: NORMAL from the world's first instant on."""
    name = f"posture|{pins.platform_run_id}|{pins.scenario_run_id}|0"
    return {
        "event_id": hashlib.sha256(name.encode()).hexdigest(),
        "event_type": "posture",
        "ts_utc": ts_us,
        "pins": pins.as_avro(),
        "mode": Mode.NORMAL.value,
        "posture_seq": 0,
        "policy_rev": POSTURE_POLICY_REV,
        **MASKS[Mode.NORMAL].as_json(),
        "reason": "the run starts with every capability",
    }


def policy_revision(pins: Pins, made: PolicyRevision) -> dict[str, Any]:
    """The record that brings a revision. The same revision has the same id however often it is said."""
    return {
        "event_id": policy_revision_id(pins.platform_run_id, pins.scenario_run_id, made.policy_seq, made.content_digest),
        "event_type": "policy_revision",
        "ts_utc": made.ts_us,
        "pins": pins.as_avro(),
        "policy_seq": made.policy_seq,
        "policy_id": made.policy_id,
        "revision": made.revision,
        "content_digest": bytes.fromhex(made.content_digest),
        "follows": bytes.fromhex(made.follows),
        "document": made.document,
        "activated_at_utc": made.activated_us,
        "actor": made.actor,
        "reason": made.reason,
    }


def feature_set(features: Mapping[str, Any]) -> dict[str, Any]:
    """The names of feature values under a feature document. Raises Stop(FEATURE_DOCUMENT_INVALID)."""
    document = parse_document(features)
    return {
        "feature_set": document.feature_set,
        "revision": document.revision,
        "content_digest": document.digest,
        "longs": list(document.long_names),
        "doubles": list(document.double_names),
        "entities": list(document.entities),
    }


def final_mark(pins: Pins, handle: str, partition: int, ts_us: int) -> dict[str, Any]:
    """Nothing follows in this topic partition."""
    return {"pins": pins.as_avro(), "topic": handle, "partition": partition, "ts_utc": ts_us, "final": True}


def bus_record(handle: str, name: str, record: Mapping[str, Any], partitions: int) -> OutboundRecord:
    """A record of the runner under its topic's key rule. Raises Stop(PRODUCER_UNLISTED) for a record that the runner does not declare."""
    SCENARIO_RUNNER.check_produces(handle, name)
    place = topic(handle)
    return OutboundRecord(place.key(name, record), pack(name, dict(record)), place.partition(name, record, partitions))
