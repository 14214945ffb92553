"""Where a run stands: the states, their moves, and the events of a record that move them. All of it is a fold over the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class RunState(StrEnum):
    """Where a run stands. The last three are final."""

    OPEN = "OPEN"
    PLANNED = "PLANNED"
    EXECUTING = "EXECUTING"
    WAITING_EVIDENCE = "WAITING_EVIDENCE"
    READY = "READY"
    FAILED = "FAILED"
    QUARANTINED = "QUARANTINED"


_ENDS: Final = frozenset({RunState.FAILED, RunState.QUARANTINED})
_GOES_ON: Final = _ENDS | {RunState.READY, RunState.WAITING_EVIDENCE}
FINAL: Final = _ENDS | {RunState.READY}
#: state → states it may move to; a state may always be reached again
MOVES: Final[dict[RunState | None, frozenset[RunState]]] = {
    None: frozenset({RunState.OPEN}),
    RunState.OPEN: _ENDS | {RunState.PLANNED},
    RunState.PLANNED: _GOES_ON | {RunState.EXECUTING},
    RunState.EXECUTING: _GOES_ON,
    RunState.WAITING_EVIDENCE: FINAL,
    RunState.READY: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.QUARANTINED: frozenset(),
}
#: event → the state it brings; any other event is a note
BRINGS: Final[dict[str, RunState]] = {
    "RUN_ACCEPTED": RunState.OPEN,
    "PLAN_COMMITTED": RunState.PLANNED,
    "ENGINE_ATTEMPT_LAUNCH_REQUESTED": RunState.EXECUTING,
    "EVIDENCE_WAITING": RunState.WAITING_EVIDENCE,
    "READY_COMMITTED": RunState.READY,
    "PLAN_FAILED": RunState.FAILED,
    "ENGINE_FAILED": RunState.FAILED,
    "EVIDENCE_FAIL": RunState.FAILED,
    "EVIDENCE_CONFLICT": RunState.QUARANTINED,
}
#: the event by which a holder of a higher fence takes the record over
LEASE_ACQUIRED: Final = "LEASE_ACQUIRED"


class Standing(NamedTuple):
    """What a record says: the state with its reason, and the number and time of the event that brought it. `fence`: the highest."""

    state: RunState | None = None
    reason: str = ""
    number: int = -1
    ts_utc: str = ""
    fence: int = 0


def standing_of(events: Iterable[Mapping[str, Any]]) -> Standing:
    """The fold of a record. Raises Stop(RUN_STATE_FORBIDDEN) for a move that the machine does not have."""
    now = Standing()
    for event in events:
        now = after(now, event)
    return now


def after(now: Standing, event: Mapping[str, Any]) -> Standing:
    """Where a run stands after an event. Raises Stop(RUN_STATE_FORBIDDEN)."""
    fence = max(now.fence, event["fence"])
    to = BRINGS.get(event["event_kind"])
    if to is None:
        return now._replace(fence=fence)
    if to != now.state and to not in MOVES[now.state]:
        what = f"a run that is {now.state or 'not open'} cannot become {to}"
        raise Stop(Reason.RUN_STATE_FORBIDDEN, what, where=f"event {event['number']}", remedy="Start another run.")
    if to == now.state and to in FINAL:
        return now._replace(fence=fence)  # how a run ended is told once
    return Standing(to, str(event["details"].get("reason_code", "")), event["number"], event["ts_utc"], fence)
