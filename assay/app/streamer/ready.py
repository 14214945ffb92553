"""Finds a run's READY on the control topic, or that the run ended without it. Without READY nothing is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from assay.agents.specs import ComponentSpec
from assay.app.bus.topic_reader import TopicRecord
from assay.app.progress import unseen
from assay.codecs.single_object import unpack
from assay.contracts.errors import Quarantine, Retry, Stop
from assay.contracts.handles import CONTROL
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

READY = "run_ready"
TERMINAL = "run_terminal_signal"
POLL_S = 0.2

#: records of the control topic from an offset on, as far as there are any now
ReadControl = Callable[[int], Iterable[TopicRecord]]
#: is told of a READY that is not taken, with the reason
PassOver = Callable[[dict[str, Any], Stop], object]


def await_ready(
    reader: ComponentSpec,
    read_control: ReadControl,
    pins: Pins,
    run_config_digest: bytes,
    timeout_s: float,
    pass_over: PassOver = unseen,
) -> dict[str, Any]:
    """The run's READY record, waited for up to `timeout_s` by `reader`; a broker that is away meanwhile is waited for too.

    `pass_over` is told of every READY of another platform run before it, and of one that is refused here.

    Raises Stop(RUN_NOT_READY) when none comes, Stop with the code by which the run ended when it ended without READY,
    Stop(RUN_SCOPE_MISMATCH) when READY was given for another configuration or world, Stop(CONSUMER_UNLISTED) when the topology does
    not let this reader have both, and what `read_control` raised last when the broker stayed away.
    """
    for record_name in (READY, TERMINAL):
        reader.check_consumes(CONTROL, record_name)
    deadline_s, next_offset = time.monotonic() + timeout_s, 0
    while True:
        away: Retry | None = None
        try:
            for record in read_control(next_offset):
                next_offset = record.offset + 1
                name, said = said_of(record.value, pins)
                if name == TERMINAL:
                    raise ended(said)
                if name == READY and _is_taken(said, pins, run_config_digest, pass_over):
                    return said
        except Retry as refusal:
            away = refusal
        if time.monotonic() >= deadline_s:
            what = f"no READY of {pins.platform_run_id} within {timeout_s:.0f} s"
            raise away or Stop(Reason.RUN_NOT_READY, what, where=CONTROL, remedy="Bring the run to READY with `assay sr submit`.")
        time.sleep(POLL_S)


def said_of(value: bytes | None, pins: Pins) -> tuple[str, dict[str, Any]]:
    """(record name, record) of a READY, or of the terminal signal of this run, in a value of the control topic; no name where it holds
    neither. READY may be of any run; a terminal signal is of one scenario run."""
    try:
        name, record = unpack(value or b"")
    except Quarantine:
        return "", {}
    if name == TERMINAL:
        of = record["pins"]["platform_run_id"], record["run_id"]
        return (name, record) if of == (pins.platform_run_id, bytes.fromhex(pins.scenario_run_id)) else ("", {})
    return (name, record) if name == READY else ("", {})


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


def _is_taken(ready: dict[str, Any], pins: Pins, run_config_digest: bytes, pass_over: PassOver) -> bool:
    """Whether a READY is this run's. Raises Stop(RUN_SCOPE_MISMATCH)."""
    try:
        refuse_out_of_scope(ready, pins, run_config_digest)
    except Stop as refusal:
        pass_over(ready, refusal)
        if refusal.reason is Reason.PLATFORM_RUN_SCOPE_MISMATCH:
            return False
        raise
    return True


def refuse_out_of_scope(ready: dict[str, Any], pins: Pins, run_config_digest: bytes) -> None:
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
