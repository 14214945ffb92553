"""A standby takes snapshots between two folds, publishes clean ones only, and lets go of one at once when it takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from driven_lanes import DEADLINE_S, Clock, KeyedPort, LogJournal, LogOutputs, lanes_of, play, world
from simulated_worlds import decision_digest, published
from snapshot_stores import store

from assay.agents.lane import LaneMachine
from assay.agents.step import LaneId
from assay.app.lane.driver import LaneDriver
from assay.app.run.failpoints import Failpoints
from assay.app.simulation.lanes import KeyedEffector
from assay.app.simulation.log import ModelLog
from assay.app.snapshots.starting import start_from_newest
from assay.app.snapshots.store import SnapshotStore, digests_of
from assay.app.snapshots.taking import SnapshotPace, Snapshots
from assay.app.stores.objects import DirectoryStore
from assay.codecs.journal_record import JournalRecord
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason


class Placed(LogJournal):
    """A journal on the model log that can be read from anywhere."""

    tp = ("journal", 0)

    def begin_at(self, offset: int) -> None:
        self.read = offset


def worker(name: str, log: ModelLog, snapshots: SnapshotStore, pace: SnapshotPace, failpoints: Failpoints | None = None) -> LaneDriver:
    """A driver of a lane that starts from snapshots and takes them."""
    effector = KeyedEffector()
    lane = lanes_of(effector)[name]
    machine, journal = lane.make(), Placed(log, lane.journal or ("", 0))
    assert isinstance(machine, LaneMachine)
    taking = Snapshots(machine, snapshots, journal, pace, lambda: 0.0, failpoints or Failpoints())
    acts = KeyedPort(effector) if name == "act" else None
    return LaneDriver(machine, journal, LogOutputs(log), Clock(), Failpoints(), acts, snapshots=taking)


async def ended(driver: LaneDriver, following: asyncio.Task[None] | None = None) -> None:
    if following:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    await driver.close()


async def hold(condition: Callable[[], object], task: asyncio.Task[None]) -> None:
    """Let others run until it holds; raises what the task raises."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            if task.done():
                task.result()
            await asyncio.sleep(0)


@pytest.fixture
def log() -> ModelLog:
    return published(world(), 1)


def decided(log: ModelLog, name: str = "rtdl") -> list[bytes]:
    """The journal after an undisturbed worker has been through the whole world."""

    async def whole() -> None:
        active = worker(name, log, SnapshotStore(NoObjects(), LaneId(name, 0)), SnapshotPace(0, 0))
        await play(active, lanes_of(KeyedEffector())[name], log)
        await active.close()

    asyncio.run(whole())
    place = lanes_of(KeyedEffector())[name].journal
    assert place is not None
    return [record.value for record in log.read(place, 0, log.end(place))]


class NoObjects(DirectoryStore):
    """A store that holds nothing."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(())


def test_a_standby_publishes_clean_snapshots_and_a_worker_goes_on_from_one(log: ModelLog, tmp_path: Path) -> None:
    records = [JournalRecord.from_bytes(value) for value in decided(log)]
    emitted_through = max(record.emitted_through for record in records)

    async def follow() -> None:
        standby = worker("rtdl", log, store(tmp_path), SnapshotPace(2, 0))
        following = asyncio.create_task(standby.follow())
        await hold(lambda: standby.next_offset == len(records) and len(store(tmp_path).found()) > 1, following)
        await ended(standby, following)

    asyncio.run(follow())
    found = [one.manifest for one in store(tmp_path).found() if one.manifest]
    assert all(manifest.sequence <= emitted_through for manifest in found)
    assert not [path for path in tmp_path.rglob("draft.state") if path.parent.parent.name > f"{found[0].sequence:020d}"], "a draft was left"
    before = decision_digest(log)

    async def go_on() -> tuple[int, dict[str, str]]:
        again = worker("rtdl", log, store(tmp_path), SnapshotPace(0, 0))
        await again.recover()
        await again.close()
        return again.next_offset, digests_of(again.machine.state())  # type: ignore[attr-defined]

    offset, state = asyncio.run(go_on())
    assert offset > len(records)
    assert decision_digest(log) == before, "what was out came out again, or otherwise"
    whole = lanes_of(KeyedEffector())["rtdl"].make()
    assert isinstance(whole, LaneMachine)
    for value in (record.value for record in log.read(("FP_JOURNAL_RTDL_V1", 0), 0, log.end(("FP_JOURNAL_RTDL_V1", 0)))):
        whole.recover(value)
    assert state == digests_of(whole.state())


def test_a_standby_that_is_to_take_over_lets_go_of_the_snapshot_it_writes(log: ModelLog, tmp_path: Path) -> None:
    count = len(decided(log))
    marker = tmp_path / "waiting"

    async def scenario() -> int:
        standby = worker("rtdl", log, store(tmp_path), SnapshotPace(3, 0), Failpoints("during_snapshot", marker))
        following = asyncio.create_task(standby.follow())
        await hold(marker.exists, following)
        async with asyncio.timeout(DEADLINE_S):
            await standby.recover()
            await following
        await standby.close()
        return standby.next_offset

    assert asyncio.run(scenario()) > count
    assert list((tmp_path / "snapshots").rglob("*.state")) == []
    assert start_from_newest(_fresh(), store(tmp_path)) is None


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), Retry(Reason.STORE_SILENT, "no answer")])
def test_a_standby_that_cannot_write_goes_on_standing_by(log: ModelLog, tmp_path: Path, caplog: Any, fault: Exception) -> None:
    count = len(decided(log))

    class Full(DirectoryStore):
        def create_from(self, key: str, blocks: Any) -> None:
            raise fault

        def remove_below(self, folder: str) -> None:
            if isinstance(fault, Retry):  # a full disk can be cleaned, a store that is away cannot
                raise fault

    async def scenario() -> None:
        standby = worker("rtdl", log, SnapshotStore(Full(tmp_path), LaneId("rtdl", 0)), SnapshotPace(3, 0))
        following = asyncio.create_task(standby.follow())
        await hold(lambda: standby.next_offset == count, following)
        await ended(standby, following)

    asyncio.run(scenario())
    assert "No space left" in caplog.text or "no answer" in caplog.text


def _fresh() -> LaneMachine:
    lane = lanes_of(KeyedEffector())["rtdl"].make()
    assert isinstance(lane, LaneMachine)
    return lane


def test_an_owner_takes_no_snapshot(log: ModelLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        active = worker("rtdl", log, store(tmp_path), SnapshotPace(1, 0))
        await play(active, lanes_of(KeyedEffector())["rtdl"], log)
        await active.close()

    asyncio.run(scenario())
    assert not (tmp_path / "snapshots").exists()
