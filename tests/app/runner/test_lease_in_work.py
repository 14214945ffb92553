"""A lease is kept as long as its holder works, and looked at before each thing that others see."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from oracles.examples import examples
from planted_worlds import made
from scenario_runs import request_for, runner_over, sealed, sqlite_authority
from small_graph import IDENTITY
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.bus.publisher import OutboundRecord
from assay.app.control_bus.file_bus import FileControlBus
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.pack.interface import CATALOGUE, GATE_MAP, interface_of
from assay.app.run.directory import Run
from assay.app.runner.bank_world import BankWorld
from assay.app.runner.derived import follow
from assay.app.runner.documents import PLAN, QUARANTINE, read_kept
from assay.app.runner.engine import Attempt, ProcessEngine
from assay.app.runner.hold import TTL_US, Hold
from assay.app.runner.of_run import authority_of, owner_of
from assay.app.runner.record import Record, lost
from assay.app.stores.objects import DirectoryStore
from assay.app.telemetry import Telemetry
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

RUN = "2b88459257839f87c28f07cd3522edd7"
DOCUMENT = next(one.value for one in examples("sr_run_plan") if one.reason is None)
READY_TOPIC = "fp.bus.control.v1"


@pytest.fixture
def world(tmp_path: Path) -> SealedWorld:
    return small_world(tmp_path)


class Time:
    """A clock that stands until somebody moves it."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def clock(self) -> int:
        return self.now_us

    def passes(self, *_: object) -> None:
        """Most of a lease."""
        self.now_us += TTL_US * 4 // 5


def test_a_world_whose_check_takes_longer_than_a_lease_becomes_ready(world: SealedWorld) -> None:
    config, time = config_of(world.manifest), Time()
    runner = runner_over(config, sealed(world), KeptRecords(), NOW_US, time.passes, clock=time.clock)
    assert runner.submit(request_for(config)).state == "READY"
    assert time.now_us - NOW_US > TTL_US


def test_the_check_of_a_bank_keeps_the_lease_at_each_of_its_files(tmp_path: Path) -> None:
    store, kept = DirectoryStore(tmp_path), list[None]()
    made(store)

    class Manifest:
        manifest_fingerprint, parameter_hash = IDENTITY.manifest_fingerprint, IDENTITY.parameter_hash
        scenario_id, seed = IDENTITY.scenario_id, IDENTITY.seed

    bank = BankWorld(store, interface_of(store.read(CATALOGUE), store.read(GATE_MAP)))
    seen = bank.look(request_for(config_of(Manifest())), lambda: kept.append(None))  # type: ignore[arg-type]
    assert len(kept) == sum(len(located.files) for located in seen.outputs.values()) > 0


class SlowBus(KeptRecords):
    """A bus that takes longer than a lease to acknowledge READY."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self._time = time

    def publish(self, handle: str, records: Sequence[OutboundRecord]) -> None:
        super().publish(handle, records)
        if handle == "FP_BUS_CONTROL_V1":
            self._time.now_us += 2 * TTL_US


def test_a_runner_whose_lease_ended_while_it_published_says_nothing_on_the_second_bus(tmp_path: Path, world: SealedWorld) -> None:
    config, time = config_of(world.manifest), Time()
    bus, control = SlowBus(time), FileControlBus(tmp_path / "control", READY_TOPIC, time.clock)
    with pytest.raises(Stop) as refused:
        runner_over(config, sealed(world), bus, NOW_US, clock=time.clock, control=control).submit(request_for(config))
    assert refused.value.reason is Reason.LEASE_LOST
    assert list(control.read()) == []
    answer = runner_over(config, sealed(world), KeptRecords(), NOW_US, clock=time.clock, control=control).submit(request_for(config))
    assert [published.message.message_id for published in control.read()] == [answer.message_id]


def test_a_higher_fence_in_the_record_counts_although_the_database_says_that_the_lease_is_held(tmp_path: Path) -> None:
    """As after the database was replaced by a copy of before."""
    store, authority = DirectoryStore(tmp_path / "store"), sqlite_authority(tmp_path / "authority.db")
    lease = authority.acquire(RUN, "first", TTL_US, NOW_US)
    assert lease is not None
    hold = Hold(store, authority, lease, Record(store, RUN), lambda: NOW_US, Telemetry(()))
    hold.take()
    Record(store, RUN).read_on().append("LEASE_ACQUIRED", {"owner_id": "second", "fence": 2}, NOW_US, 2)
    assert authority.holds(lease, NOW_US)
    with pytest.raises(Stop) as refused:
        hold.write(PLAN, DOCUMENT)
    assert (refused.value.reason, read_kept(store, PLAN, RUN)) == (Reason.LEASE_LOST, None)


def test_an_engine_is_told_to_end_when_the_lease_is_lost(tmp_path: Path) -> None:
    script = """
import pathlib, signal, sys, time
def told(*_):
    pathlib.Path("told").touch()
    sys.exit()
signal.signal(signal.SIGTERM, told)
pathlib.Path("runs").touch()
time.sleep(600)
"""
    command = [sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r})\n{script}"]
    attempt = Attempt(RUN, 1, "c" * 32, "a" * 64, "b" * 64, 7, "s", str(tmp_path))

    def keep() -> None:
        if (tmp_path / "runs").exists():
            raise lost(RUN, "somebody has it")

    with pytest.raises(Stop) as refused:
        ProcessEngine(lambda _: command, lambda root: DirectoryStore(Path(root)), 120.0).invoke(attempt, keep)
    assert refused.value.reason is Reason.LEASE_LOST
    assert (tmp_path / "told").exists()


@pytest.mark.parametrize(
    ("given", "setting", "runner", "asked", "owned"),
    [
        ("", "", "", "owner", "owner"),
        ("", "", "runner", "runner", "owner"),
        ("", "set", "runner", "set", "set"),
        ("given", "set", "runner", "given", "given"),
    ],
)
def test_the_nearest_address_of_the_database_counts(
    world: SealedWorld, monkeypatch: pytest.MonkeyPatch, given: str, setting: str, runner: str, asked: str, owned: str
) -> None:
    if setting:
        monkeypatch.setenv("ASSAY_AUTHORITY", setting)
    run = Run(directory=Path("nowhere"), config=config_of(world.manifest), bootstrap="b:1", dsn="owner", runner_dsn=runner)
    assert (authority_of(run, given), owner_of(run, given)) == (asked, owned)


def test_a_contradiction_that_fills_pages_is_cut_in_the_notice(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    record = Record(store, RUN)
    record.append("LEASE_ACQUIRED", {"owner_id": "a", "fence": 1}, NOW_US, 1)
    world = {"manifest_fingerprint": "a" * 64, "parameter_hash": "b" * 64, "scenario_id": "small", "seed": 0}
    record.append("RUN_ACCEPTED", {"platform_run_id": "platform_20260101T000000Z", "intent": world}, NOW_US, 1)
    record.append("EVIDENCE_CONFLICT", {"reason_code": "EVIDENCE_CONFLICT", "missing": [], "why": "x" * 10_000}, NOW_US, 1)
    follow(store, record)
    notice = read_kept(store, QUARANTINE, RUN)
    assert notice is not None
    assert notice["why"] == "x" * 8_192
