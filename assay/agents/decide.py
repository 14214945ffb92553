"""The decision fabric as a step of the lane: score and posture in, one decision with its action intent out.

Everything in a decision comes from the row and the policy. Ids hash pins, policy and event, never an offset, so an event that arrives
twice is decided once in effect.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay.agents.batch import Batch, Result, Rows, Step, Views
from assay.agents.decided_rows import RowDecider
from assay.agents.decision_record import DecisionWriter
from assay.agents.plans import Plans
from assay.agents.step import Emission
from assay.codecs.columns import Strings
from assay.codecs.partitioner import partitions_of
from assay.contracts.handles import RTDL
from assay.tables.decisions import RecentDecisions

READS = (
    "kind", "event_id", "event_type", "ts_us", "partition", "offset", "amount_minor", "currency", "entity.*", "features.longs",
    "features.doubles", "score", "reasons", "posture.stamp", "posture.clamps", "posture.missing",
)  # fmt: skip


class DecideStep(Step):
    """Emits one decision per live payment. The newest decisions stay readable for people; they are not state."""

    def __init__(self, plans: Plans, views: Views) -> None:
        self._decider = RowDecider(plans.policy, plans.pins, plans.features.digest)
        self._writer = DecisionWriter(plans)
        self._partitions = plans.partitions[RTDL]
        self._recent = RecentDecisions(plans.features)

    def handle(self, batch: Batch) -> Result:
        decided = self._decider.decide(batch.columns, batch.live)
        if decided is None:
            return Result()
        values = self._writer.write(decided, batch.context)
        self._recent.add(values)
        events = decided.columns["event_id"]
        assert isinstance(events, Strings)
        counted = {"outcome": decided.outcome, "reason": decided.reasons.children["item"]}
        return Result(emissions=(Emission(RTDL, partitions_of(events, self._partitions), events, values, counted),))

    def tables(self) -> Mapping[str, Rows]:
        return {"decisions": self._recent}
