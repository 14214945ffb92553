"""What the control topic says of a run: READY, the signal that it ended without READY, and revisions of its policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from assay.codecs.single_object import unpack
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

READY: Final = "run_ready"
TERMINAL: Final = "run_terminal_signal"
POLICY_REVISION: Final = "policy_revision"


def said_of(value: bytes | None, pins: Pins) -> tuple[str, dict[str, Any]]:
    """(record name, record) of a value of the control topic; no name where it says nothing of a run.

    READY may be of any run. A terminal signal and a policy revision are of one scenario run: those of others have no name.
    """
    try:
        name, record = unpack(value or b"")
    except Quarantine:
        return "", {}
    if name == TERMINAL:
        of = record["pins"]["platform_run_id"], record["run_id"]
        return (name, record) if of == (pins.platform_run_id, bytes.fromhex(pins.scenario_run_id)) else ("", {})
    if name == POLICY_REVISION:
        return (name, record) if record["pins"] == pins.as_avro() else ("", {})
    return (name, record) if name == READY else ("", {})


def refuse_out_of_scope(ready: Mapping[str, Any], pins: Pins, run_config_digest: bytes) -> None:
    """Raises Stop(PLATFORM_RUN_SCOPE_MISMATCH) for a READY of another platform run, Stop(RUN_SCOPE_MISMATCH) for one of this run that
    speaks of another world or configuration."""
    of = ready["pins"]["platform_run_id"]
    if of != pins.platform_run_id:
        what = f"READY is of the platform run {of}, this one is {pins.platform_run_id}"
        raise Stop(Reason.PLATFORM_RUN_SCOPE_MISMATCH, what, where=ready["event_id"], remedy="Its own streamer takes it.")
    if ready["pins"] != pins.as_avro() or ready["run_config_digest"] != run_config_digest:
        what = "READY was given for another world or configuration than this run directory holds"
        remedy = "Start another run; a run keeps what it was planned with."
        raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where=ready["event_id"], remedy=remedy)


def ended(signal: Mapping[str, Any]) -> Stop:
    """The refusal of a run that ended without READY, with its state and code."""
    code = str(signal["reason_code"])
    try:
        reason = Reason(code)
    except ValueError:  # of a later version
        reason = Reason.RUN_NOT_READY
    what = f"the run is {signal['status_state']} by {code}: it will not be READY"
    remedy = "`assay sr show` says why. A run that ended stays so: correct its cause and start another run."
    return Stop(reason, what, where=signal["record_ref"], remedy=remedy)
