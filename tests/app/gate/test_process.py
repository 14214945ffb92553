"""A gate without its servers: what it says, and what it takes while it cannot admit."""

from __future__ import annotations

from pathlib import Path

import pytest
from gate_events import event, raw
from gate_process import run_in

from assay.app.gate.calls import IngestCall
from assay.app.gate.health import State
from assay.app.gate.pipeline import BACKLOG_ITEMS
from assay.app.gate.process import Gate, build
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

ITEM = raw(event())


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Wired to addresses where nothing listens; not started."""
    return build(run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False))


def test_parts_that_are_away_make_it_red_with_a_reason_each(gate: Gate) -> None:
    states = [gate.health.state]
    gate.health.look()
    states.append(gate.health.state)
    assert states == [State.AMBER, State.RED]
    assert [reason.split(":")[0] for reason in gate.health.reasons()] == ["BUS_UNAVAILABLE", "INDEX_UNAVAILABLE"]
    assert isinstance(gate.health.first_fault(), Retry)


def test_more_waiting_than_it_can_hold_is_refused(gate: Gate) -> None:
    gate.pipeline.submit(IngestCall([ITEM] * BACKLOG_ITEMS, exceptions_only=True))
    with pytest.raises(Retry) as refusal:
        gate.pipeline.submit(IngestCall([ITEM], exceptions_only=True))
    assert refusal.value.reason is Reason.GATE_OVERLOADED


def test_a_gate_that_drains_takes_nothing_more_and_answers_what_it_took(gate: Gate) -> None:
    taken = IngestCall([ITEM], exceptions_only=True)
    gate.pipeline.submit(taken)
    gate.pipeline.start()
    gate.pipeline.drain()
    failure = taken.answer.exception(0)
    assert isinstance(failure, Retry)
    assert failure.reason is Reason.INDEX_UNAVAILABLE
    with pytest.raises(Retry) as refusal:
        gate.pipeline.submit(IngestCall([ITEM], exceptions_only=True))
    assert refusal.value.reason is Reason.GATE_DRAINING
