"""Topic handles as constants: a handle is written here, in its topic file, and in no other place of `assay`.

The version at the end of a handle belongs to the topic, not to the name in code.
"""

from __future__ import annotations

from typing import Final

CONTROL: Final = "FP_BUS_CONTROL_V1"
POSTURE: Final = "FP_BUS_POSTURE_V1"
LABELS: Final = "FP_BUS_LABELS_EVENTS_V1"
CONTEXT: Final = "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1"
TRAFFIC: Final = "FP_BUS_TRAFFIC_FRAUD_V1"
TRAFFIC_BASELINE: Final = "FP_BUS_TRAFFIC_BASELINE_V1"
ARRIVALS: Final = "FP_BUS_CONTEXT_ARRIVAL_EVENTS_V1"
FLOWS_BASELINE: Final = "FP_BUS_CONTEXT_FLOW_ANCHOR_BASELINE_V1"
FLOWS_FRAUD: Final = "FP_BUS_CONTEXT_FLOW_ANCHOR_FRAUD_V1"
RTDL: Final = "FP_BUS_RTDL_V1"
ANSWERS: Final = "FP_BUS_ANSWERS_V1"
AUDIT: Final = "FP_BUS_AUDIT_V1"
QUARANTINE: Final = "FP_BUS_QUARANTINE_V1"
FEATURE_SETS: Final = "FP_BUS_FEATURE_SETS_V1"
JOURNAL_RTDL: Final = "FP_JOURNAL_RTDL_V1"
JOURNAL_ACT: Final = "FP_JOURNAL_ACT_V1"
CHANGELOG_FEATURES: Final = "FP_CHANGELOG_FEATURES_V1"
CHANGELOG_ENTITIES: Final = "FP_CHANGELOG_ENTITIES_V1"
