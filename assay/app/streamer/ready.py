"""Finds a run's READY on the control topic, or that the run ended without it. Without READY nothing is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from assay.agents.specs import ComponentSpec
from assay.app.bus.topic_reader import TopicRecord
from assay.app.progress import unseen
from assay.app.run.announced import READY, TERMINAL, ended, refuse_out_of_scope, said_of
from assay.contracts.errors import Retry, Stop
from assay.contracts.handles import CONTROL
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

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
