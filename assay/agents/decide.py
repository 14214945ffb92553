"""The decision fabric as a step of the lane: score, posture and policy revision in, one decision with its action intent out.

Everything in a decision comes from the row and the policy. Ids hash pins, policy and event, never an offset, so an event that arrives
twice is decided once in effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from assay.agents.batch import Batch, Result, Rows, Step, Views
from assay.agents.decided_rows import RowDecider
from assay.agents.decision_policy import DecisionPolicy
from assay.agents.decision_record import DecisionWriter
from assay.agents.plans import Plans
from assay.agents.policy_spans import Span, spans
from assay.agents.step import Emission
from assay.codecs.columns import Columns, Strings, concat
from assay.codecs.partitioner import partitions_of
from assay.contracts.handles import RTDL
from assay.tables.decisions import RecentDecisions

READS = (
    "kind", "event_id", "event_type", "ts_us", "partition", "offset", "amount_minor", "currency", "entity.*", "features.longs",
    "features.doubles", "score", "reasons", "posture.stamp", "posture.clamps", "posture.missing", "policy.seq",
)  # fmt: skip


class DecideStep(Step):
    """Emits one decision per live payment. The newest decisions stay readable for people; they are not state."""

    def __init__(self, plans: Plans, views: Views) -> None:
        self._plans, self._revisions = plans, views["policy"]
        #: by the revisions of the last batch
        self._under: dict[int, _Under] = {}
        self._partitions = plans.partitions[RTDL]
        self._recent = RecentDecisions(plans.features)

    def handle(self, batch: Batch) -> Result:
        revisions = self._revisions()
        if self._under.keys() != revisions.keys():  # what was made for the last batch is kept
            self._under = {seq: self._under.get(seq) or _under(one.policy, self._plans) for seq, one in revisions.items()}
        parts = [made for span in spans(batch.columns, revisions) if (made := self._decided(batch, span))]
        if not parts:
            return Result()
        event, value, outcome, reason = _strings(concat(parts))
        self._recent.add(value)
        counted = {"outcome": outcome, "reason": reason}
        return Result(emissions=(Emission(RTDL, partitions_of(event, self._partitions), event, value, counted),))

    def _decided(self, batch: Batch, span: Span) -> Columns | None:
        """The decisions about the rows of a span, in columns of equal names; None for none."""
        under, live = self._under[span.policy_seq], batch.live
        if span.stop - span.start < batch.rows:
            live = np.zeros(batch.rows, np.bool_)
            live[span.start : span.stop] = batch.live[span.start : span.stop]
        decided = under.decider.decide(batch.columns, live)
        if decided is None:
            return None
        values, reason = under.writer.write(decided, batch.context), decided.reasons.children["item"]
        return {"event": decided.columns["event_id"], "value": values, "outcome": decided.outcome, "reason": reason}

    def tables(self) -> Mapping[str, Rows]:
        return {"decisions": self._recent}


class _Under(NamedTuple):
    """What decides and writes under one policy."""

    decider: RowDecider
    writer: DecisionWriter


def _under(policy: DecisionPolicy, plans: Plans) -> _Under:
    return _Under(RowDecider(policy, plans.pins, plans.features.digest), DecisionWriter(plans, policy))


def _strings(columns: Columns) -> list[Strings]:
    return [column for column in columns.values() if isinstance(column, Strings)]
