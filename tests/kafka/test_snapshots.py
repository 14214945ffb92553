"""Snapshots of a real standby: the active is killed, the journal loses its head, and a worker goes on from a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gated_worlds import GatedWorld, config_over, gated, generated_world, simulated, slices
from lane_worker import WorkerProcess, filled_run, named, publish

from assay.agents.step import LaneId
from assay.app.cli.journal import main as journal_command
from assay.app.journal.maintenance import take_snapshot, truncate
from assay.app.journal.reading import LaneJournal
from assay.app.journal.verify import verify_journal
from assay.app.replay.verify import verify
from assay.app.run.directory import Run
from assay.app.snapshots.store import SnapshotStore
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]

ROWS = 1_200
RTDL = "FP_BUS_RTDL_V1"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> GatedWorld:
    world = generated_world(tmp_path_factory.mktemp("world"), "handbook", ROWS, 21)
    return gated(world, config_over(world, "handbook"), rows_per_mark=100)


def in_effect(value: bytes) -> dict[str, Any]:
    """A decision without what differs between two processes."""
    return {name: field for name, field in unpack(value)[1].items() if name not in ("basis", "row", "decided_at_utc")}


def decided(run: Run) -> dict[str, dict[str, Any]]:
    """Event id → its one decision; fails when an event has two."""
    found = named(run, RTDL, "decision_response")
    assert [event for event, forms in found.items() if len(forms) > 1] == []
    return {event: in_effect(next(iter(forms))) for event, forms in found.items()}


class Flow:
    """Feeds a run slice by slice."""

    def __init__(self, run: Run, given: GatedWorld) -> None:
        self.run, self._left = run, slices(given)[1:]

    def next(self, worker: WorkerProcess) -> None:
        """Publish a slice and wait until more is decided than before."""
        before = len(named(self.run, RTDL, "decision_response"))
        publish(self.run, self._left.pop(0))
        until(lambda: self._more(worker, before), 90)

    def to_the_end(self, worker: WorkerProcess) -> None:
        while self._left:
            publish(self.run, self._left.pop(0))
        until(lambda: self._more(worker, ROWS - 1), 90, every_s=0.2)

    def _more(self, worker: WorkerProcess, before: int) -> bool:
        assert worker.process.poll() is None, worker.tail()
        return len(named(self.run, RTDL, "decision_response")) > before


def snapshots(run: Run) -> SnapshotStore:
    return SnapshotStore(run.store, LaneId("rtdl", 0))


def test_a_worker_goes_on_from_a_standbys_snapshot_when_the_journal_has_lost_its_head(
    tmp_path: Path, kafka: Server, namespace: str, given: GatedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_SNAPSHOT_EVERY_RECORDS", "2")
    run = filled_run(tmp_path, kafka.address, namespace, given._replace(records=slices(given)[0]))
    flow, workers = Flow(run, given), [WorkerProcess(run, pack="rtdl_core")]
    try:
        flow.next(workers[0])
        # a standby that dies while it writes leaves a draft that nobody uses
        workers.append(WorkerProcess(run, "during_snapshot", pack="rtdl_core"))
        workers[1].await_failpoint()
        workers[1].kill()
        assert snapshots(run).found() == []
        # one that lives publishes snapshots, and takes over from the active
        workers.append(WorkerProcess(run, pack="rtdl_core"))
        while len(snapshots(run).found()) < 2:
            flow.next(workers[0])
        workers[0].kill()
        flow.next(workers[2])
        journal = LaneJournal(run, LaneId("rtdl", 0))
        target, _ = truncate(journal)
        assert LaneJournal(run, LaneId("rtdl", 0)).first == target.next_offset > 0
        workers[2].kill()
        # a new worker starts from a snapshot
        workers.append(WorkerProcess(run, pack="rtdl_core"))
        flow.to_the_end(workers[3])
        assert workers[3].stop() == 0
        assert decided(run) == {
            str(fields["source_event"]["event_id"]): in_effect(value)
            for value in simulated(given).log.values(RTDL)
            for name, fields in [unpack(value)]
            if name == "decision_response"
        }
        _the_journal_says_so(run)
    finally:
        for worker in workers:
            worker.kill()


def _the_journal_says_so(run: Run) -> None:
    """A replay of all is refused, what is left is verified, and without snapshots no worker starts."""
    with pytest.raises(Stop) as refused:
        verify(run)
    assert refused.value.reason is Reason.JOURNAL_OUT_OF_REACH
    assert take_snapshot(LaneJournal(run, LaneId("rtdl", 0)), print) is not None
    found = verify_journal(LaneJournal(run, LaneId("rtdl", 0)))
    assert found.findings == ()
    assert len(found.snapshots) == len(snapshots(run).found()) >= 3
    for command in ("show", "verify", "snapshot"):
        assert journal_command([command, "--run", str(run.directory), "--lane", "rtdl/0"]) == 0, command
    for one in snapshots(run).found():
        run.store.remove(one.key)
    assert [each.reason for each in verify_journal(LaneJournal(run, LaneId("rtdl", 0))).findings] == [Reason.JOURNAL_OUT_OF_REACH]
    with pytest.raises(Stop) as kept:
        truncate(LaneJournal(run, LaneId("rtdl", 0)))
    assert kept.value.reason is Reason.SNAPSHOT_UNVERIFIED
    worker = WorkerProcess(run, pack="rtdl_core")
    try:
        assert worker.process.wait(90) != 0
    finally:
        worker.kill()
    assert Reason.JOURNAL_OUT_OF_REACH.value in worker.log.read_text()
