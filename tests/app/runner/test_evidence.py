"""The verdict over evidence is a function of what was seen, the plan and the time: a table of cases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.runner.evidence import GateSeen, Kind, Located, Seen, classify
from assay.app.runner.plan import Plan
from assay.contracts.gates import Status
from assay.contracts.reasons import Reason

PLAN = Plan("5" * 32, {}, "AUTO", ("out.a", "out.b"), ("gate.a", "gate.b"), 1)
ALL = ("out.a", "out.b")
DEADLINE = 1_000
STATUSES: tuple[Status, ...] = ("PASS", "FAIL", "missing", "conflict")
WORST = {
    "conflict": (Kind.CONFLICT, Reason.EVIDENCE_CONFLICT),
    "FAIL": (Kind.FAIL, Reason.GATE_FAIL),
}


def seen(outputs: tuple[str, ...], *statuses: Status) -> Seen:
    located = {name: Located(name, name, 1, ((name, 1, "c" * 64),)) for name in outputs}
    return Seen(located, {name: GateSeen(name, status) for name, status in zip(PLAN.gates, statuses, strict=False)})


@pytest.mark.parametrize("first", STATUSES)
@pytest.mark.parametrize("second", STATUSES)
@pytest.mark.parametrize("outputs", [ALL, ALL[:1], ()])
@pytest.mark.parametrize("now", [0, DEADLINE - 1, DEADLINE, DEADLINE + 1])
def test_the_gravest_decides(first: Status, second: Status, outputs: tuple[str, ...], now: int) -> None:
    verdict = classify(PLAN, seen(outputs, first, second), now, DEADLINE)
    wanted = next((WORST[status] for status in WORST if status in (first, second)), None)
    if wanted is None and (outputs != ALL or "missing" in (first, second)):
        late = now >= DEADLINE
        wanted = (Kind.FAIL, Reason.EVIDENCE_MISSING_DEADLINE) if late else (Kind.WAITING, Reason.EVIDENCE_WAITING)
    assert (verdict.kind, verdict.reason) == (wanted or (Kind.COMPLETE, None))


def test_what_is_missing_is_named_in_order_and_a_gate_that_nobody_saw_is_missing() -> None:
    assert classify(PLAN, seen(ALL[1:], "PASS"), 0, 1).missing == ("gate.b", "out.a")


@given(st.permutations(ALL), st.permutations(PLAN.gates))
def test_the_order_of_observations_does_not_matter(outputs: list[str], gates: list[str]) -> None:
    located = {name: Located(name, name, 1, ()) for name in outputs}
    one = Seen(located, {name: GateSeen(name, "conflict", why=name) for name in gates})
    assert classify(PLAN, one, 0, 1).why == "gate.a: gate.a; gate.b: gate.b"
