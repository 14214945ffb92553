"""The two traffics of a generated world: without fraud and with it. A run streams one of them; a mixture would tell what was overlaid."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class TrafficName(StrEnum):
    """How people name a traffic."""

    BASELINE = "baseline"
    FRAUD = "fraud"


class TrafficMode(NamedTuple):
    """The outputs of one traffic: its events, and the context that may be joined to them."""

    name: TrafficName
    events: str
    flow_anchors: str
    arrival_entities: str


BASELINE: Final = TrafficMode(TrafficName.BASELINE, "s2_event_stream_baseline_6B", "s2_flow_anchor_baseline_6B", "s1_arrival_entities_6B")
FRAUD: Final = TrafficMode(
    TrafficName.FRAUD, "s3_event_stream_with_fraud_6B", "s3_flow_anchor_with_fraud_6B", "s3_arrival_entities_with_fraud_6B"
)
MODES: Final = {mode.name: mode for mode in (BASELINE, FRAUD)}


def mode_of(output_ids: Iterable[str]) -> TrafficMode | None:
    """The traffic that outputs belong to, None where they are of neither. Raises Stop(TRAFFIC_MODES_MIXED)."""
    asked = sorted(output_ids)
    found = [mode for mode in MODES.values() if {*mode[1:]} & {*asked}]
    if len(found) > 1:
        what = f"{', '.join(asked)} are of the traffic without fraud and of that with it"
        remedy = "Name outputs of one traffic: baseline (s1, s2) or fraud (s3)."
        raise Stop(Reason.TRAFFIC_MODES_MIXED, what, where="output_ids", remedy=remedy)
    return found[0] if found else None
