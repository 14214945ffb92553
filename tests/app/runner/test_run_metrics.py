"""The runner's figures are a fold over the lines that operators see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scenario_runs import request_for, runner_over, sealed
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.metrics import RUNNER
from assay.app.runner import run_metrics
from assay.app.runner.event_kinds import KINDS
from assay.app.runner.run_metrics import RunMetrics
from assay.app.telemetry import Telemetry

RUN = "5" * 32


def _samples() -> dict[str, float]:
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in RUNNER.collect()
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


def _changed(
    lines: list[tuple[str, dict[str, Any]]], clock: Iterator[int] | None = None, run_ids: list[str] | None = None
) -> dict[str, float]:
    """What a new sink adds for some lines; the clock goes on by a second each time it is asked."""
    before, seconds = _samples(), clock or iter(range(10**9))
    sink = RunMetrics(lambda: float(next(seconds)))
    for number, (kind, details) in enumerate(lines):
        sink({"event_kind": kind, "run_id": run_ids[number] if run_ids else RUN, "details": details})
    return {name: value - before.get(name, 0) for name, value in _samples().items() if value != before.get(name, 0)}


@pytest.mark.parametrize(
    ("lines", "added"),
    [
        ([("RUN_REQUEST_RECEIVED", {"kind": "submit"})] * 2, {"assay_sr_run_requests_total submit": 2}),
        ([("RUN_REQUEST_REJECTED", {"reason_code": "UNAUTHORISED"})], {"assay_sr_runs_rejected_total UNAUTHORISED": 1}),
        ([("RUN_ACCEPTED", {})], {"assay_sr_runs_accepted_total": 1}),
        ([("PLAN_FAILED", {"reason_code": "INVALID_WINDOW"})], {"assay_sr_runs_failed_total INVALID_WINDOW": 1}),
        ([("EVIDENCE_FAIL", {"reason_code": "GATE_FAIL"})], {"assay_sr_runs_failed_total GATE_FAIL": 1}),
        ([("ENGINE_FAILED", {"reason_code": "ATTEMPT_LIMIT_EXCEEDED"})], {"assay_sr_runs_failed_total ATTEMPT_LIMIT_EXCEEDED": 1}),
        ([("EVIDENCE_CONFLICT", {"reason_code": "EVIDENCE_CONFLICT"})], {"assay_sr_runs_quarantined_total": 1}),
        ([("EVIDENCE_WAITING", {})] * 3, {"assay_sr_runs_waiting_total": 1}),
        (
            [("EVIDENCE_WAITING", {}), ("EVIDENCE_WAITING", {}), ("EVIDENCE_FAIL", {"reason_code": "EVIDENCE_MISSING_DEADLINE"})],
            {
                "assay_sr_runs_waiting_total": 1,
                "assay_sr_runs_failed_total EVIDENCE_MISSING_DEADLINE": 1,
                "assay_sr_evidence_wait_seconds_count": 1,
                "assay_sr_evidence_wait_seconds_sum": 1,
            },
        ),
        (
            [("ENGINE_ATTEMPT_LAUNCH_REQUESTED", {}), ("ENGINE_ATTEMPT_FINISHED", {"outcome": "FAILED"})],
            {
                "assay_sr_engine_attempts_total FAILED": 1,
                "assay_sr_engine_attempt_seconds_count": 1,
                "assay_sr_engine_attempt_seconds_sum": 1,
            },
        ),
        ([("ENGINE_ATTEMPT_FINISHED", {"outcome": "SUCCEEDED"})], {"assay_sr_engine_attempts_total SUCCEEDED": 1}),
        (
            [("RUN_ACCEPTED", {}), ("READY_COMMITTED", {})],
            {
                "assay_sr_runs_accepted_total": 1,
                "assay_sr_runs_ready_total": 1,
                "assay_sr_ready_commit_seconds_count": 1,
                "assay_sr_ready_commit_seconds_sum": 1,
            },
        ),
        ([("READY_PUBLISH_FAILED", {"reason_code": "PRODUCE_FAILED"})], {"assay_sr_ready_publish_failures_total": 1}),
        ([("LEASE_LOST", {})], {"assay_sr_lease_lost_total": 1}),
        ([("PLAN_COMMITTED", {}), ("LEASE_BUSY", {})], {}),
    ],
)
def test_what_a_line_adds(lines: list[tuple[str, dict[str, Any]]], added: dict[str, float]) -> None:
    assert _changed(lines) == added


def test_a_clock_that_was_set_back_takes_no_time() -> None:
    added = _changed([("RUN_ACCEPTED", {}), ("READY_COMMITTED", {})], iter([5, 3]))
    assert added["assay_sr_ready_commit_seconds_count"] == 1
    assert "assay_sr_ready_commit_seconds_sum" not in added


def test_times_of_the_oldest_runs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_metrics, "REMEMBERED", 2)
    kinds = ["RUN_ACCEPTED"] * 3 + ["READY_COMMITTED"] * 3
    added = _changed([(kind, {}) for kind in kinds], run_ids=["a", "b", "c"] * 2)
    assert (added["assay_sr_runs_ready_total"], added["assay_sr_ready_commit_seconds_count"]) == (3, 2)


def test_a_run_that_becomes_ready_is_counted_as_it_goes(tmp_path: Path) -> None:
    world, bus, before = small_world(tmp_path), KeptRecords(), _samples()
    telemetry, config = Telemetry([RunMetrics(lambda: 1.0)], KINDS), config_of(world.manifest)
    runner = runner_over(config, sealed(world), bus, NOW_US, telemetry=telemetry)
    for _ in range(2):
        assert runner.submit(request_for(config)).state == "READY"
    assert telemetry.close(60) == 0
    after = _samples()
    for name in ("assay_sr_runs_accepted_total", "assay_sr_runs_ready_total"):
        assert after[name] - before[name] == 1, "asked twice, opened once"
