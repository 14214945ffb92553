"""The decision fabric as a step of the lane: decisions and their intents go out, the newest stay readable for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.agents.batch import Batch, Result, Rows, Step, Views
from assay.agents.decider import Decider
from assay.agents.plans import Plans
from assay.agents.step import Emission
from assay.codecs.columns import I64
from assay.codecs.partitioner import partitions_of
from assay.codecs.table_state import TableState
from assay.contracts.handles import RTDL
from assay.tables.decisions import RecentDecisions

READS = (
    "kind", "event_id", "event_type", "ts_us", "partition", "offset", "amount_minor", "document", "features.longs", "features.doubles",
)  # fmt: skip


class _Values(NamedTuple):
    """The value matrices of a batch."""

    longs: I64
    doubles: NDArray[np.float64]


class DecideStep(Step):
    """Reads feature values; emits one decision per live payment."""

    def __init__(self, plans: Plans, views: Views) -> None:
        bundle_ref = (plans.bundle_id, plans.bundle_version)
        self._decider = Decider(plans.rules, plans.features, plans.pins, bundle_ref, plans.run_config_digest)
        self._partitions = plans.partitions[RTDL]
        self._recent = RecentDecisions(plans.features)

    def handle(self, batch: Batch) -> Result:
        columns = batch.columns
        values = _Values(np.asarray(columns["features.longs"]), np.asarray(columns["features.doubles"]))
        decisions = self._decider.decide(columns, values, batch.live, batch.context)
        self._recent.add(decisions.keys, decisions.values)
        partitions = partitions_of(decisions.keys, self._partitions)
        return Result(emissions=(Emission(RTDL, partitions, decisions.keys, decisions.values),))

    def tables(self) -> Mapping[str, Rows]:
        return {"decisions": self._recent}

    def state(self) -> TableState:
        """The posture in force; the newest decisions are for people and are not part of it."""
        return self._decider.state()

    def restore(self, state: TableState) -> None:
        self._decider.restore(state)
