"""The decision fabric as a step of the lane: decisions and their intents go out, the newest stay readable on the web view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.agents.batch import Batch
from assay.agents.decider import Decider
from assay.agents.plans import Plans
from assay.agents.step import Emission
from assay.codecs.partitioner import partitions_of
from assay.codecs.table_state import TableState
from assay.tables.decisions import RecentDecisions

DECISIONS = "FP_BUS_RTDL_V1"


class DecideStep:
    """Reads what the feature step left in `results["features"]`; leaves its own under `results["decisions"]`."""

    name = "decision_fabric"

    def __init__(self, plans: Plans) -> None:
        bundle_ref = (plans.bundle_id, plans.bundle_version)
        self._decider = Decider(plans.rules, plans.features, plans.pins, bundle_ref, plans.run_config_digest)
        self._partitions = plans.partitions[DECISIONS]
        self._recent = RecentDecisions(plans.features)
        self.tables: Mapping[str, RecentDecisions] = {"decisions": self._recent}

    def handle(self, batch: Batch) -> Sequence[Emission]:
        """Fold a batch and emit its decisions."""
        decisions = self._decider.decide(batch.columns, batch.results["features"], batch.live, batch.context)
        batch.results["decisions"] = decisions
        self._recent.add(decisions.keys, decisions.values)
        partitions = partitions_of(decisions.keys, self._partitions)
        return (Emission(DECISIONS, partitions, decisions.keys, decisions.values),)

    def state(self) -> TableState:
        """The posture in force; the newest decisions are for people and are not part of it."""
        return self._decider.state()

    def restore(self, state: TableState) -> None:
        """Take a state that `state` gave."""
        self._decider.restore(state)
