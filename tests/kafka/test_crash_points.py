"""A real worker on Kafka, killed from outside where it hurts: every payment is decided, acted on and audited once, and a replay agrees."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest
from gated_worlds import GatedWorld, config_over, gated, generated_world, simulated, slices
from lane_worker import (
    WorkerProcess,
    assert_head_is_last,
    audited,
    committed,
    committed_of,
    ends,
    filled_run,
    journal_position,
    named,
    publish,
)

from assay.agents.specs import JournalTopic, journal_topic
from assay.agents.topology import TOPOLOGY
from assay.app.bus.publisher import OutboundRecord
from assay.app.effects.recorder import recorded
from assay.app.replay.verify import recompute, verify
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.app.substrate.ports import free_port
from assay.codecs.decision_digest import DecisionDigest
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]

ROWS, ROWS_PER_MARK = 2_000, 200
TRAFFIC, RTDL = "FP_BUS_TRAFFIC_FRAUD_V1", "FP_BUS_RTDL_V1"
POINTS = ("before_journal_acknowledged", "after_journal_before_produce", "after_effects_before_results", "after_produce_before_commit")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> GatedWorld:
    """The records of a run, in slices of 200 rows."""
    world = generated_world(tmp_path_factory.mktemp("world"), "handbook", ROWS, 21)
    return gated(world, config_over(world, "handbook"), rows_per_mark=ROWS_PER_MARK)


@pytest.fixture(scope="module")
def undisturbed(given: GatedWorld) -> str:
    """The decision digest of the same world in the simulator, where nothing goes wrong."""
    journal = simulated(given).log.values(journal_topic(TOPOLOGY.lane("rtdl")))
    digest = DecisionDigest()
    for values in recompute(given.config, journal, given.partitions):
        digest.update(values)
    assert digest.count == ROWS
    return digest.hexdigest()


class Flow:
    """A run fed slice by slice, each when the one before is decided and acted on."""

    def __init__(self, run: Run, given: GatedWorld) -> None:
        self.run = run
        self._slices = slices(given)[1:]
        self._expected = iter(accumulate(sum(_is_payment(handle, record, given) for handle, record in piece) for piece in slices(given)))
        self._due = next(self._expected)

    def until_reached(self, worker: WorkerProcess) -> None:
        """Feed on until the worker waits at its failpoint; fails the test when the world ends before that."""
        while True:
            until(lambda: worker.marker.exists() or self._settled(worker), 90)
            if worker.marker.exists():
                return
            assert self._slices, "the world ended before the failpoint was reached"
            self.feed()

    def feed(self) -> None:
        """Publish the next slice."""
        publish(self.run, self._slices.pop(0))
        self._due = next(self._expected)

    def settle(self, worker: WorkerProcess) -> None:
        """Wait until all that was published is decided and acted on."""
        until(lambda: self._settled(worker), 90)

    def to_the_end(self, worker: WorkerProcess) -> None:
        """Publish what is left, and wait until all is audited and committed."""
        while self._slices:
            self.feed()
        until(lambda: self._settled(worker) and len(set(audited(self.run))) >= self._due, 90, every_s=0.2)
        inputs = {handle for lane in TOPOLOGY.lanes for handle in lane.ranks}
        until(lambda: committed(self.run) == {place: end for place, end in ends(self.run, inputs).items() if end}, 30, every_s=0.2)

    def _settled(self, worker: WorkerProcess) -> bool:
        assert worker.process.poll() is None, worker.tail()
        return len(named(self.run, RTDL, "action_outcome")) >= self._due


def _is_payment(handle: str, record: OutboundRecord, given: GatedWorld) -> bool:
    return handle == TRAFFIC and record.key != given.config.platform_run_id.encode()


@pytest.fixture
def run(tmp_path: Path, kafka: Server, namespace: str, given: GatedWorld) -> Run:
    """A run whose first slice is on the bus."""
    first = given._replace(records=slices(given)[0])
    return filled_run(tmp_path, kafka.address, namespace, first)


@pytest.mark.parametrize("point", [POINTS[0], *(pytest.param(POINTS[n], marks=pytest.mark.long) for n in (1, 2, 3))])
def test_killed_at_its_first_and_a_later_turn_nothing_is_lost_and_nothing_is_done_twice(
    point: str, run: Run, given: GatedWorld, undisturbed: str
) -> None:
    flow = Flow(run, given)
    for turn in (1, 3):
        worker = WorkerProcess(run, f"{point}:{turn}")
        try:
            flow.until_reached(worker)
        finally:
            worker.kill()
        assert_commit_is_behind_the_journal(run)
    worker = WorkerProcess(run)
    try:
        flow.to_the_end(worker)
        assert worker.stop() == 0
    finally:
        worker.kill()
    assert_whole(run, undisturbed)


@pytest.mark.long
def test_lanes_in_workers_of_their_own_are_taken_over_one_by_one(run: Run, given: GatedWorld, undisturbed: str) -> None:
    flow = Flow(run, given)
    core, edge = (WorkerProcess(run, pack=pack, port=free_port()) for pack in ("rtdl_core", "rtdl_decision_lane"))
    started = [core, edge]
    try:
        until(lambda: (core.lanes(), edge.lanes()) == (["rtdl/0"], ["act/0", "audit/0"]), 60)
        started.append(spare := WorkerProcess(run, port=free_port()))
        until(lambda: spare.lanes() == [], 60)
        flow.settle(spare)
        core.kill()
        until(lambda: spare.lanes() == ["rtdl/0"], 60)
        flow.feed()
        flow.settle(spare)
        assert edge.lanes() == ["act/0", "audit/0"]
        edge.kill()
        until(lambda: spare.lanes() == ["rtdl/0", "act/0", "audit/0"], 60)
        flow.to_the_end(spare)
        assert spare.stop() == 0
    finally:
        for worker in started:
            worker.kill()
    assert_whole(run, undisturbed)


def assert_whole(run: Run, undisturbed: str) -> None:
    """Nothing is lost, nothing is done twice, and a replay gives the decisions of an undisturbed run."""
    assert_commit_is_behind_the_journal(run)
    assert_each_payment_once(run)
    evidence = verify(run)
    assert evidence.verified, evidence.differences
    assert evidence.compared == ROWS
    assert evidence.decision_digest == undisturbed


def assert_commit_is_behind_the_journal(run: Run) -> None:
    """The input that a lane's group may skip is in the journal of the lane, for each lane with a journal topic."""
    for lane, journal in ((one.name, one.journal.handle) for one in TOPOLOGY.lanes if isinstance(one.journal, JournalTopic)):
        position = journal_position(run, journal)
        ahead = {place: at for place, at in committed_of(run, lane).items() if at > position.get(place, 0)}
        assert not ahead, f"{lane} was committed ahead of its journal, which ends at {position}"


def assert_each_payment_once(run: Run) -> None:
    """Every copy of a decision and of an outcome is the same bytes; the effector and the audit chain have each once."""
    decisions, outcomes = named(run, RTDL, "decision_response"), named(run, RTDL, "action_outcome")
    assert len(decisions) == ROWS
    assert [event for event, forms in decisions.items() if len(forms) > 1] == []
    assert outcomes.keys() == decisions.keys()
    assert [event for event, forms in outcomes.items() if len(forms) > 1] == []
    done = [line.decode().split() for line in recorded(run.actions)]
    assert len({key for key, _, _ in done}) == len(done), "an effect was executed twice"
    assert sorted(event for _, _, event in done) == sorted(decisions)
    assert sorted(audited(run)) == sorted(decisions)
    assert_head_is_last(run)
