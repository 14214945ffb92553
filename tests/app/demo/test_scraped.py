"""What a run's end reads of its processes' metrics: calls that the gate refused, and how long batches took."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from answering_server import answering
from prometheus_client import CollectorRegistry, generate_latest
from proven_runs import make_run

from assay.app.demo.finalisation import batch_latency_ms
from assay.app.demo.watch import refused_calls
from assay.app.metric_kinds import CounterBy, TimesBy
from assay.app.metrics import GATE_REFUSED_CALLS, LANE_BATCH
from assay.app.run.directory import Run


def serving(registry: CollectorRegistry) -> AbstractContextManager[str]:
    """The address of a process that exports a registry."""
    return answering(lambda: generate_latest(registry))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


def test_calls_that_the_gate_refused_are_counted_by_reason(run: Run) -> None:
    registry = CollectorRegistry()
    CounterBy(registry, "assay_gate_decisions_total", "Others.", "decision").add({"ADMIT": 7})
    counter = CounterBy(registry, GATE_REFUSED_CALLS.name, "Calls.", "reason")
    with serving(registry) as address:
        at = run.model_copy(update={"gate_url": address})
        assert refused_calls(at) == {}
        counter.add({"BODY_INVALID": 3, "KEY_WRONG": 1})
        assert refused_calls(at) == {"BODY_INVALID": 3, "KEY_WRONG": 1}


def test_of_a_gate_that_does_not_answer_nothing_is_known(run: Run) -> None:
    assert refused_calls(run) is None
    assert refused_calls(run.model_copy(update={"gate_url": "http://127.0.0.1:1"})) is None


def test_latency_is_that_of_the_deciding_lane_to_two_digits_and_of_its_slowest_shard(run: Run) -> None:
    registry = CollectorRegistry()
    times = TimesBy(registry, LANE_BATCH.name.removesuffix("_seconds"), "Time.", "lane", "shard")
    with serving(registry) as address:
        at = run.model_copy(update={"worker_url": address})
        assert batch_latency_ms(at) is None
        times.observe(np.array([0.0123, 0.5]), np.array([98, 2]), "rtdl", 0)
        times.observe(np.array([0.0234]), np.array([5]), "rtdl", 1)
        times.observe(np.array([9.0]), np.array([50]), "audit", 0)
        assert batch_latency_ms(at) == pytest.approx({"p50": 24.0, "p99": 500.0})
