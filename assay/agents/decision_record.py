"""The decision_response records of a batch: the column behind each field. Fields that are equal in all rows are written once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.agents.batch import Context
from assay.agents.decision_policy import Answer
from assay.agents.plans import Plans
from assay.codecs.avro_bind import Constant
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import AvroPlan, compile_schema
from assay.codecs.columns import I64, U8, Column, Columns, Ragged, Strings
from assay.codecs.digests import sha256_rows
from assay.codecs.single_object import HEADER_BYTES, field_body, field_plan, pins_body, record_type
from assay.contracts.handles import TRAFFIC
from assay.contracts.outcomes import OUTCOMES

RECORD = "decision_response"
#: the only topic whose records trigger a decision


class Decided(NamedTuple):
    """m decisions: their rows in the batch (m,), their ids as uint8 (m, 16), (m, 32), (m, 16), and their answers."""

    rows: I64
    decision_id: U8
    idempotency_key: U8
    action_id: U8
    answer: Answer


class DecisionWriter:
    """Writes the decisions of one run under one policy."""

    def __init__(self, plans: Plans) -> None:
        self._plan = _framed_plan()
        self._features_plan = field_plan(RECORD, "features")
        self._outcomes = Strings.of(OUTCOMES)
        features, policy = plans.features, plans.policy
        self._feature_digest = features.digest
        bundle = {"bundle_id": plans.bundle_id, "bundle_version": plans.bundle_version}
        self._constants: Mapping[str, Constant] = {
            "header": record_type(RECORD).header,
            "run_config_digest": plans.run_config_digest,
            "pins": pins_body(plans.pins.as_avro()),
            "feature_set": _revision(features.feature_set, features.revision, features.digest),
            "policy": _revision(policy.policy_id, policy.revision, policy.digest),
            "bundle_ref": field_body(RECORD, "bundle_ref", bundle),
            "source_event.topic": TRAFFIC.encode(),
        }

    def write(self, columns: Columns, decided: Decided, context: Context) -> Strings:
        """Single-object values of m ≥ 1 decisions. `columns` are those of their m rows."""
        features = encode(self._features_plan, {name: _lists(columns[f"features.{name}"]) for name in ("longs", "doubles")})
        outcomes = self._outcomes.take(decided.answer.outcome)
        record: Columns = {
            "decision_id": np.ascontiguousarray(decided.decision_id),
            "source_event.event_id": columns["event_id"],
            "source_event.event_type": columns["event_type"],
            "source_event.ts_utc": columns["ts_us"],
            "source_event.partition": columns["partition"],
            "source_event.offset": columns["offset"],
            "outcome": outcomes,
            "score": columns["score"],
            "reasons": decided.answer.reasons,
            "features": features,
            "snapshot_hash": sha256_rows(self._feature_digest, features.data, features.starts, features.lengths),
            "intent.action_id": decided.action_id,
            "intent.action_kind": outcomes,
            "intent.idempotency_key": decided.idempotency_key,
            "row": decided.rows,
            "posture": columns["posture.stamp"],
        }
        return encode(self._plan, record, {**self._constants, "decided_at_utc": context.wall_us, "basis": _basis(context)})


def _basis(context: Context) -> bytes:
    """The Avro body of the basis: the journal record and the next offset of every input after it."""
    offsets = [{"topic": topic, "partition": partition, "next_offset": at} for topic, partition, at in context.offsets]
    return field_body(RECORD, "basis", {"shard": context.shard, "epoch": context.epoch, "sequence": context.sequence, "offsets": offsets})


def _framed_plan() -> AvroPlan:
    """The plan of a decision with its ten-byte header as a first field, so that framing costs no second pass."""
    schema = record_type(RECORD).schema
    header = {"name": "header", "type": {"type": "fixed", "name": "header", "size": HEADER_BYTES}}
    return compile_schema({**schema, "fields": [header, *schema["fields"]]})


def _lists(matrix: Column) -> Ragged:
    """The rows of a matrix as lists."""
    values: NDArray[Any] = np.asarray(matrix)
    n, width = values.shape
    return Ragged(np.arange(n + 1, dtype=np.int64) * width, {"item": np.ascontiguousarray(values).reshape(-1)})


def _revision(policy_id: str, revision: str, digest: bytes) -> bytes:
    """The Avro body of a document's revision."""
    return field_body(RECORD, "feature_set", {"policy_id": policy_id, "revision": revision, "content_digest": digest})
