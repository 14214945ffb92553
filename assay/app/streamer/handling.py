"""A READY from the moment at which the streamer sees it: streamed once, put off, or left alone, and what is written of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from assay.app.governance import Family, Governance
from assay.app.streamer.ready_ledger import ReadyLedger, ReadyState, is_streamed, message_id_of
from assay.app.streamer.world_streamer import Streamed
from assay.app.telemetry import Telemetry
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.reasons import Reason

#: the longest reason that is written down
WHY_CHARS_MAX = 8_000


class Sent(NamedTuple):
    """What `stream` sent. `rows`: of each output."""

    streamed: Streamed
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Handling:
    """The handling of READY in one process."""

    ledger: ReadyLedger
    governance: Governance
    telemetry: Telemetry

    def pass_over(self, ready: dict[str, Any], refusal: Stop) -> None:
        """Write down a READY that is not taken: of another platform run, or refused. What cannot be written stops nothing."""
        foreign = refusal.reason is Reason.PLATFORM_RUN_SCOPE_MISMATCH
        if foreign:
            told = {"message_id": message_id_of(ready), "platform_run_id": ready["pins"]["platform_run_id"], **_why(refusal)}
            self.governance.say(Family.RUN_CANCELLED, f"cancelled:{message_id_of(ready)}:scope_mismatch", told)
        self._say("READY_OUT_OF_SCOPE" if foreign else "READY_REFUSED", ready, _why(refusal))
        self._note_refusal(ready, ReadyState.SKIPPED_OUT_OF_SCOPE if foreign else ReadyState.FAILED, refusal)

    def handle(self, ready: dict[str, Any], downstream: Callable[[], object], stream: Callable[[], Sent]) -> ReadyState | None:
        """What became of this run's READY; None when `stream` was stopped before its end, and the same command goes on.

        `downstream` raises Retry as long as nobody takes what is sent. A READY that was streamed calls neither of the two. Raises what
        they raise, and Stop(RUN_RECORD_DAMAGED), Retry(STORE_SILENT) where the ledger cannot be read or written.
        """
        message_id = message_id_of(ready)
        self._tell(Family.RUN_READY_SEEN, "ready_seen", ready)
        self._say("READY_SEEN", ready)
        if self.ledger.state(message_id) is ReadyState.STREAMED:
            self._tell(Family.RUN_STARTED, "started", ready)
            self._tell_end(ready)
            self._say("READY_DUPLICATE", ready)
            return ReadyState.SKIPPED_DUPLICATE
        self._wait(ready, downstream)
        self._tell(Family.RUN_STARTED, "started", ready)
        self._say("STREAM_STARTED", ready)
        try:
            sent = stream()
        except AssayError as refusal:
            self._say("STREAM_FAILED", ready, _why(refusal))
            self._note_refusal(ready, ReadyState.FAILED, refusal)
            raise
        if not sent.streamed.complete:
            self._say("STREAM_INTERRUPTED", ready)
            return None
        counts = dict(sent.streamed.counts)
        self.ledger.note(ready, ReadyState.STREAMED, rows=dict(sent.rows), counts=counts, retries=sent.streamed.retries)
        self._say("READY_STREAMED", ready, counts)
        self._tell_end(ready)
        return ReadyState.STREAMED

    def close(self, within_s: float) -> int:
        """Give what was told so many seconds to be written. Facts about the run that were not."""
        self.telemetry.close(within_s)
        return self.governance.close(within_s)

    def _wait(self, ready: dict[str, Any], downstream: Callable[[], object]) -> None:
        try:
            downstream()
        except Retry as refusal:
            self._say("READY_DEFERRED", ready, _why(refusal))
            self._note_refusal(ready, ReadyState.DEFERRED_DOWNSTREAM_NOT_READY, refusal)
            raise

    def _note_refusal(self, ready: dict[str, Any], state: ReadyState, refusal: AssayError) -> None:
        """What is refused is raised by others: a ledger that cannot be written does not take its place."""
        with suppress(AssayError):
            self.ledger.note(ready, state, **_why(refusal, "reason"))

    def _tell(self, family: Family, prefix: str, ready: dict[str, Any]) -> None:
        told = {"message_id": message_id_of(ready), "bundle_hash": ready["bundle_hash"].hex(), "facts_view_ref": ready["facts_view_ref"]}
        self.governance.say(family, f"{prefix}:{message_id_of(ready)}", told)

    def _tell_end(self, ready: dict[str, Any]) -> None:
        """The run has ended when every lane has sent its part."""
        if is_streamed(self.ledger.rows(message_id_of(ready))):
            self._tell(Family.RUN_ENDED, "ended", ready)

    def _say(self, event_kind: str, ready: dict[str, Any], details: Mapping[str, Any] | None = None) -> None:
        told = {"message_id": message_id_of(ready), **(details or {})}
        self.telemetry.say(event_kind, ready["pins"]["scenario_run_id"].hex(), told)


def _why(refusal: AssayError, code: str = "reason_code") -> dict[str, str]:
    return {code: refusal.reason.value, "why": refusal.what[:WHY_CHARS_MAX] or "no more is known"}
