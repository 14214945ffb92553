"""An event that the gate set aside inside an answer of 200: the stream ends there, and says which row it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assay.app.streamer.sequence import StreamBatch
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def refuse_refused(answer: Mapping[str, Any], batch: StreamBatch, position: int) -> None:
    """Raises Stop(GATE_REJECTED) when an item of a batch was set aside. `position`: where the batch begins in its sequence."""
    refused = next((item for item in answer.get("results", ()) if item["admission"] == "QUARANTINE"), None)
    if refused is None:
        return
    envelopes = json.loads(batch.body)
    at = next((number for number, one in enumerate(envelopes) if one["event_id"] == refused["event_id"]), None)
    event = {} if at is None else envelopes[at]
    row = event.get("source_order", f"after {position}")
    what = f"the gate set aside row {row} of {event.get('event_type', 'the sequence')}, event {refused['event_id']}"
    why = f"{', '.join(refused['reason_codes'])}: {refused.get('detail', '')} (at {refused.get('where', '')})"
    remedy = "Correct the row at its source. Or let the gate set such rows aside: --let-gate-refuse; the command goes on where it stopped."
    raise Stop(Reason.GATE_REJECTED, f"{what}: {why}", where=str(refused["event_id"]), remedy=remedy)
