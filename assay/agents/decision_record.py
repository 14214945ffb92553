"""The decision_response record of a batch: which column fills which field, with everything constant written once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.agents.rule_plan import RulePlan
from assay.agents.rule_score import Scored
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import AvroPlan, compile_schema
from assay.codecs.columns import I64, U8, Columns, Ragged, Strings, take
from assay.codecs.digests import sha256_rows
from assay.codecs.single_object import HEADER_BYTES, field_body, field_plan, pins_body, record_type
from assay.contracts.outcomes import OUTCOMES
from assay.contracts.pins import Pins
from assay.tables.posture import Posture

RECORD = "decision_response"
#: the only topic whose records trigger a decision
TRIGGER_TOPIC = "FP_BUS_TRAFFIC_FRAUD_V1"


class Stamp(Protocol):
    """Where a batch stands; `offsets` is the basis: (topic, partition, next offset)."""

    @property
    def shard(self) -> int:
        """Number of the lane's part."""

    @property
    def epoch(self) -> int:
        """Writer that made the journal record."""

    @property
    def sequence(self) -> int:
        """Position of the journal record."""

    @property
    def wall_us(self) -> int:
        """Wall time of the journal record."""

    @property
    def offsets(self) -> Sequence[tuple[str, int, int]]:
        """(topic, partition, next offset)."""


class FeatureSet(Protocol):
    """Which features the values are: a compiled plan or a checked document."""

    @property
    def feature_set(self) -> str:
        """Id of the set."""

    @property
    def revision(self) -> str:
        """Revision of the document."""

    @property
    def digest(self) -> bytes:
        """sha256 of the document."""


class Batchwide(NamedTuple):
    """What rows of a batch share: its stamp, the postures met in it and, per decision, which was in force."""

    stamp: Stamp
    postures: Sequence[Posture]
    in_force: I64


class Decided(NamedTuple):
    """Per decision: its row in the batch, ids, and what the rules said."""

    rows: I64
    decision_id: U8
    idempotency_key: U8
    action_id: U8
    scored: Scored


class DecisionWriter:
    """Writes decisions of one run under one policy."""

    def __init__(self, rules: RulePlan, features: FeatureSet, pins: Pins, bundle_ref: tuple[str, str], run_config_digest: bytes) -> None:
        bundle_id, bundle_version = bundle_ref
        self._plan = _framed_plan()
        self._features_plan = field_plan(RECORD, "features")
        self._codes = Strings.of(rules.all_codes)
        self._outcomes = Strings.of(OUTCOMES)
        self._feature_digest = features.digest
        # whole records that no row changes are written once and spliced
        self._constants = {
            "pins": pins_body(pins.as_avro()),
            "feature_set": _revision(features.feature_set, features.revision, features.digest),
            "policy": _revision(rules.policy_id, rules.revision, rules.digest),
            "bundle_ref": field_body(RECORD, "bundle_ref", {"bundle_id": bundle_id, "bundle_version": bundle_version}),
            "source_event.topic": TRIGGER_TOPIC.encode(),
        }
        self._fixed = {"header": record_type(RECORD).header, "run_config_digest": run_config_digest}

    def write(self, columns: Columns, longs: I64, doubles: NDArray[np.float64], decided: Decided, batchwide: Batchwide) -> Strings:
        """Single-object values of the decisions. `longs` and `doubles` hold their feature rows only."""
        m = len(decided.rows)
        if not m:
            return Strings.of([])
        features = encode(self._features_plan, {"longs": _matrix(longs), "doubles": _matrix(doubles)})
        outcomes = self._outcomes.take(decided.scored.outcome)
        source = take({n: columns[n] for n in ("event_id", "event_type", "ts_us", "partition", "offset")}, decided.rows)
        stamp = batchwide.stamp
        record: Columns = {
            "decision_id": np.ascontiguousarray(decided.decision_id),
            "source_event.event_id": source["event_id"],
            "source_event.event_type": source["event_type"],
            "source_event.ts_utc": source["ts_us"],
            "source_event.partition": source["partition"],
            "source_event.offset": source["offset"],
            "outcome": outcomes,
            "score": decided.scored.score,
            "reasons": self._reasons(decided.scored.fired),
            "features": features,
            "snapshot_hash": sha256_rows(self._feature_digest, features.data, features.starts, features.lengths),
            "intent.action_id": decided.action_id,
            "intent.action_kind": outcomes,
            "intent.idempotency_key": decided.idempotency_key,
            "row": decided.rows,
            "decided_at_utc": np.broadcast_to(np.int64(stamp.wall_us), m),
            "basis": Strings.repeat(_basis(stamp), m),
            "posture": self._postures(batchwide),
            **{path: Strings.repeat(value, m) for path, value in self._constants.items()},
            **{path: np.broadcast_to(np.frombuffer(value, np.uint8), (m, len(value))) for path, value in self._fixed.items()},
        }
        return encode(self._plan, record)

    def _reasons(self, fired: NDArray[np.uint64]) -> Ragged:
        """Codes of the bits set, in document order."""
        bits = np.arange(len(self._codes.lengths), dtype=np.uint64)
        row, code = np.nonzero((fired[:, None] >> bits) & np.uint64(1))
        offsets = np.zeros(len(fired) + 1, np.int64)
        np.cumsum(np.bincount(row, minlength=len(fired)), out=offsets[1:])
        return Ragged(offsets, {"item": self._codes.take(code)})

    def _postures(self, batchwide: Batchwide) -> Strings:
        """The posture stamp of every decision."""
        return Strings.of([_posture_body(posture) for posture in batchwide.postures]).take(batchwide.in_force)


@lru_cache(16)
def _posture_body(posture: Posture) -> bytes:
    """The same few postures are in force for thousands of batches."""
    stamp = {"mode": posture.mode, "posture_seq": posture.posture_seq, "policy_rev": posture.policy_rev, "trust": posture.trust}
    return field_body(RECORD, "posture", stamp)


def _basis(stamp: Stamp) -> bytes:
    offsets = [{"topic": topic, "partition": partition, "next_offset": at} for topic, partition, at in stamp.offsets]
    return field_body(RECORD, "basis", {"shard": stamp.shard, "epoch": stamp.epoch, "sequence": stamp.sequence, "offsets": offsets})


def _framed_plan() -> AvroPlan:
    """The plan of a decision with its ten-byte header as a first field, so that framing costs no second pass."""
    schema = record_type(RECORD).schema
    header = {"name": "header", "type": {"type": "fixed", "name": "header", "size": HEADER_BYTES}}
    return compile_schema({**schema, "fields": [header, *schema["fields"]]})


def _matrix(values: NDArray[Any]) -> Ragged:
    n, width = values.shape
    return Ragged(np.arange(n + 1, dtype=np.int64) * width, {"item": np.ascontiguousarray(values).reshape(-1)})


def _revision(policy_id: str, revision: str, digest: bytes) -> bytes:
    """The body of a document's revision stamp."""
    return field_body(RECORD, "feature_set", {"policy_id": policy_id, "revision": revision, "content_digest": digest})
