"""Outputs belong to one of two traffics, and a mixture is refused."""

from __future__ import annotations

import pytest

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.traffic_modes import BASELINE, FRAUD, TrafficMode, mode_of
from assay.engine.graph import SEGMENTS

FACTS = "arrival_events_5B"


@pytest.mark.parametrize(
    ("outputs", "mode"),
    [
        ((BASELINE.events,), BASELINE),
        ((BASELINE.events, BASELINE.flow_anchors, BASELINE.arrival_entities, FACTS), BASELINE),
        ((FACTS, FRAUD.events), FRAUD),
        ((FRAUD.flow_anchors, FRAUD.arrival_entities), FRAUD),
        ((FACTS,), None),
        ((), None),
    ],
)
def test_outputs_are_of_one_traffic_or_of_none(outputs: tuple[str, ...], mode: TrafficMode | None) -> None:
    assert mode_of(outputs) is mode


@pytest.mark.parametrize("of_baseline", BASELINE[1:])
@pytest.mark.parametrize("of_fraud", FRAUD[1:])
def test_outputs_of_both_traffics_are_refused_together(of_baseline: str, of_fraud: str) -> None:
    with pytest.raises(Stop) as refused:
        mode_of([FACTS, of_fraud, of_baseline])
    assert refused.value.reason is Reason.TRAFFIC_MODES_MIXED
    assert of_baseline in refused.value.what and of_fraud in refused.value.what


def test_both_traffics_name_outputs_that_the_engine_makes() -> None:
    made = {output.output_id for segment in SEGMENTS for output in segment.outputs}
    assert {*BASELINE[1:], *FRAUD[1:]} <= made
