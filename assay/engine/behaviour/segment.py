"""Segment 6B as a value."""

from __future__ import annotations

from assay.contracts.gates import GateMethod
from assay.engine.behaviour.arrival_entities import S1
from assay.engine.behaviour.campaign_plan import S3A
from assay.engine.behaviour.checks import CHECKS
from assay.engine.behaviour.flows import S2
from assay.engine.behaviour.overlay import S3B
from assay.engine.segment import Segment
from assay.engine.truth.state import CASES, LABELLING

UPSTREAM = ("1A", "1B", "2A", "2B", "3A", "3B", "5A", "5B", "6A")
GATE_6B = GateMethod("sha256_index_json_ascii_lex_raw_bytes", list_name="items")

SEGMENT_6B = Segment(
    "6B",
    3,
    UPSTREAM,
    (S1, S2, S3A, S3B, LABELLING, CASES),
    CHECKS,
    GATE_6B,
    seed_path=("seed", "parameter_hash", "manifest_fingerprint", "scenario_id"),
)
