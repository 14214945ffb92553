"""Action Layer: each key is started once, another action under it is denied, and nothing is dropped on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from machines import wired
from records import DAY_US, OTHER_PINS, PINS, RTDL, T0_US, chunk, decision, mark, outcome, payment
from simulated_worlds import config
from states import read_back, written

from assay.agents.lane import LaneMachine
from assay.agents.step import EffectResults, LaneOutput
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.columns import Strings
from assay.codecs.single_object import unpack
from assay.contracts import ids
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

WALL_US = 1_800_000_000_000_000
QUARANTINE = "FP_BUS_QUARANTINE_V1"


class ActLane:
    """A running act lane, fed record by record."""

    def __init__(self) -> None:
        self.lane: LaneMachine = fold_machine_of(TOPOLOGY.lane("act"), config(), partition_counts(1))
        self.lane.unemitted()
        self.lane.apply(self.lane.claim_entry(WALL_US).value)
        self.at = 0

    def start(self, *values: bytes | None) -> LaneOutput:
        """What the lane makes of the next records, before any effect is executed."""
        self.lane.receive(chunk(RTDL, values, self.at))
        self.at += len(values)
        entry = self.lane.next_entry(WALL_US)
        return self.lane.apply(entry.value) if entry else LaneOutput(())

    def answer(self, outcome: LaneOutput, status: str = "EXECUTED") -> LaneOutput:
        """Journal answers to the effects of an outcome."""
        assert outcome.effects is not None
        return self.lane.apply(self.lane.results_entry(answers(len(outcome.effects.idempotency_key), status), WALL_US).value)


def answers(n: int, status: str = "EXECUTED") -> EffectResults:
    """n equal answers."""
    return EffectResults(Strings.repeat(status.encode(), n), np.ones(n, np.int32), Strings.repeat(b"", n), Strings.repeat(b"ref", n))


def emitted(outcome: LaneOutput, handle: str = RTDL) -> list[dict[str, Any]]:
    """Records emitted to a topic."""
    return [unpack(value or b"")[1] for e in outcome.emissions if e.handle == handle for value in e.values.tolist()]


def keys(outcome: LaneOutput) -> list[bytes]:
    """Keys to be executed."""
    return [] if outcome.effects is None else [row.tobytes() for row in outcome.effects.idempotency_key]


def test_a_decision_is_started_answered_and_published_under_ids_of_its_content() -> None:
    act = ActLane()
    started = act.start(decision("a", "DECLINE"))
    key = ids.idempotency_key(PINS.digest, "a")
    assert keys(started) == [key]
    assert emitted(started) == [], "no outcome before the answer"
    (record,) = emitted(act.answer(started))
    action = ids.action_id(key, "DECLINE")
    assert record["outcome_id"] == ids.outcome_id(action, "EXECUTED")
    assert (record["status"], record["action_kind"], record["source_event_id"]) == ("EXECUTED", "DECLINE", "a")
    assert record["pins"] == PINS.as_avro()


@pytest.mark.parametrize("status", ["EXECUTED", "FAILED", "UNCERTAIN_COMMIT"])
def test_the_same_decision_again_starts_nothing_whatever_became_of_it(status: str) -> None:
    act = ActLane()
    act.answer(act.start(decision("a")), status)
    again = act.start(decision("a"), decision("a"))
    assert (keys(again), emitted(again)) == ([], [])
    assert act.lane.position() == {(RTDL, 0): 3}


@pytest.mark.parametrize("together", [True, False])
def test_another_action_on_the_same_event_is_denied_once(together: bool) -> None:
    act = ActLane()
    if together:
        started = act.start(decision("a", "ALLOW"), decision("a", "DECLINE"))
        assert len(keys(started)) == 1
        denied = emitted(started)
        act.answer(started)
    else:
        act.answer(act.start(decision("a", "ALLOW")))
        denied = emitted(act.start(decision("a", "DECLINE")))
    assert [(r["status"], r["reason"], r["action_kind"], r["attempts"]) for r in denied] == [("DENIED", "ACTION_CONFLICT", "DECLINE", 0)]
    again = act.start(decision("a", "DECLINE"))
    assert (keys(again), emitted(again)) == ([], []), "a denial is repeated by nobody"


def test_another_decision_that_asks_for_the_same_action_is_set_aside() -> None:
    act = ActLane()
    act.answer(act.start(decision("a", score=1)))
    other = act.start(decision("a", score=2))
    assert (keys(other), emitted(other)) == ([], [])
    assert [(r["reason"], r["offset"]) for r in emitted(other, QUARANTINE)] == [("DECISION_CONFLICT", 1)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "SCHEMA_UNKNOWN"),
        (b"\xc3\x01garbage and more", "SCHEMA_UNKNOWN"),
        (decision("a")[:40], "BYTES_TRUNCATED"),
        (decision("a") + b"x", "BYTES_OVERSIZED"),
        (outcome("a")[:60], "BYTES_TRUNCATED"),
        (outcome("a") + b"x", "BYTES_OVERSIZED"),
        (payment("a", T0_US), "RECORD_TYPE_UNEXPECTED"),
        (mark(RTDL, 0, T0_US), "RECORD_TYPE_UNEXPECTED"),
        (decision("a", pins=OTHER_PINS), "RUN_SCOPE_MISMATCH"),
    ],
)
def test_what_is_no_decision_of_this_run_is_set_aside_and_the_rest_is_acted_on(value: bytes, reason: str) -> None:
    act = ActLane()
    started = act.start(decision("b"), value, decision("c"))
    assert len(keys(started)) == 2
    assert [(r["reason"], r["offset"]) for r in emitted(started, QUARANTINE)] == [(reason, 1)]
    assert act.lane.position() == {(RTDL, 0): 3}


def test_outcomes_and_tombstones_pass_by() -> None:
    act = ActLane()
    passed = act.start(outcome("a"), None)
    assert (keys(passed), passed.emissions) == ([], [])
    assert act.lane.position() == {(RTDL, 0): 2}


def test_a_decision_sent_again_is_known_again_however_far_apart_its_neighbours_times_are() -> None:
    """In a sparse history what is under way at once spans more than the horizon."""
    act = ActLane()
    act.answer(act.start(decision("a")))
    act.answer(act.start(decision("b", ts_us=T0_US + 60 * DAY_US)))
    assert keys(act.start(decision("a"))) == []


def test_a_state_read_back_goes_on_in_the_middle_of_a_batch() -> None:
    act, twin = ActLane(), ActLane()
    act.answer(act.start(decision("a")))
    started = act.start(decision("b"), decision("c"))
    (step, twin_step) = (wired(lane)[0].step for lane in (act.lane, twin.lane))
    twin_step.restore(read_back(step))
    assert written(twin_step) == written(step)
    assert emitted(twin.answer(started)) == emitted(act.answer(started))
    assert keys(twin.start(decision("c"))) == []


def _answer_three(act: ActLane) -> None:
    act.start(decision("a"))
    act.lane.apply(act.lane.results_entry(answers(3), WALL_US).value)


def _answer_twice(act: ActLane) -> None:
    started = act.start(decision("a"))
    act.answer(started)
    act.answer(started)


def _answer_nothing(act: ActLane) -> None:
    act.lane.apply(act.lane.results_entry(answers(1), WALL_US).value)


@pytest.mark.parametrize("play", [_answer_three, _answer_twice, _answer_nothing])
def test_answers_that_fit_no_batch_under_way_stop_the_lane(play: Any) -> None:
    with pytest.raises(Stop) as stopped:
        play(ActLane())
    assert stopped.value.reason is Reason.ANSWERS_UNEXPECTED


def recovered(journal: Sequence[bytes]) -> LaneMachine:
    """A lane that has read this journal."""
    lane = fold_machine_of(TOPOLOGY.lane("act"), config(), partition_counts(1))
    for value in journal:
        lane.recover(value)
    return lane


def test_after_a_crash_between_start_and_answer_the_effector_is_asked_first() -> None:
    """Also when the successor claimed the lane and died before it asked, and not once the answer is in the journal."""
    act = ActLane()
    claim = act.lane
    journal = [fold_machine_of(TOPOLOGY.lane("act"), config(), partition_counts(1)).claim_entry(WALL_US).value]
    claim.receive(chunk(RTDL, [decision("a")]))
    started = claim.next_entry(WALL_US)
    assert started is not None
    journal.append(started.value)
    for _ in range(3):
        lane = recovered(journal)
        ((sequence, outcome),) = lane.unemitted()
        assert sequence == started.sequence
        assert outcome.effects is not None
        assert outcome.effects.ask_first
        journal.append(lane.claim_entry(WALL_US).value)
        lane.apply(journal[-1])
    answer = lane.results_entry(answers(1), WALL_US)
    assert len(lane.apply(answer.value).emissions) == 1, "an answer of the new writer counts"
    journal.append(answer.value)
    tail = recovered(journal).unemitted()
    assert [(sequence, outcome.effects) for sequence, outcome in tail] == [(answer.sequence, None)]
