"""The row that a gate set aside is named, and an answer without one is nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assay.app.streamer.refused import refuse_refused
from assay.app.streamer.sequence import StreamBatch
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

EVENTS = [{"event_id": f"e{number}", "event_type": "transaction", "source_order": 40 + number} for number in range(3)]
BATCH = StreamBatch(43, 3, json.dumps(EVENTS).encode(), None)


def _answer(event_id: str | None) -> dict[str, Any]:
    refused = {"event_id": event_id, "admission": "QUARANTINE", "reason_codes": ["SCHEMA_FAIL"], "detail": "no", "where": "$.payload"}
    return {"results": [{"event_id": "e0", "admission": "DUPLICATE", "reason_codes": ["DUPLICATE"]}, refused]}


@pytest.mark.parametrize("answer", [{}, {"results": []}, {"results": [{"event_id": "e1", "admission": "DUPLICATE"}]}])
def test_what_was_taken_or_was_there_before_is_no_refusal(answer: dict[str, Any]) -> None:
    refuse_refused(answer, BATCH, 40)


@pytest.mark.parametrize(
    ("event_id", "told"),
    [("e2", "row 42 of transaction, event e2: SCHEMA_FAIL: no (at $.payload)"), (None, "row after 40 of the sequence, event None")],
)
def test_the_refusal_names_row_event_and_reason(event_id: str | None, told: str) -> None:
    with pytest.raises(Stop) as refused:
        refuse_refused(_answer(event_id), BATCH, 40)
    assert refused.value.reason is Reason.GATE_REJECTED
    assert told in refused.value.what
