"""The topology: which lanes exist, what they read and write, and in which order their steps run. One value, two interpreters.

Adding a step: write its file, add one `StepSpec` line to its lane here, and list what it produces in the topic files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.agents.act import ActStep
from assay.agents.batch import Step
from assay.agents.dead_letter import DeadLetterStep
from assay.agents.decide import DecideStep
from assay.agents.dedupe import DedupeStep
from assay.agents.features import FeatureStep
from assay.agents.plans import Plans
from assay.agents.projections import ProjectionStep


@dataclass(frozen=True)
class StepSpec:
    """One step of a lane. `keying` is `key` when it touches the state of the record's own keys, `global` otherwise."""

    component: str
    keying: Literal["key", "global"]
    make: Callable[[Plans], Step]
    produces: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class LaneSpec:
    """One ordered loop. `ranks` orders its input topics at equal times; `accepts` names their record types."""

    name: str
    pack: str
    components: tuple[str, ...]
    ranks: Mapping[str, int]
    accepts: Mapping[str, tuple[str, ...]]
    journal: str | None
    steps: tuple[StepSpec, ...] = ()
    produces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topology:
    """All lanes."""

    lanes: tuple[LaneSpec, ...]

    def lane(self, name: str) -> LaneSpec:
        """The lane of this name."""
        return next(lane for lane in self.lanes if lane.name == name)

    def of_packs(self, packs: Sequence[str]) -> tuple[LaneSpec, ...]:
        """Lanes of the chosen packs; all of them for none chosen."""
        return tuple(lane for lane in self.lanes if not packs or lane.pack in packs)

    def edges(self) -> Iterator[tuple[str, str, str]]:
        """(component, consumes or produces, topic handle) of every lane and step."""
        for lane in self.lanes:
            for component in lane.components:
                yield from ((component, "consumes", handle) for handle in lane.ranks)
            if lane.journal:
                yield (lane.components[0], "produces", lane.journal)
                yield (lane.components[0], "consumes", lane.journal)
            yield from ((lane.components[0], "produces", handle) for handle in lane.produces)
            for step in lane.steps:
                yield from ((step.component, "produces", handle) for handle in step.produces)


RTDL = LaneSpec(
    name="rtdl",
    pack="rtdl_core",
    components=("rtdl_lane",),
    ranks={
        "FP_BUS_CONTROL_V1": 0,
        "FP_BUS_POSTURE_V1": 0,
        "FP_BUS_LABELS_EVENTS_V1": 1,
        "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1": 2,
        "FP_BUS_TRAFFIC_FRAUD_V1": 3,
    },
    accepts={
        "FP_BUS_CONTROL_V1": ("run_ready",),
        "FP_BUS_POSTURE_V1": ("posture",),
        "FP_BUS_LABELS_EVENTS_V1": ("label_assertion",),
        "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1": ("context_fact",),
        "FP_BUS_TRAFFIC_FRAUD_V1": ("payment",),
    },
    journal="FP_JOURNAL_RTDL_V1",
    steps=(
        StepSpec("dedupe", "global", DedupeStep),
        StepSpec("online_features", "key", FeatureStep, tables=("features", "entities")),
        StepSpec("decision_fabric", "key", DecideStep, produces=("FP_BUS_RTDL_V1",), tables=("decisions",)),
        StepSpec("projections", "key", ProjectionStep, produces=("FP_CHANGELOG_FEATURES_V1", "FP_CHANGELOG_ENTITIES_V1")),
        StepSpec("dead_letter", "key", DeadLetterStep, produces=("FP_BUS_QUARANTINE_V1",)),
    ),
)

ACT = LaneSpec(
    name="act",
    pack="rtdl_decision_lane",
    components=("action_layer",),
    ranks={"FP_BUS_RTDL_V1": 0},
    accepts={"FP_BUS_RTDL_V1": ("decision_response", "action_outcome")},
    journal="FP_JOURNAL_ACT_V1",
    steps=(
        StepSpec("action_layer", "key", ActStep, produces=("FP_BUS_RTDL_V1",)),
        StepSpec("dead_letter", "key", DeadLetterStep, produces=("FP_BUS_QUARANTINE_V1",)),
    ),
)

AUDIT = LaneSpec(
    name="audit",
    pack="rtdl_decision_lane",
    components=("decision_log_audit",),
    ranks={"FP_BUS_RTDL_V1": 0},
    accepts={"FP_BUS_RTDL_V1": ("decision_response", "action_outcome")},
    journal=None,  # its segments in the object store are its journal
    produces=("FP_BUS_AUDIT_V1", "FP_BUS_QUARANTINE_V1"),
)

TOPOLOGY = Topology((RTDL, ACT, AUDIT))
