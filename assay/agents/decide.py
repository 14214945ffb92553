"""The decision fabric as a step of the lane: score, posture and policy revision in, one decision with its action intent out.

Everything in a decision comes from the row and the policy. Ids hash pins, policy and event, never an offset, so an event that arrives
twice is decided once in effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.agents.batch import Batch, Result, Rows, Step, Views
from assay.agents.decided_rows import RowDecider
from assay.agents.decision_policy import DecisionPolicy
from assay.agents.decision_record import DecisionWriter
from assay.agents.plans import Plans
from assay.agents.policy_spans import Span, spans
from assay.agents.step import Emission
from assay.codecs.columns import Strings, concat
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
        if len(self._under) == 1:  # nearly all batches
            [only] = self._under.values()
            made = self._decided(only, batch, batch.live)
        else:
            parts = (self._decided(self._under[span.policy_seq], batch, _within(batch, span)) for span in spans(batch.columns))
            made = _together([one for one in parts if one is not None])
        if made is None:
            return Result()
        self._recent.add(made.values)
        counted = {"outcome": made.outcomes, "reason": made.reasons}
        partitions = partitions_of(made.events, self._partitions)
        return Result(emissions=(Emission(RTDL, partitions, made.events, made.values, counted),))

    def _decided(self, under: _Under, batch: Batch, live: NDArray[np.bool_]) -> _Made | None:
        """The decisions about the live rows, None for none."""
        decided = under.decider.decide(batch.columns, live)
        if decided is None:
            return None
        events = decided.columns["event_id"]
        assert isinstance(events, Strings)
        return _Made(events, under.writer.write(decided, batch.context), decided.outcome, decided.reasons.children["item"])

    def tables(self) -> Mapping[str, Rows]:
        return {"decisions": self._recent}


class _Under(NamedTuple):
    """What decides and writes under one policy."""

    decider: RowDecider
    writer: DecisionWriter


class _Made(NamedTuple):
    """Decisions: their events, their values, and the outcomes and reasons in them."""

    events: Strings
    values: Strings
    outcomes: Strings
    reasons: Strings


def _under(policy: DecisionPolicy, plans: Plans) -> _Under:
    return _Under(RowDecider(policy, plans.pins, plans.features.digest), DecisionWriter(plans, policy))


def _within(batch: Batch, span: Span) -> NDArray[np.bool_]:
    """The live rows of a batch that lie in a span."""
    live: NDArray[np.bool_] = np.zeros(batch.rows, np.bool_)
    live[span.start : span.stop] = batch.live[span.start : span.stop]
    return live


def _together(parts: Sequence[_Made]) -> _Made | None:
    """The decisions of all parts, one after another; None for no part."""
    if not parts:
        return None
    columns = concat([dict(zip(_Made._fields, part, strict=True)) for part in parts])
    return _Made(*(column for column in columns.values() if isinstance(column, Strings)))
