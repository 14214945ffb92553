"""Finds a run's READY on the control topic, or that the run ended without it. Without READY nothing is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from assay.agents.specs import ComponentSpec
from assay.app.bus.topic_reader import TopicRecord
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


def await_ready(reader: ComponentSpec, read_control: ReadControl, pins: Pins, run_config_digest: bytes, timeout_s: float) -> dict[str, Any]:
    """The run's READY record, waited for up to `timeout_s` by `reader`; a broker that is away meanwhile is waited for too.

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
                if name == READY:
                    return in_scope(said, pins, run_config_digest)
        except Retry as refusal:
            away = refusal
        if time.monotonic() >= deadline_s:
            what = f"no READY of {pins.platform_run_id} within {timeout_s:.0f} s"
            raise away or Stop(Reason.RUN_NOT_READY, what, where=CONTROL, remedy="Bring the run to READY with `assay sr submit`.")
        time.sleep(POLL_S)


def said_of(value: bytes | None, pins: Pins) -> tuple[str, dict[str, Any]]:
    """(record name, record) of READY or the terminal signal of a run in a value of the control topic; no name where it holds neither.

    READY is found by the platform run, so that one of another configuration is seen. A terminal signal is of one scenario run.
    """
    try:
        name, record = unpack(value or b"")
    except Quarantine:
        return "", {}
    if name not in (READY, TERMINAL) or record["pins"]["platform_run_id"] != pins.platform_run_id:
        return "", {}
    if name == TERMINAL and record["run_id"] != bytes.fromhex(pins.scenario_run_id):
        return "", {}
    return name, record


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


def in_scope(ready: dict[str, Any], pins: Pins, run_config_digest: bytes) -> dict[str, Any]:
    """The record, if it speaks of this world and configuration. Raises Stop(RUN_SCOPE_MISMATCH)."""
    if ready["pins"] == pins.as_avro() and ready["run_config_digest"] == run_config_digest:
        return ready
    what = "READY was given for another world or configuration than this run directory holds"
    raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where=ready["event_id"], remedy="Start another run; a run keeps what it was planned with.")
