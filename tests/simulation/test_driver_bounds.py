"""In which order a driver starts, how far it works ahead, how long it claims, and which times it gives to what it writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import numpy as np
import pytest
from driven_lanes import DEADLINE_S, JOURNAL, WALL_US, Clock, LogJournal, LogOutputs, drive, lanes_of, play, wired, world
from records import CONTROL, INPUTS, POSTURE, TRAFFIC
from simulated_worlds import config, published

from assay.agents.lane import LaneMachine
from assay.agents.step import Chunk, Emission, JournalEntry, LaneId, LaneOutput, TopicPartition
from assay.agents.topology import TOPOLOGY
from assay.app.lane.arrivals import Waited
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.lane.driver import LaneDriver
from assay.app.lane.metrics import BatchMetrics
from assay.app.run.failpoints import Failpoints
from assay.app.simulation.lanes import KeyedEffector
from assay.app.simulation.log import LoggedRecord, ModelLog
from assay.codecs.columns import Strings
from assay.codecs.journal_record import BATCH, CLAIM, RESULT, JournalRecord
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason


class NotedJournal(LogJournal):
    """Notes what is asked of it, and in which order."""

    def __init__(
        self, log: ModelLog, tp: TopicPartition, noted: list[str], before_append: Callable[[int], None] = lambda count: None
    ) -> None:
        super().__init__(log, tp, before_append)
        self.noted = noted

    async def start(self) -> None:
        self.noted.append("journal starts")

    async def close(self) -> None:
        self.noted.append("journal closes")

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        self.noted.append(f"journal takes {JournalRecord.from_bytes(value).kind}")
        return await super().append(value, wall_ms)

    def _new(self) -> list[tuple[int, bytes]]:
        self.noted.append("journal is read")
        return super()._new()


class NotedOutputs(LogOutputs):
    """Notes what is asked of it; the broker acknowledges nothing while `silent`."""

    def __init__(self, log: ModelLog, noted: list[str], fails_at: int = 0, *, silent: bool = False) -> None:
        super().__init__(log, fails_at)
        self.noted, self._silent = noted, silent

    async def start(self) -> None:
        self.noted.append("outputs start")

    async def close(self) -> None:
        self.noted.append("outputs close")

    async def publish(self, emissions: Sequence[Emission], wall_ms: int) -> None:
        self.noted.append("outputs are published")
        if self._silent:
            await asyncio.Event().wait()
        await super().publish(emissions, wall_ms)


def asked(noted: list[str], what: str, answer: Mapping[TopicPartition, int]) -> Callable[[], Awaitable[Mapping[TopicPartition, int]]]:
    """Something that a driver asks for before it begins."""

    async def ask() -> Mapping[TopicPartition, int]:
        noted.append(what)
        return answer

    return ask


def noted_play(log: ModelLog, fails_at: int = 0) -> list[str]:
    """What the rtdl lane does over a log, in order."""
    noted, effector = list[str](), KeyedEffector()
    lane = lanes_of(effector)["rtdl"]
    options = {"committed": asked(noted, "commits are asked for", {}), "input_ends": asked(noted, "ends are asked for", {})}
    driver = wired(lane, NotedJournal(log, JOURNAL, noted), NotedOutputs(log, noted, fails_at), effector, **options)

    async def whole() -> None:
        try:
            await play(driver, lane, log)
        finally:
            await driver.close()

    asyncio.run(whole())
    return noted


def test_a_lane_starts_in_the_order_that_loses_nothing() -> None:
    """Commits are read before the journal, which is never behind them; ends of inputs are read before any input is."""
    assert noted_play(published(world(), 1))[:8] == [
        "journal starts",
        "outputs start",
        "commits are asked for",
        "journal is read",
        "journal takes CLAIM",
        "ends are asked for",
        "journal takes BATCH",
        "outputs are published",
    ]


def test_outputs_that_may_be_missing_are_published_between_two_claims() -> None:
    """The first ends the writer before, the second says that they are out."""
    log = published(world(), 1)
    with pytest.raises(Retry):
        noted_play(log, fails_at=2)
    noted = noted_play(log)
    first, last = noted.index("journal takes CLAIM"), noted.index("journal takes BATCH")
    assert noted[first:last] == ["journal takes CLAIM", "outputs are published", "journal takes CLAIM", "ends are asked for"]
    claims = [record for value in log.values(JOURNAL[0]) if (record := JournalRecord.from_bytes(value)).kind == CLAIM]
    assert claims[-1].emitted_through == claims[-2].sequence - 1


def test_a_closed_driver_has_let_go_of_journal_outputs_and_thread() -> None:
    assert {"journal closes", "outputs close"} <= set(noted_play(published(world(), 1)))
    driver = wired(lanes_of(KeyedEffector())["rtdl"], LogJournal(ModelLog(), JOURNAL), LogOutputs(ModelLog()), KeyedEffector())
    asyncio.run(driver.close())
    with pytest.raises(RuntimeError, match="shutdown"):
        driver._compute.submit(print)


@pytest.mark.parametrize(("policy", "first"), [("arrival", {CONTROL, POSTURE}), ("event_time", set(INPUTS))])
def test_a_driver_tells_its_machine_where_the_inputs_ended(policy: str, first: set[str]) -> None:
    """Under `arrival` control and posture are read to there before anything else is fetched."""
    machine = fold_machine_of(TOPOLOGY.lane("rtdl"), config().model_copy(update={"ordering": policy}), partition_counts(1))
    ends = dict.fromkeys([(CONTROL, 0), (POSTURE, 0), (TRAFFIC, 0)], 3)
    log = ModelLog()
    driver = LaneDriver(machine, LogJournal(log, JOURNAL), LogOutputs(log), Clock(), Failpoints(), input_ends=asked([], "", ends))

    async def recovered() -> None:
        assert await driver.recover()
        await driver.close()

    asyncio.run(recovered())
    assert {handle for handle in INPUTS if driver.wants((handle, 0))} == first


# -- back-pressure


async def fed_until_it_stands(driver: LaneDriver, log: ModelLog, tps: Sequence[TopicPartition], stands: Callable[[], bool]) -> None:
    """Recover, feed the whole input, and run until nothing can go on any more."""
    await driver.recover()
    for tp in tps:
        records = log.read(tp, 0, log.end(tp))
        driver.feed(Chunk(*tp, np.arange(len(records), dtype=np.int64), Strings.of([record.value for record in records])))
    running = asyncio.create_task(driver.run())
    async with asyncio.timeout(DEADLINE_S):
        while not stands():
            assert not running.done()
            await asyncio.sleep(0)
    for _ in range(100):  # what could still be made would be made now
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await driver.close()


def made_ahead(name: str, log: ModelLog, stands: Callable[[LaneDriver], bool]) -> list[str]:
    """Kinds of the records that a lane has journaled when none of its outputs is ever acknowledged."""
    effector = KeyedEffector()
    lane = lanes_of(effector)[name]
    assert lane.journal is not None
    driver = wired(lane, LogJournal(log, lane.journal), NotedOutputs(log, [], silent=True), effector, small_rows=0)
    asyncio.run(fed_until_it_stands(driver, log, lane.tps, lambda: stands(driver)))
    return [JournalRecord.from_bytes(value).kind for value in log.values(lane.journal[0])]


def test_a_lane_works_a_few_records_ahead_of_its_outputs_and_then_waits() -> None:
    """One travels while the one before is folded; more would be redone after a crash, and held in memory meanwhile."""
    kinds = made_ahead("rtdl", published(world(), 1), lambda driver: driver._room.locked())
    assert kinds == [CLAIM, *[BATCH] * (len(kinds) - 1)]
    assert 2 <= len(kinds) - 1 <= 6


def test_a_lane_with_effects_has_one_record_under_way() -> None:
    """Answers are journaled before the next batch: a restart knows then which effects are unanswered."""
    log = published(world(), 1)
    drive("rtdl", log, KeyedEffector())
    kinds = made_ahead("act", log, lambda driver: len(log.values("FP_JOURNAL_ACT_V1")) >= 3)
    assert kinds == [CLAIM, BATCH, RESULT]


# -- claims


class Overtaken:
    """Another worker that claims the lane right before each of the first `times` claims of this one."""

    def __init__(self, log: ModelLog, times: int) -> None:
        self._log, self._left = log, times

    def __call__(self, appended: int) -> None:
        if self._left:
            self._left -= 1
            other: LaneMachine = fold_machine_of(TOPOLOGY.lane("rtdl"), config(), partition_counts(1))
            for value in self._log.values(JOURNAL[0]):
                other.recover(value)
            other.unemitted()
            self._log.append(JOURNAL, LoggedRecord(b"", other.claim_entry(WALL_US).value, WALL_US))


def claimed(times: int) -> list[int]:
    """Epochs of the journal after a worker has claimed a lane that is claimed by others so many times meanwhile."""
    log = ModelLog()
    driver = wired(lanes_of(KeyedEffector())["rtdl"], LogJournal(log, JOURNAL, Overtaken(log, times)), LogOutputs(log), KeyedEffector())

    async def recovered() -> None:
        try:
            await driver.recover()
        finally:
            await driver.close()

    asyncio.run(recovered())
    return [JournalRecord.from_bytes(value).epoch for value in log.values(JOURNAL[0])]


def test_a_claim_that_was_overtaken_is_made_again_behind_what_came_before_it() -> None:
    """Three are overtaken: their epochs are void, and the fourth is the last."""
    epochs = claimed(3)
    assert len(epochs) == 7
    assert epochs[-1] == max(epochs)
    assert epochs.count(epochs[-1]) == 1


def test_a_lane_whose_claims_are_overtaken_again_and_again_is_left_to_the_other_worker() -> None:
    with pytest.raises(Stop) as stopped:
        claimed(100)
    assert stopped.value.reason is Reason.JOURNAL_OFFSET_UNEXPECTED


# -- times


def test_what_is_written_has_the_wall_time_at_which_it_was_sent() -> None:
    """Journal and outputs of every lane; event time is in the values."""
    log, effector = published(world(), 1), KeyedEffector()
    for name in ("rtdl", "act"):
        inputs = {tp: log.end(tp) for tp in log.tps()}
        lane, clock = lanes_of(effector)[name], Clock()
        assert lane.journal is not None
        driver = wired(lane, LogJournal(log, lane.journal), LogOutputs(log), effector, clock=clock)
        asyncio.run(play(driver, lane, log))
        times = {tp: [record.wall_us for record in log.read(tp, inputs.get(tp, 0), 10**6)] for tp in log.tps()}
        written = {tp: found for tp, found in times.items() if found}
        assert lane.journal in written
        assert len(written) > 1
        for tp, found in written.items():
            assert found == sorted(found), f"{tp} is written in the order of time"
            assert WALL_US < found[0] <= found[-1] <= clock.now_us, tp
        journal_times = [JournalRecord.from_bytes(value).wall_us for value in log.values(lane.journal[0])]
        assert all(0 <= sent - made <= 2_000_000 for sent, made in zip(written[lane.journal], journal_times, strict=True))


def test_the_latency_of_a_batch_is_from_its_making_to_the_acknowledgement_of_its_outputs() -> None:
    """The clock of this test moves by a second whenever it is read: at the making, before the outputs, and after them."""
    log, effector, told = published(world(), 1), KeyedEffector(), list[tuple[int, int, int, Sequence[Waited]]]()

    class Told(BatchMetrics):
        def published(
            self, entry: JournalEntry, output: LaneOutput, made_us: int, waited: Sequence[Waited], clock: Callable[[], int]
        ) -> None:
            told.append((entry.sequence, made_us, clock(), waited))

    lane = lanes_of(effector)["rtdl"]
    driver = wired(lane, LogJournal(log, JOURNAL), LogOutputs(log), effector, watch=Told(LaneId("rtdl", 0), ""))
    asyncio.run(play(driver, lane, log))
    batches = [record.sequence for value in log.values(JOURNAL[0]) if (record := JournalRecord.from_bytes(value)).kind == BATCH]
    assert [sequence for sequence, *_ in told] == batches[: len(told)]
    assert len(told) > 5
    assert all(1_000_000 <= now_us - made_us <= 4_000_000 for _, made_us, now_us, _ in told)
    assert all(arrived_us < made_us for _, made_us, _, waited in told for arrived_us, _ in waited)
    fed = sum(len(log.read(tp, 0, 10**6)) for tp in lane.tps)
    assert sum(records for *_, waited in told for _, records in waited) == fed
