"""The state machine as a table of cases: every event in every state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.runner.states import BRINGS, FINAL, RunState, Standing, after, standing_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

NONE = None
OPEN, PLANNED, EXECUTING, WAITING = RunState.OPEN, RunState.PLANNED, RunState.EXECUTING, RunState.WAITING_EVIDENCE
READY, FAILED, QUARANTINED = RunState.READY, RunState.FAILED, RunState.QUARANTINED
#: state → the states that the reference lets follow
FOLLOWS: dict[RunState | None, set[RunState]] = {
    NONE: {OPEN},
    OPEN: {OPEN, PLANNED, FAILED, QUARANTINED},
    PLANNED: {PLANNED, EXECUTING, WAITING, READY, FAILED, QUARANTINED},
    EXECUTING: {EXECUTING, WAITING, READY, FAILED, QUARANTINED},
    WAITING: {WAITING, READY, FAILED, QUARANTINED},
    READY: {READY},
    FAILED: {FAILED},
    QUARANTINED: {QUARANTINED},
}


def event(kind: str, number: int = 0, fence: int = 1, **details: Any) -> dict[str, Any]:
    return {"event_kind": kind, "number": number, "fence": fence, "ts_utc": f"time {number}", "details": details}


@pytest.mark.parametrize("at", list(FOLLOWS))
@pytest.mark.parametrize("kind", [*BRINGS, "GOV_BUNDLE_HASH"])
def test_an_event_moves_a_run_only_as_the_table_says(at: RunState | None, kind: str) -> None:
    now, to = Standing(at, "WHY", 3, "then", 1), BRINGS.get(kind)
    if to is not None and to not in FOLLOWS[at]:
        with pytest.raises(Stop) as refused:
            after(now, event(kind, 4))
        assert refused.value.reason is Reason.RUN_STATE_FORBIDDEN
        return
    assert after(now, event(kind, 4)).state == (at if to is None else to)


def test_a_note_changes_nothing_but_the_fence() -> None:
    now = Standing(OPEN, "", 1, "time 1", 1)
    assert after(now, event("LEASE_ACQUIRED", 2, 5)) == now._replace(fence=5)


def test_how_a_run_ended_is_told_once() -> None:
    told = [event("RUN_ACCEPTED"), event("EVIDENCE_FAIL", 1, reason_code="FIRST"), event("PLAN_FAILED", 2, reason_code="SECOND")]
    assert standing_of(told)[:3] == (FAILED, "FIRST", 1)


@given(st.lists(st.sampled_from([*BRINGS, "NOTE"]), max_size=12))
def test_a_run_that_ended_stays_what_it_is(kinds: list[str]) -> None:
    now = Standing()
    for number, kind in enumerate(kinds):
        before = now
        try:
            now = after(now, event(kind, number))
        except Stop:
            continue
        assert before.state not in FINAL or now.state is before.state
