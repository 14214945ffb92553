"""The events of the World Streamer and of the delivery of labels that operators see: phase, outcome and severity of each."""

from __future__ import annotations

from typing import Final

from assay.app.telemetry import Kind, Outcome, Phase, Severity

_DEBUG, _WARN, _ERROR = Severity.DEBUG, Severity.WARN, Severity.ERROR

KINDS: Final[dict[str, Kind]] = {
    "READY_SEEN": Kind(Phase.INGRESS),
    "READY_DUPLICATE": Kind(Phase.INGRESS, Outcome.SKIP),
    "READY_OUT_OF_SCOPE": Kind(Phase.INGRESS, Outcome.SKIP, _WARN),
    "READY_REFUSED": Kind(Phase.INGRESS, Outcome.CONFLICT, _ERROR),
    "READY_DEFERRED": Kind(Phase.INGRESS, Outcome.WAITING, _WARN),
    "STREAM_STARTED": Kind(Phase.STREAM),
    "OUTPUT_STARTED": Kind(Phase.STREAM),
    "BATCH_TAKEN": Kind(Phase.STREAM, severity=_DEBUG),
    "LANE_AWAITED": Kind(Phase.STREAM, Outcome.WAITING, _WARN),
    "LANE_GOES_ON": Kind(Phase.STREAM),
    "CALL_RETRIED": Kind(Phase.STREAM, Outcome.RETRY, _WARN),
    "OUTPUT_ENDED": Kind(Phase.STREAM),
    "STREAM_INTERRUPTED": Kind(Phase.STREAM, Outcome.WAITING),
    "STREAM_FAILED": Kind(Phase.STREAM, Outcome.FAIL, _ERROR),
    "CHECKPOINT_KEPT": Kind(Phase.COMMIT, severity=_DEBUG),
    "READY_STREAMED": Kind(Phase.COMMIT),
}
