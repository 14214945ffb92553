"""The topology: every lane, step, component and topic, and who feeds whom. One value; everything else is derived from it.

The words are in `specs.py`. To add a step: write its file, add a `StepSpec` to its lane here. To add a component: a `ComponentSpec`. A
topic is a file in `contracts/topics`; `assay contracts check` compares both. `make docs` draws the picture again.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay.agents import act, decide, dedupe, entity_graph, features, projections
from assay.agents.act import ActStep
from assay.agents.decide import DecideStep
from assay.agents.dedupe import DedupeStep
from assay.agents.entity_graph import EntityGraphStep
from assay.agents.features import FeatureStep
from assay.agents.projections import ProjectionStep
from assay.agents.specs import (
    ComponentSpec,
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
from assay.codecs.audit_segment import SEGMENTS
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
        "FP_BUS_CONTROL_V1": InputSpec(0, (RecordSpec("run_ready", RUN_READY, _DOCUMENT),)),
        "FP_BUS_POSTURE_V1": InputSpec(0, (RecordSpec("posture", POSTURE, _DOCUMENT),)),
        "FP_BUS_LABELS_EVENTS_V1": InputSpec(1, (RecordSpec("label_assertion", LABEL, {**_TS, "label": Equals("label", "FRAUD")}),)),
        "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1": InputSpec(2, (RecordSpec("context_fact", CONTEXT, _ENTITIES),)),
        "FP_BUS_TRAFFIC_FRAUD_V1": InputSpec(3, (RecordSpec("payment", PAYMENT, _ENTITIES, must_decode=("kind", "currency")),)),
    },
    ordering="run",
    machine="fold",
    journal=JournalTopic("FP_JOURNAL_RTDL_V1"),
    group="rtdl",
    dead_letter="FP_BUS_QUARANTINE_V1",
    steps=(
        StepSpec("dedupe", key="event", make=DedupeStep, reads=dedupe.READS, writes=dedupe.WRITES),
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
        StepSpec(
            "decision_fabric",
            key="event",
            make=DecideStep,
            reads=decide.READS,
            emits={"FP_BUS_RTDL_V1": ("decision_response",)},
            tables=("decisions",),
        ),
        StepSpec(
            "projections",
            key="entity",
            make=ProjectionStep,
            frames_read=projections.FRAMES_READ,
            emits={"FP_CHANGELOG_FEATURES_V1": ("feature_row",), "FP_CHANGELOG_ENTITIES_V1": ("entity_row",)},
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
        "FP_BUS_RTDL_V1": InputSpec(
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
    journal=JournalTopic("FP_JOURNAL_ACT_V1"),
    group="act",
    dead_letter="FP_BUS_QUARANTINE_V1",
    effector="actions",
    steps=(
        StepSpec("action_layer", key="event", make=ActStep, reads=act.READS, emits={"FP_BUS_RTDL_V1": ("action_outcome",)}, effects=True),
    ),
)

AUDIT = LaneSpec(
    name="audit",
    role=Role.AUDIT,
    pack="rtdl_decision_lane",
    component="decision_log_audit",
    inputs={"FP_BUS_RTDL_V1": InputSpec(0, (RecordSpec("decision_response"), RecordSpec("action_outcome")))},
    ordering="arrival",
    machine="audit",
    journal=JournalSegments(SEGMENTS),
    group="audit",
    dead_letter="FP_BUS_QUARANTINE_V1",
    emits={"FP_BUS_AUDIT_V1": ("audit_record",)},
)

COMPONENTS = (
    ComponentSpec(
        "scenario_runner",
        pack="control_ingress",
        about="checks a sealed world and publishes READY and the first posture",
        produces={"FP_BUS_CONTROL_V1": ("run_ready", "mark"), "FP_BUS_POSTURE_V1": ("posture", "mark")},
    ),
    ComponentSpec(
        "world_streamer",
        pack="control_ingress",
        about="posts the events of a READY world to the gate over HTTP",
        consumes={"FP_BUS_CONTROL_V1": ("run_ready",)},
        calls=("ingestion_gate",),
    ),
    ComponentSpec(
        "ingestion_gate",
        pack="control_ingress",
        about="admits events: envelope, schema, pins, dedupe, receipts",
        produces={
            "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1": ("context_fact", "mark"),
            "FP_BUS_TRAFFIC_FRAUD_V1": ("payment", "mark"),
        },
    ),
    ComponentSpec(
        "label_store",
        pack="case_labels",
        about="publishes label assertions; runs in the gate's process",
        produces={"FP_BUS_LABELS_EVENTS_V1": ("label_assertion", "mark")},
    ),
    ComponentSpec(
        "replay",
        pack="learning_jobs",
        about="recomputes every decision from the journal",
        consumes={"FP_JOURNAL_RTDL_V1": ("journal_record",), "FP_BUS_RTDL_V1": ("decision_response",)},
    ),
    ComponentSpec(
        "report",
        pack="obs_gov",
        about="counts a run and writes its evidence and its page",
        consumes={
            "FP_BUS_TRAFFIC_FRAUD_V1": ("payment",),
            "FP_BUS_RTDL_V1": ("decision_response",),
            "FP_BUS_QUARANTINE_V1": ("quarantine_record",),
        },
    ),
    ComponentSpec(
        "operator",
        pack="obs_gov",
        about="people with `assay topic cat` and `assay journal`",
        consumes={
            "FP_JOURNAL_RTDL_V1": ("journal_record",),
            "FP_JOURNAL_ACT_V1": ("journal_record",),
            "FP_CHANGELOG_FEATURES_V1": ("feature_row",),
            "FP_CHANGELOG_ENTITIES_V1": ("entity_row",),
            "FP_BUS_AUDIT_V1": ("audit_record",),
            "FP_BUS_QUARANTINE_V1": ("quarantine_record",),
        },
    ),
)

#: edges that the topic files reserve and no code uses yet
PLANNED = (
    ComponentSpec(
        "degrade_ladder",
        pack="rtdl_decision_lane",
        about="decides the posture from health signals",
        produces={"FP_BUS_POSTURE_V1": ("posture",)},
        planned=True,
    ),
    ComponentSpec(
        "operator",
        pack="obs_gov",
        about="sets a posture and releases a run by hand",
        produces={"FP_BUS_CONTROL_V1": ("run_ready",), "FP_BUS_POSTURE_V1": ("posture",)},
        planned=True,
    ),
    ComponentSpec(
        "replay",
        pack="learning_jobs",
        about="recomputes actions and audit",
        consumes={"FP_JOURNAL_ACT_V1": ("journal_record",), "FP_BUS_AUDIT_V1": ("audit_record",)},
        planned=True,
    ),
    ComponentSpec(
        "report",
        pack="obs_gov",
        about="closes a run from its topics",
        consumes={
            "FP_BUS_CONTROL_V1": ("run_ready",),
            "FP_BUS_POSTURE_V1": ("posture",),
            "FP_BUS_LABELS_EVENTS_V1": ("label_assertion",),
            "FP_BUS_AUDIT_V1": ("audit_record",),
            "FP_JOURNAL_RTDL_V1": ("journal_record",),
            "FP_JOURNAL_ACT_V1": ("journal_record",),
        },
        planned=True,
    ),
)

TOPOLOGY = Topology((RTDL, ACT, AUDIT), (*COMPONENTS, *PLANNED))
