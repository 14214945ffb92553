"""The driver under asyncio's own loop, with threads: decisions as in the simulator, and no output after a broken promise."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import pytest
from driven_lanes import JOURNAL, WALL_US, LogJournal, LogOutputs, drive, simulated, world
from simulated_worlds import LANES, decision_digest, decisions, outcomes, published

from assay.agents.step import EffectResults, Effects, JournalEntry, LaneOutput
from assay.app.lane.arrivals import LaneWatch, Waited
from assay.app.simulation.lanes import KeyedEffector
from assay.app.simulation.log import LoggedRecord
from assay.codecs.journal_record import JournalRecord
from assay.contracts.errors import Retry, Stop
from assay.contracts.handles import RTDL
from assay.contracts.reasons import Reason


def test_the_driver_and_the_simulator_decide_alike() -> None:
    log, effector = published(world(), 1), KeyedEffector()
    for name in LANES:
        drive(name, log, effector)
    assert decision_digest(log) == decision_digest(simulated().log)
    assert len(outcomes(log)) == len(effector.acts) == len(world().payments)
    assert len(log.values("FP_BUS_AUDIT_V1")) == len(world().payments)


class Tallies(LaneWatch):
    """Records that the lane says it published, by topic."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()

    def published(self, entry: JournalEntry, output: LaneOutput, made_us: int, waited: Sequence[Waited], clock: Callable[[], int]) -> None:
        self.records.update({emission.handle: len(emission.partitions) for emission in output.emissions})


@pytest.mark.parametrize("name", ["rtdl", "act"])
def test_every_record_that_a_lane_publishes_is_told_those_of_its_effects_answers_too(name: str) -> None:
    log, effector, tallies = published(world(), 1), KeyedEffector(), Tallies()
    if name == "act":
        drive("rtdl", log, effector)
    before = len(log.values(RTDL))
    drive(name, log, effector, watch=tallies)
    assert tallies.records[RTDL] == len(log.values(RTDL)) - before > 0


def test_a_restart_repeats_nothing_that_was_emitted_but_the_last_records() -> None:
    log, effector = published(world(), 1), KeyedEffector()
    drive("rtdl", log, effector)
    before = len(decisions(log))
    drive("rtdl", log, effector)
    assert set(decisions(log)) == world().payments
    assert before == len(world().payments)
    assert decision_digest(log) == decision_digest(simulated().log)


@pytest.mark.parametrize(
    ("meets_at", "reason"), [(0, Reason.JOURNAL_UNREADABLE), (1, Reason.JOURNAL_OFFSET_UNEXPECTED), (3, Reason.JOURNAL_OFFSET_UNEXPECTED)]
)
def test_another_writers_record_in_the_journal_stops_the_lane_before_it_emits_anything_of_it(meets_at: int, reason: Reason) -> None:
    """A claim reads what came before it.

    The record behind the other writer's landed at an unexpected offset: neither it nor any later one is emitted.
    """
    log, effector = published(world(), 1), KeyedEffector()

    def meet(appended: int) -> None:
        if appended == meets_at:
            log.append(JOURNAL, LoggedRecord(b"", b"another writer", WALL_US))

    outputs = LogOutputs(log)
    with pytest.raises(Stop) as stopped:
        drive("rtdl", log, effector, LogJournal(log, JOURNAL, meet), outputs)
    assert stopped.value.reason is reason
    assert outputs.published <= max(0, meets_at - 1), "only what was journaled before the other writer came may be out"


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_failed_produce_stops_the_lane_and_the_next_process_finishes(fails_at: int) -> None:
    log, effector = published(world(), 1), KeyedEffector()
    with pytest.raises(Retry) as stopped:
        drive("rtdl", log, effector, outputs=LogOutputs(log, fails_at))
    assert stopped.value.reason is Reason.PRODUCE_FAILED
    drive("rtdl", log, effector)
    assert decision_digest(log) == decision_digest(simulated().log)


class CancelledJournal(LogJournal):
    """The client lets go of an acknowledgement instead of answering it."""

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        acknowledged = await super().append(value, wall_ms)
        if self.appended == 3 and isinstance(acknowledged, asyncio.Future):
            acknowledged = asyncio.get_running_loop().create_future()
            acknowledged.cancel()
        return acknowledged


def test_a_cancelled_acknowledgement_ends_the_lane_instead_of_one_of_its_stages() -> None:
    log, effector = published(world(), 1), KeyedEffector()
    journal = CancelledJournal(log, JOURNAL)
    with pytest.raises(Stop) as stopped:
        drive("rtdl", log, effector, journal)
    assert stopped.value.reason is Reason.LANE_ENDED
    drive("rtdl", log, effector)
    assert decision_digest(log) == decision_digest(simulated().log)


def test_an_effector_that_raises_stops_the_lane_and_is_asked_first_afterwards() -> None:
    log, effector = published(world(), 1), KeyedEffector()
    drive("rtdl", log, effector)
    calls = 0

    class Breaks(KeyedEffector):
        def execute(self, effects: Effects) -> EffectResults:
            nonlocal calls
            calls += 1
            results = effector.execute(effects)
            if calls == 3:
                raise OSError("the disk is full")
            return results

    with pytest.raises(OSError, match="full"):
        drive("act", log, Breaks())
    assert 0 < len(effector.acts) < len(world().payments)
    drive("act", log, effector)
    assert effector.blindly == [], "what was done before the stop is asked for, not done again"
    assert len(outcomes(log)) == len(world().payments)


def test_a_small_record_is_made_when_the_outputs_of_the_one_before_are_out() -> None:
    """So it says itself that they are: rows that come meanwhile share its costs."""
    log = published(world(), 1)
    drive("rtdl", log, KeyedEffector())
    records = [JournalRecord.from_bytes(value) for value in log.values(JOURNAL[0])]
    behind = [record.sequence - record.emitted_through for record in records if record.rows]
    assert len(behind) > 10
    assert set(behind) == {1}
