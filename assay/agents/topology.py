"""The topology: every lane, step, component and topic, and who feeds whom. One value; everything else is derived from it.

The words are in `specs.py`. To add a step: write its file, add a `StepSpec` to its lane here. To add a component: a `ComponentSpec`. A
topic is a file in `contracts/topics`; `assay contracts check` compares both. `make docs` draws the picture again.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay.agents import act, decide, dedupe, entity_graph, features, posture, projections, scoring
from assay.agents.act import ActStep
from assay.agents.components import COMPONENTS, PLANNED
from assay.agents.decide import DecideStep
from assay.agents.dedupe import DedupeStep
from assay.agents.entity_graph import EntityGraphStep
from assay.agents.features import FeatureStep
from assay.agents.posture import PostureStep
from assay.agents.projections import ProjectionStep
from assay.agents.scoring import ScoringStep
from assay.agents.specs import (
    Document,
    Equals,
    Field,
    IdOf,
    InputSpec,
    JournalSegments,
    JournalTopic,
    LaneSpec,
    RecordSpec,
    Role,
    Source,
    StepSpec,
    Topology,
    ValueDigest,
)
from assay.agents.topology_check import check
from assay.codecs.audit_segment import SEGMENTS
from assay.contracts import handles
from assay.contracts.topics import topics
from assay.tables.row_kinds import CONTEXT, LABEL, PAYMENT, POSTURE, RUN_READY

_TS: Mapping[str, Source] = {"ts_us": Field("ts_utc")}
_DOCUMENT: Mapping[str, Source] = {**_TS, "document": Document()}
_ENTITIES: Mapping[str, Source] = {**_TS, "entity.*": IdOf("entities")}

RTDL = LaneSpec(
    name="rtdl",
    role=Role.DECIDE,
    pack="rtdl_core",
    component="rtdl_lane",
    inputs={
        # how a run ended without READY is for those who wait outside: nothing is decided by it
        handles.CONTROL: InputSpec(0, (RecordSpec("run_ready", RUN_READY, _DOCUMENT), RecordSpec("run_terminal_signal", rows=False))),
        handles.POSTURE: InputSpec(0, (RecordSpec("posture", POSTURE, _DOCUMENT),)),
        handles.LABELS: InputSpec(1, (RecordSpec("label_assertion", LABEL, {**_TS, "label": Equals("label", "FRAUD")}),)),
        # rows of a generated world lie on the topics that payments and facts of other runs lie on; no decision is made on them yet
        handles.CONTEXT: InputSpec(2, (RecordSpec("context_fact", CONTEXT, _ENTITIES), RecordSpec("arrival_entities", rows=False))),
        handles.TRAFFIC: InputSpec(
            3,
            (
                RecordSpec("payment", PAYMENT, _ENTITIES, must_decode=("kind", "currency"), currency="currency"),
                RecordSpec("flow_event", rows=False),
            ),
        ),
    },
    ordering="run",
    machine="fold",
    journal=JournalTopic(handles.JOURNAL_RTDL),
    group="rtdl",
    dead_letter=handles.QUARANTINE,
    steps=(
        StepSpec("dedupe", key="event", make=DedupeStep, reads=dedupe.READS, writes=dedupe.WRITES, holds=True),
        StepSpec(
            "entity_graph",
            key="none",  # the clock that forgets ids is that of all rows
            make=EntityGraphStep,
            reads=entity_graph.READS,
            writes=entity_graph.WRITES,
            frames_written=entity_graph.FRAMES,
            tables=("entities",),
            punctuated=True,
        ),
        StepSpec(
            "online_features",
            key="entity",
            make=FeatureStep,
            reads=features.READS,
            writes=features.WRITES,
            frames_read=features.FRAMES_READ,
            tables=("features",),
            views=("entities",),
            punctuated=True,
        ),
        StepSpec("posture", key="none", make=PostureStep, reads=posture.READS, writes=posture.WRITES, tables=("posture",)),
        StepSpec("scoring", key="event", make=ScoringStep, reads=scoring.READS, writes=scoring.WRITES),
        StepSpec(
            "decision_fabric",
            key="event",
            make=DecideStep,
            reads=decide.READS,
            emits={handles.RTDL: ("decision_response",)},
            tables=("decisions",),
        ),
        StepSpec(
            "projections",
            key="entity",
            make=ProjectionStep,
            frames_read=projections.FRAMES_READ,
            emits={handles.CHANGELOG_FEATURES: ("feature_row",), handles.CHANGELOG_ENTITIES: ("entity_row",)},
            views=("features", "entities"),
            punctuated=True,
        ),
    ),
)

ACT = LaneSpec(
    name="act",
    role=Role.ACT,
    pack="rtdl_decision_lane",
    component="action_layer",
    inputs={
        handles.RTDL: InputSpec(
            0,
            (
                RecordSpec(
                    "decision_response",
                    columns={
                        "ts_us": Field("source_event.ts_utc"),
                        "source_event_id": Field("source_event.event_id"),
                        "decision_sha256": ValueDigest(),
                        "action_id": Field("intent.action_id"),
                        "action_kind": Field("intent.action_kind"),
                        "idempotency_key": Field("intent.idempotency_key"),
                    },
                ),
                # the audit lane joins outcomes that can be read; nobody else would say of the others that they are there
                RecordSpec("action_outcome", rows=False, must_decode=("action_id", "source_event_id"), of_run=False),
            ),
        )
    },
    ordering="arrival",
    machine="fold",
    journal=JournalTopic(handles.JOURNAL_ACT),
    group="act",
    dead_letter=handles.QUARANTINE,
    effector="actions",
    steps=(StepSpec("action_layer", key="event", make=ActStep, reads=act.READS, emits={handles.RTDL: ("action_outcome",)}, effects=True),),
)

AUDIT = LaneSpec(
    name="audit",
    role=Role.AUDIT,
    pack="rtdl_decision_lane",
    component="decision_log_audit",
    inputs={handles.RTDL: InputSpec(0, (RecordSpec("decision_response"), RecordSpec("action_outcome")))},
    ordering="arrival",
    machine="audit",
    journal=JournalSegments(SEGMENTS),
    group="audit",
    dead_letter=handles.QUARANTINE,
    emits={handles.AUDIT: ("audit_record",)},
)

TOPOLOGY = Topology((RTDL, ACT, AUDIT), (*COMPONENTS, *PLANNED))
check(TOPOLOGY, topics())
