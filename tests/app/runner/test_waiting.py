"""Evidence that is missing is looked for again until the deadline of the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenario_runs import request_for, runner_over, sealed
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.oracle.import_interface import GATE_ID
from assay.app.runner.imported_world import ImportedWorld
from assay.app.runner.plan import RunnerPolicy
from assay.app.runner.record import Record
from assay.app.stores.objects import DirectoryStore

S_US = 1_000_000


class Waiting:
    """Time that passes while a runner waits, and what happens meanwhile."""

    def __init__(self, happens_at_us: int, happens: Any) -> None:
        self.now_us, self._at, self._happens = NOW_US, happens_at_us, happens

    def clock(self) -> int:
        return self.now_us

    def pause(self, seconds: float) -> None:
        self.now_us += int(seconds * S_US)
        if self.now_us >= self._at:
            self._at = 2**62
            self._happens()


def waiting_run(folder: Path, policy: RunnerPolicy, at_us: int, *, wait: bool = True) -> Any:
    """A run that was asked for before its world was there; the world comes at an instant. Answer, record and time of the end."""
    source = small_world(folder / "source")
    config = config_of(source.manifest)
    store = DirectoryStore(folder / "store")

    def arrive() -> None:
        for key in sealed(source).keys("oracle"):
            store.create(key, source.store.read(key))

    time = Waiting(at_us, arrive)
    evidence = ImportedWorld(store, config, time.clock)
    values: dict[str, Any] = {"evidence": evidence, "clock": time.clock, "pause": time.pause, "policy": policy}
    runner = runner_over(config, store, KeptRecords(), NOW_US, **values)
    answer = runner.submit(request_for(config, output_ids=[source.manifest.output_id]), wait=wait)
    return answer, Record(store, config.scenario_run_id).read_on(), time.now_us


def test_evidence_that_comes_before_the_deadline_is_found_without_another_request(tmp_path: Path) -> None:
    answer, record, _ = waiting_run(tmp_path, RunnerPolicy(evidence_wait_s=60), NOW_US + 10 * S_US)
    assert (answer.state, answer.facts_view_ref) == ("READY", f"sr/run_facts_view/{answer.run_id}.json")
    assert [event["event_kind"] for event in record.events].count("EVIDENCE_WAITING") == 1, "the same want is told once"


def test_evidence_that_is_missing_at_the_deadline_fails_the_run(tmp_path: Path) -> None:
    answer, record, ended_us = waiting_run(tmp_path, RunnerPolicy(evidence_wait_s=60), 2**62)
    assert (answer.state, answer.reason_code, ended_us) == ("FAILED", "EVIDENCE_MISSING_DEADLINE", NOW_US + 60 * S_US)
    assert record.events[record.standing.number]["details"]["missing"] == [GATE_ID, "payments"]


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
