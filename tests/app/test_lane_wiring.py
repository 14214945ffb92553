"""What a run's configuration and wiring say reaches the lanes: bounds, clocks, and who is asked what before a lane begins."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest
from records import PINS, RTDL, TRAFFIC, chunk, decision, outcome, payment
from simulated_worlds import config

from assay.agents.audit import AuditMachine
from assay.agents.faust_shell.agents import Shell
from assay.agents.lane import LaneMachine
from assay.agents.specs import journal_topic
from assay.agents.topology import TOPOLOGY
from assay.app.bus.kafka_journal import KafkaJournal
from assay.app.bus.kafka_outputs import KafkaOutputs
from assay.app.bus.offsets import end_offsets
from assay.app.effects.recorder import Recorder
from assay.app.lane.assembly import fold_machine_of, partition_counts, plans_of
from assay.app.lane.driver import LaneDriver
from assay.app.lane.wiring import WiredLane, wall_us, wire
from assay.app.run.code_digest import code_digest
from assay.app.run.directory import Horizon, Run, RunConfig
from assay.app.run.failpoints import Failpoints
from assay.app.settings import load_settings
from assay.app.simulation.lanes import KeyedEffector, simulated_lanes
from assay.app.snapshots.taking import SnapshotPace
from assay.app.stores.segment_journal import SegmentJournal
from assay.app.worker import build_worker
from assay.codecs.journal_record import JournalRecord
from assay.contracts.topics import topic
from assay.tables.dedupe import RESENT_ROWS_MAX

DAY_US = 86_400_000_000
DAYS, ROWS = 3, RESENT_ROWS_MAX + 7
#: nothing is as by default
CONFIGURED: RunConfig = config().model_copy(
    update={"idempotency_horizon": Horizon(days=DAYS, rows=ROWS), "changelog_interval_ms": 250, "bundle_id": "b", "bundle_version": "9"}
)
#: the memories of event ids, by lane and part of its state
MEMORIES = [("rtdl", "0-dedupe", ""), ("act", "0-action_layer", "started"), ("act", "0-action_layer", "asked")]


def lane(name: str, given: RunConfig = CONFIGURED) -> LaneMachine:
    """A lane of this configuration that was claimed."""
    one = fold_machine_of(TOPOLOGY.lane(name), given, partition_counts(1))
    one.unemitted()
    return one


@pytest.mark.parametrize(("name", "part", "inside"), MEMORIES)
def test_every_memory_of_ids_has_the_horizon_of_the_run(name: str, part: str, inside: str) -> None:
    header = lane(name).state()[part].header
    header = header[inside] if inside else header
    assert (header["horizon_us"], header["max_rows"], header["min_rows"]) == (DAYS * DAY_US, ROWS, RESENT_ROWS_MAX)


@pytest.mark.parametrize(("name", "part", "inside"), MEMORIES)
def test_without_a_word_about_it_ids_are_remembered_for_weeks_and_millions_of_rows(name: str, part: str, inside: str) -> None:
    header = lane(name, config()).state()[part].header
    header = header[inside] if inside else header
    assert header["horizon_us"] >= 30 * DAY_US
    assert header["max_rows"] >= 10_000_000
    assert header["min_rows"] >= 100_000, "what is sent again after a restart is known, however far apart its times are"


def audit_lanes(given: RunConfig, folder: Path) -> list[AuditMachine]:
    """The audit lane of a worker and of the simulator."""
    simulated = [one.make() for one in simulated_lanes(given, partition_counts(1), KeyedEffector().execute) if one.name == "audit"]
    machines = [*simulated, wired(folder, given)["audit"].driver.machine]
    return [machine for machine in machines if isinstance(machine, AuditMachine)]


def test_the_audit_remembers_as_many_decisions_as_the_run_says(tmp_path: Path) -> None:
    few = CONFIGURED.model_copy(update={"idempotency_horizon": Horizon(days=DAYS, rows=2)})
    values = [decision("a"), decision("b"), decision("c"), outcome("a"), outcome("b"), outcome("c")]
    lanes = audit_lanes(few, tmp_path)
    assert len(lanes) == 2
    for one in lanes:
        one.receive(chunk(RTDL, values))
        one.next_entry(0)
        entry = one.next_entry(10**9)
        assert entry is not None
        assert entry.rows == 2, "the first decision is forgotten, its outcome is of none"


def test_plans_carry_what_the_run_says() -> None:
    plans = plans_of(CONFIGURED, partition_counts(5))
    assert (plans.horizon_us, plans.horizon_rows, plans.changelog_interval_us) == (DAYS * DAY_US, ROWS, 250_000)
    assert (plans.pins, plans.bundle_id, plans.bundle_version) == (PINS, "b", "9")
    assert (plans.run_config_digest, plans.partitions[TRAFFIC]) == (CONFIGURED.digest, 5)


@pytest.mark.parametrize("code", [None, b"\7" * 32])
def test_a_journal_record_names_the_code_and_the_configuration_that_made_it(code: bytes | None) -> None:
    one = fold_machine_of(TOPOLOGY.lane("rtdl"), CONFIGURED, partition_counts(1), code=code)
    one.unemitted()
    claim = JournalRecord.from_bytes(one.claim_entry(0).value)
    assert (claim.shard, claim.code_digest, claim.run_config_digest) == (0, code or code_digest(), CONFIGURED.digest)


def test_actions_are_taken_as_they_arrive_although_payments_wait_for_their_marks() -> None:
    """The topic of decisions has no marks."""
    act, rtdl = lane("act"), lane("rtdl")
    act.receive(chunk(RTDL, [decision("a")]))
    rtdl.receive(chunk(TRAFFIC, [payment("a", 5)]))
    assert act.next_entry(0) is not None
    assert rtdl.next_entry(0) is None


# -- the lanes of a worker


def a_run(folder: Path, given: RunConfig = CONFIGURED) -> Run:
    """A run whose broker is not there: nothing is connected yet."""
    return Run(directory=folder, config=given, namespace="ns.", bootstrap="127.0.0.1:1", dsn="", partitions=2)


def wired(folder: Path, given: RunConfig = CONFIGURED) -> dict[str, WiredLane]:
    """All lanes of a worker, by name."""
    return {one.id.lane: one for one in wire(a_run(folder, given), [], Failpoints(), PROPERTIES, pace=SnapshotPace(5, 7.0))}


PROPERTIES = {"security.protocol": "sasl_plaintext", "sasl.username": "kim"}
CLIENT = {"security_protocol": "SASL_PLAINTEXT", "sasl_plain_username": "kim", "bootstrap_servers": "127.0.0.1:1"}


@pytest.mark.parametrize("name", ["rtdl", "act", "audit"])
def test_a_lane_asks_where_its_inputs_end_before_it_takes_traffic(name: str, tmp_path: Path) -> None:
    one = wired(tmp_path)[name]
    assert one.topics == {topic(handle).name("ns."): handle for handle in TOPOLOGY.lane(name).ranks}
    asks = one.driver._input_ends
    assert isinstance(asks, partial)
    assert (asks.func, asks.args) == (end_offsets, ("127.0.0.1:1", one.topics, PROPERTIES))


@pytest.mark.parametrize("name", ["rtdl", "act", "audit"])
def test_a_lane_asks_what_its_group_has_committed_before_it_goes_on_with_its_journal(name: str, tmp_path: Path) -> None:
    asks = wired(tmp_path)[name].driver._committed
    assert isinstance(asks, partial)
    run, properties, group, topics, journal = asks.args
    assert (run.namespace, properties["sasl.username"], topics) == ("ns.", "kim", wired(tmp_path)[name].topics)
    assert group == f"ns.{run.platform_run_id}.{name}.0"
    assert journal == (None if name == "audit" else journal_topic(TOPOLOGY.lane(name)))


def test_each_lane_has_the_journal_of_its_topology_and_the_topics_that_it_writes(tmp_path: Path) -> None:
    lanes = wired(tmp_path)
    for name in ("rtdl", "act"):
        journal, outputs = lanes[name].driver._journal, lanes[name].driver._outputs
        assert isinstance(journal, KafkaJournal)
        assert journal.tp == (topic(journal_topic(TOPOLOGY.lane(name))).name("ns."), 0)
        assert isinstance(outputs, KafkaOutputs)
        assert outputs._topics == {handle: topic(handle).name("ns.") for handle in TOPOLOGY.lane(name).written_topics()}
        assert [port._producer._settings for port in (journal, outputs)] == [CLIENT, CLIENT]
    assert isinstance(lanes["audit"].driver._journal, SegmentJournal)


def test_only_the_action_lane_acts_and_lanes_with_a_journal_take_snapshots_at_the_pace_asked_for(tmp_path: Path) -> None:
    lanes = wired(tmp_path)
    assert {name: type(one.driver._effector) for name, one in lanes.items()} == {"rtdl": type(None), "act": Recorder, "audit": type(None)}
    assert lanes["audit"].driver._snapshots is None
    for name in ("rtdl", "act"):
        taken = lanes[name].driver._snapshots
        assert taken is not None
        assert taken._pace == SnapshotPace(5, 7.0)


def test_the_settings_say_when_a_worker_takes_snapshots(tmp_path: Path) -> None:
    a_run(tmp_path).save()

    async def paces() -> list[SnapshotPace]:
        app = build_worker(load_settings(run=tmp_path, snapshot_every_records=5, snapshot_every_s=7.0))
        drivers = [one.member.lane for one in app.lane_apps]
        return [driver._snapshots._pace for driver in drivers if isinstance(driver, LaneDriver) and driver._snapshots is not None]

    assert asyncio.run(paces()) == [SnapshotPace(5, 7.0)] * 2


def test_the_settings_say_how_long_a_fetch_of_a_busy_lane_waits(tmp_path: Path) -> None:
    a_run(tmp_path).save()

    async def waits(**given: int) -> set[int]:
        return {lane.fetch_wait_ms for lane in build_worker(load_settings(run=tmp_path, **given)).lane_apps}

    assert asyncio.run(waits()) == {Shell("g", "b", Path()).fetch_wait_ms}
    assert asyncio.run(waits(fetch_wait_ms=9)) == {9}


def test_the_wall_clock_of_a_worker_counts_microseconds(tmp_path: Path) -> None:
    before = time.time_ns() // 1_000
    read = [wall_us(), wired(tmp_path)["rtdl"].driver._wall_us()]
    after = time.time_ns() // 1_000
    assert [before, *read, after] == sorted([before, *read, after])
