"""The decision fabric as a step of the lane: score and posture in, one decision with its action intent out.

Everything in a decision comes from the row and the policy. Ids hash pins, policy and event, never an offset, so an event that arrives
twice is decided once in effect.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from assay.agents.batch import Batch, Result, Rows, Step, Views
from assay.agents.decision_policy import answer, to_decide
from assay.agents.decision_record import Decided, DecisionWriter
from assay.agents.plans import Plans
from assay.agents.step import Emission
from assay.codecs.columns import U8, Strings, take
from assay.codecs.digests import sha256_fixed, sha256_rows
from assay.codecs.partitioner import partitions_of
from assay.contracts import ids
from assay.contracts.handles import RTDL
from assay.contracts.outcomes import OUTCOMES
from assay.tables.decisions import RecentDecisions

READS = (
    "kind", "event_id", "event_type", "ts_us", "partition", "offset", "features.longs", "features.doubles", "score", "reasons",
    "posture.stamp", "posture.clamps", "posture.missing",
)  # fmt: skip


class DecideStep(Step):
    """Emits one decision per live payment. The newest decisions stay readable for people; they are not state."""

    def __init__(self, plans: Plans, views: Views) -> None:
        self._policy = plans.policy
        self._decision_prefix = ids.decision_id_prefix(plans.pins.digest, plans.policy.digest)
        self._key_prefix = ids.idempotency_key_prefix(plans.pins.digest)
        self._writer = DecisionWriter(plans)
        self._partitions = plans.partitions[RTDL]
        self._recent = RecentDecisions(plans.features)

    def handle(self, batch: Batch) -> Result:
        chosen = np.flatnonzero(to_decide(batch.columns, batch.live))
        if not len(chosen):
            return Result()
        columns = batch.columns if len(chosen) == batch.rows else take(batch.columns, chosen)
        events = columns["event_id"]
        assert isinstance(events, Strings)
        answered = answer(self._policy, columns)
        decision_id = sha256_rows(self._decision_prefix, events.data, events.starts, events.lengths)[:, :16]
        key = sha256_rows(self._key_prefix, events.data, events.starts, events.lengths)
        decided = Decided(chosen, decision_id, key, _action_ids(key, answered.outcome), answered)
        values = self._writer.write(columns, decided, batch.context)
        self._recent.add(events, values)
        return Result(emissions=(Emission(RTDL, partitions_of(events, self._partitions), events, values),))

    def tables(self) -> Mapping[str, Rows]:
        return {"decisions": self._recent}


def _action_ids(keys: U8, outcome: NDArray[np.int8]) -> U8:
    """sha256(tag, idempotency key, kind of action), first 16 bytes, one kind of action at a time."""
    action_id = np.zeros((len(outcome), 16), np.uint8)
    for level in np.flatnonzero(np.bincount(outcome)).tolist():
        at, tail = np.flatnonzero(outcome == level), np.frombuffer(OUTCOMES[level].encode(), np.uint8)
        joined = np.hstack([keys[at], np.broadcast_to(tail, (len(at), len(tail)))])
        action_id[at] = sha256_fixed(ids.ACTION_ID_TAG, joined)[:, :16]
    return action_id
