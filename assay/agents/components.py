"""The components outside of lanes: front-ends, jobs and readers. A component writes and reads the records that stand here and no others.

To add a component: a `ComponentSpec` here, and its name in the files of its topics. A front-end asks its own `ComponentSpec` before it
writes or reads.
"""

from __future__ import annotations

from typing import Final

from assay.agents.specs import ComponentSpec
from assay.contracts import handles

SCENARIO_RUNNER: Final = ComponentSpec(
    "scenario_runner",
    pack="control_ingress",
    about="checks a world; publishes READY or how the run ended, features' names, the first posture, policy revisions, final watermarks",
    produces={
        handles.CONTROL: ("run_ready", "run_terminal_signal", "policy_revision", "mark"),
        handles.POSTURE: ("posture", "mark"),
        handles.FEATURE_SETS: ("feature_set",),
    },
)
WORLD_STREAMER: Final = ComponentSpec(
    "world_streamer",
    pack="control_ingress",
    about="posts the payments of a READY world to the gate over HTTP",
    consumes={handles.CONTROL: ("run_ready", "run_terminal_signal")},
    calls=("ingestion_gate",),
)
LABEL_DELIVERY: Final = ComponentSpec(
    "label_delivery",
    pack="case_labels",
    about="posts the labels of a READY world to the gate over HTTP, when they are known",
    consumes={handles.CONTROL: ("run_ready", "run_terminal_signal")},
    calls=("ingestion_gate",),
)
KAFKA_CONNECT: Final = ComponentSpec(
    "kafka_connect",
    pack="control_ingress",
    about="reads a bank's own topic and posts its payments or labels to the gate over HTTP",
    calls=("ingestion_gate",),
)
INGESTION_GATE: Final = ComponentSpec(
    "ingestion_gate",
    pack="control_ingress",
    about="admits events: envelope, schema, pins, dedupe, receipts; answers what became of payments, and whoever waits for a decision",
    produces={
        handles.CONTEXT: ("context_fact", "arrival_entities", "mark"),
        handles.TRAFFIC: ("payment", "flow_event", "mark"),
        handles.TRAFFIC_BASELINE: ("flow_event", "mark"),
        handles.ARRIVALS: ("arrival_event", "mark"),
        handles.FLOWS_BASELINE: ("flow_anchor", "mark"),
        handles.FLOWS_FRAUD: ("flow_anchor", "mark"),
        handles.GATE_PREFLIGHT: ("gate_preflight",),
        handles.ANSWERS: ("decide_answer",),
    },
    consumes={
        handles.QUARANTINE: ("quarantine_record",),
        handles.CONTROL: ("run_ready", "run_terminal_signal", "policy_revision"),
        handles.RTDL: ("decision_response",),
        handles.ANSWERS: ("decide_answer",),
        # its own events, to find those whose fate nobody was told
        handles.CONTEXT: ("context_fact", "arrival_entities"),
        handles.TRAFFIC: ("payment", "flow_event"),
        handles.TRAFFIC_BASELINE: ("flow_event",),
        handles.ARRIVALS: ("arrival_event",),
        handles.FLOWS_BASELINE: ("flow_anchor",),
        handles.FLOWS_FRAUD: ("flow_anchor",),
    },
)
LABEL_STORE: Final = ComponentSpec(
    "label_store",
    pack="case_labels",
    about="publishes label assertions; runs in the gate's process",
    produces={handles.LABELS: ("label_assertion", "mark")},
    consumes={handles.LABELS: ("label_assertion",)},
)

COMPONENTS: Final = (
    SCENARIO_RUNNER,
    WORLD_STREAMER,
    LABEL_DELIVERY,
    KAFKA_CONNECT,
    INGESTION_GATE,
    LABEL_STORE,
    ComponentSpec(
        "replay",
        pack="learning_jobs",
        about="recomputes every decision from the journal",
        consumes={handles.JOURNAL_RTDL: ("journal_record",), handles.RTDL: ("decision_response",)},
    ),
    ComponentSpec(
        "report",
        pack="obs_gov",
        about="counts a run and writes its evidence and its page",
        consumes={
            handles.TRAFFIC: ("payment",),
            handles.RTDL: ("decision_response",),
            handles.ANSWERS: ("decide_answer",),
            handles.QUARANTINE: ("quarantine_record",),
            handles.LABELS: ("label_assertion",),
        },
    ),
    ComponentSpec(
        "operator",
        pack="obs_gov",
        about="people with `assay topic cat` and `assay journal`",
        consumes={
            handles.JOURNAL_RTDL: ("journal_record",),
            handles.JOURNAL_ACT: ("journal_record",),
            handles.CHANGELOG_FEATURES: ("feature_row",),
            handles.CHANGELOG_ENTITIES: ("entity_row",),
            handles.AUDIT: ("audit_record",),
            handles.QUARANTINE: ("quarantine_record",),
            handles.FEATURE_SETS: ("feature_set",),
            handles.GATE_PREFLIGHT: ("gate_preflight",),
            handles.TRAFFIC_BASELINE: ("flow_event", "mark"),
            handles.ARRIVALS: ("arrival_event", "mark"),
            handles.FLOWS_BASELINE: ("flow_anchor", "mark"),
            handles.FLOWS_FRAUD: ("flow_anchor", "mark"),
        },
    ),
)

#: edges that the topic files reserve; no code uses them yet
PLANNED: Final = (
    ComponentSpec(
        "rtdl_lane",
        pack="rtdl_core",
        about="joins events of flows with their context and decides on them",
        consumes={
            handles.TRAFFIC_BASELINE: ("flow_event", "mark"),
            handles.ARRIVALS: ("arrival_event", "mark"),
            handles.FLOWS_BASELINE: ("flow_anchor", "mark"),
            handles.FLOWS_FRAUD: ("flow_anchor", "mark"),
        },
        planned=True,
    ),
    ComponentSpec(
        "degrade_ladder",
        pack="rtdl_decision_lane",
        about="decides the posture from health signals",
        produces={handles.POSTURE: ("posture",)},
        planned=True,
    ),
    ComponentSpec(
        "operator",
        pack="obs_gov",
        about="sets a posture and releases a run by hand",
        produces={handles.CONTROL: ("run_ready",), handles.POSTURE: ("posture",)},
        planned=True,
    ),
    ComponentSpec(
        "replay",
        pack="learning_jobs",
        about="recomputes actions and audit",
        consumes={handles.JOURNAL_ACT: ("journal_record",), handles.AUDIT: ("audit_record",)},
        planned=True,
    ),
    ComponentSpec(
        "report",
        pack="obs_gov",
        about="closes a run from its topics",
        consumes={
            handles.CONTROL: ("run_ready",),
            handles.POSTURE: ("posture",),
            handles.AUDIT: ("audit_record",),
            handles.JOURNAL_RTDL: ("journal_record",),
            handles.JOURNAL_ACT: ("journal_record",),
        },
        planned=True,
    ),
)
