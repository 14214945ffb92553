"""The decision_response records of a batch: the column behind each field. Fields that are equal in all rows are written once."""

from __future__ import annotations

from functools import cache

from assay.agents.batch import Context
from assay.agents.decided_rows import DecidedRows
from assay.agents.decision_entities import EntityBodies
from assay.agents.decision_policy import DecisionPolicy
from assay.agents.plans import Plans
from assay.codecs.columns import Columns, Strings
from assay.codecs.single_object import encoder_of, field_body, pins_body
from assay.codecs.varint import text, varint
from assay.contracts.handles import TRAFFIC
from assay.contracts.topics import topic

RECORD = "decision_response"


class DecisionWriter:
    """Writes the decisions of one run under one policy. It belongs to one thread."""

    def __init__(self, plans: Plans, policy: DecisionPolicy) -> None:
        features = plans.features
        bundle = {"bundle_id": plans.bundle_id, "bundle_version": plans.bundle_version}
        self._encoder = encoder_of(RECORD, {
            "run_config_digest": plans.run_config_digest,
            "pins": pins_body(plans.pins.as_avro()),
            "feature_set": _revision(features.feature_set, features.revision, features.digest),
            "policy": _revision(policy.policy_id, policy.revision, policy.digest),
            "bundle_ref": field_body(RECORD, "bundle_ref", bundle),
            # the only topic whose records are decided about
            "source_event.topic": topic(TRAFFIC).name().encode(),
        })  # fmt: skip
        self._entities = EntityBodies(features.entities)

    def write(self, decided: DecidedRows, context: Context) -> Strings:
        """Single-object values of the decisions."""
        columns = decided.columns
        record: Columns = {
            "decision_id": decided.decision_id,
            "source_event.event_id": columns["event_id"],
            "source_event.event_type": columns["event_type"],
            "source_event.ts_utc": columns["ts_us"],
            "source_event.partition": columns["partition"],
            "source_event.offset": columns["offset"],
            "amount_minor": columns["amount_minor"],
            "currency": columns["currency"],
            "entities": self._entities.of(columns, len(decided.rows)),
            "outcome": decided.outcome,
            "score": columns["score"],
            "reasons": decided.reasons,
            "features": decided.features,
            "snapshot_hash": decided.snapshot_hash,
            "intent.action_id": decided.action_id,
            "intent.action_kind": decided.outcome,
            "intent.idempotency_key": decided.idempotency_key,
            "row": decided.rows,
            "posture": columns["posture.stamp"],
        }
        return self._encoder.encode(record, {"decided_at_utc": context.wall_us, "basis": basis_body(context)})


def basis_body(context: Context) -> bytes:
    """The Avro body of the basis: the journal record and the next offset of every input after it."""
    offsets = [_place(handle, partition) + varint(at) for handle, partition, at in context.offsets]
    counted = (varint(len(offsets)), *offsets) if offsets else ()
    return b"".join((varint(context.shard), varint(context.epoch), varint(context.sequence), *counted, varint(0)))


@cache
def _place(handle: str, partition: int) -> bytes:
    """An input as it stands in every basis of its lane: a topic's name and a partition."""
    return text(topic(handle).name()) + varint(partition)


def _revision(policy_id: str, revision: str, digest: bytes) -> bytes:
    """The Avro body of a document's revision."""
    return field_body(RECORD, "feature_set", {"policy_id": policy_id, "revision": revision, "content_digest": digest})
