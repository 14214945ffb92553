"""Finds a run's READY on the control topic. Without it nothing is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from assay.agents.specs import ComponentSpec
from assay.app.bus.topic_reader import TopicRecord
from assay.codecs.single_object import unpack
from assay.contracts.errors import Quarantine, Retry, Stop
from assay.contracts.handles import CONTROL
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

READY = "run_ready"
POLL_S = 0.2

#: records of the control topic from an offset on, as far as there are any now
ReadControl = Callable[[int], Iterable[TopicRecord]]


def await_ready(reader: ComponentSpec, read_control: ReadControl, pins: Pins, run_config_digest: bytes, timeout_s: float) -> dict[str, Any]:
    """The run's READY record, waited for up to `timeout_s` by `reader`; a broker that is away meanwhile is waited for too.

    Raises Stop(RUN_NOT_READY) when none comes, Stop(RUN_SCOPE_MISMATCH) when READY was given for another configuration or world,
    Stop(CONSUMER_UNLISTED) when the topology does not let this reader have READY, and what `read_control` raised last when the broker
    stayed away.
    """
    reader.check_consumes(CONTROL, READY)
    deadline_s, next_offset = time.monotonic() + timeout_s, 0
    while True:
        away: Retry | None = None
        try:
            for record in read_control(next_offset):
                next_offset = record.offset + 1
                ready = ready_of(record.value, pins.platform_run_id)
                if ready is not None:
                    return in_scope(ready, pins, run_config_digest)
        except Retry as refusal:
            away = refusal
        if time.monotonic() >= deadline_s:
            what = f"no READY of {pins.platform_run_id} within {timeout_s:.0f} s"
            raise away or Stop(Reason.RUN_NOT_READY, what, where=CONTROL, remedy="Bring the run to READY with `assay sr submit`.")
        time.sleep(POLL_S)


def ready_of(value: bytes | None, platform_run_id: str) -> dict[str, Any] | None:
    """The run_ready record of a platform run that a value of the control topic holds, if it does."""
    try:
        name, record = unpack(value or b"")
    except Quarantine:
        return None
    return record if name == READY and record["pins"]["platform_run_id"] == platform_run_id else None


def in_scope(ready: dict[str, Any], pins: Pins, run_config_digest: bytes) -> dict[str, Any]:
    """The record, if it speaks of this world and configuration. Raises Stop(RUN_SCOPE_MISMATCH)."""
    if ready["pins"] == pins.as_avro() and ready["run_config_digest"] == run_config_digest:
        return ready
    what = "READY was given for another world or configuration than this run directory holds"
    raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where=ready["event_id"], remedy="Start another run; a run keeps what it was planned with.")
