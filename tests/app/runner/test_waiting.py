"""Evidence that is missing is looked for again until the deadline of the plan."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from scenario_runs import request_for, runner_over, sealed, sqlite_authority
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.oracle.import_interface import GATE_ID
from assay.app.run.directory import Run
from assay.app.runner.hold import TTL_US
from assay.app.runner.imported_world import ImportedWorld
from assay.app.runner.of_run import runner_of
from assay.app.runner.plan import RunnerPolicy
from assay.app.runner.record import Record
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

S_US = 1_000_000


HOUR_US = 3_600 * S_US


class Waiting:
    """Time that passes while a runner waits, and what happens meanwhile. At the first pause the clock is set by `jump_us`."""

    def __init__(self, happens_at_us: int, happens: Any, jump_us: int = 0) -> None:
        self.now_us, self._at, self._happens = NOW_US, happens_at_us, happens
        self.off_us, self._jump_us = 0, jump_us

    def clock(self) -> int:
        return self.now_us + self.off_us

    def steady(self) -> int:
        return self.now_us - NOW_US

    def pause(self, seconds: float) -> None:
        self.off_us, self._jump_us = self.off_us + self._jump_us, 0
        self.now_us += int(seconds * S_US)
        if self.now_us >= self._at:
            self._at = 2**62
            self._happens()


class WaitingRun:
    """A run that was asked for before its world was there; the world comes at an instant."""

    def __init__(self, folder: Path, policy: RunnerPolicy, at_us: int, jump_us: int = 0) -> None:
        self.source = small_world(folder / "source")
        self.config, self.store, self.policy = config_of(self.source.manifest), DirectoryStore(folder / "store"), policy
        self.time = Waiting(at_us, self.arrive, jump_us)

    def arrive(self) -> None:
        for key in sealed(self.source).keys("oracle"):
            self.store.create(key, self.source.store.read(key))

    def submit(self, *, wait: bool = True) -> Any:
        time, evidence = self.time, ImportedWorld(self.store, self.config, self.time.clock)
        values: dict[str, Any] = {"clock": time.clock, "steady": time.steady, "pause": time.pause, "policy": self.policy}
        runner = runner_over(self.config, self.store, KeptRecords(), NOW_US, evidence=evidence, **values)
        return runner.submit(request_for(self.config, output_ids=[self.source.manifest.output_id]), wait=wait)

    @property
    def record(self) -> Record:
        return Record(self.store, self.config.scenario_run_id).read_on()


def waiting_run(folder: Path, policy: RunnerPolicy, at_us: int, *, wait: bool = True, jump_us: int = 0) -> Any:
    """Answer, record and time of the end of a run whose world comes at an instant."""
    run = WaitingRun(folder, policy, at_us, jump_us)
    return run.submit(wait=wait), run.record, run.time.now_us


def test_evidence_that_comes_before_the_deadline_is_found_without_another_request(tmp_path: Path) -> None:
    answer, record, _ = waiting_run(tmp_path, RunnerPolicy(evidence_wait_s=60), NOW_US + 10 * S_US)
    assert (answer.state, answer.facts_view_ref) == ("READY", f"sr/run_facts_view/{answer.run_id}.json")
    assert [event["event_kind"] for event in record.events].count("EVIDENCE_WAITING") == 1, "the same want is told once"


def test_evidence_that_is_missing_at_the_deadline_fails_the_run(tmp_path: Path) -> None:
    answer, record, ended_us = waiting_run(tmp_path, RunnerPolicy(evidence_wait_s=60), 2**62)
    assert (answer.state, answer.reason_code, ended_us) == ("FAILED", "EVIDENCE_MISSING_DEADLINE", NOW_US + 60 * S_US)
    assert record.events[record.standing.number]["details"]["missing"] == [GATE_ID, "payments"]


def test_a_clock_that_is_put_back_while_evidence_is_waited_for_does_not_make_the_wait_longer(tmp_path: Path) -> None:
    answer, _, ended_us = waiting_run(tmp_path, RunnerPolicy(evidence_wait_s=60), 2**62, jump_us=-HOUR_US)
    assert (answer.state, answer.reason_code, ended_us) == ("FAILED", "EVIDENCE_MISSING_DEADLINE", NOW_US + 60 * S_US)


def test_a_process_whose_clock_stands_before_the_plan_waits_no_longer_than_the_plan_allows(tmp_path: Path) -> None:
    run = WaitingRun(tmp_path, RunnerPolicy(evidence_wait_s=60), 2**62)
    assert run.submit(wait=False).state == "WAITING_EVIDENCE"
    run.time.off_us = -HOUR_US
    assert (run.submit().state, run.time.now_us) == ("FAILED", NOW_US + 60 * S_US)


def test_a_clock_that_is_put_forward_on_one_machine_ends_the_lease_and_leaves_the_run_waiting(tmp_path: Path) -> None:
    """SQLite judges leases by the machine's clock. Put right again, the same request goes on when the lease has ended by it, too."""
    run = WaitingRun(tmp_path, RunnerPolicy(evidence_wait_s=600), NOW_US + 10 * S_US, HOUR_US)
    with pytest.raises(Stop) as refused:
        run.submit()
    assert (refused.value.reason, run.record.standing.state) == (Reason.LEASE_LOST, "WAITING_EVIDENCE")
    run.time.off_us, run.time.now_us = 0, NOW_US + TTL_US
    assert run.submit().state == "READY"


def test_the_runner_of_a_run_counts_waits_by_the_clock_that_nobody_sets(tmp_path: Path) -> None:
    sqlite_authority(tmp_path / "authority.db")
    run = Run(directory=tmp_path, config=config_of(small_world(tmp_path).manifest), bootstrap="nowhere:1", dsn="")
    runner = runner_of(run, KeptRecords(), f"sqlite:///{tmp_path}/authority.db")
    first_us = time.monotonic_ns() // 1_000
    assert first_us <= runner.steady() <= time.monotonic_ns() // 1_000


def test_a_request_that_does_not_wait_is_answered_at_once(tmp_path: Path) -> None:
    answer, _, ended_us = waiting_run(tmp_path, RunnerPolicy(evidence_wait_s=60), 2**62, wait=False)
    assert (answer.state, answer.reason_code, ended_us) == ("WAITING_EVIDENCE", "EVIDENCE_WAITING", NOW_US)
    assert (answer.facts_view_ref, answer.message_id) == ("", ""), "only a run that is READY has them"


def test_a_world_that_is_not_there_cannot_be_planned_when_no_output_is_named(tmp_path: Path) -> None:
    config = config_of(small_world(tmp_path / "elsewhere").manifest)
    runner = runner_over(config, DirectoryStore(tmp_path / "store"), KeptRecords(), NOW_US)
    answer = runner.submit(request_for(config))
    assert (answer.state, answer.reason_code) == ("FAILED", "PACK_NOT_FOUND")
    assert runner.submit(request_for(config)) == answer, "a run that ended stays so"
