"""The gate's benchmark counts what lies on the bus, and says so when a gate does not start."""

from __future__ import annotations

from pathlib import Path

import pytest
from gate_process import run_in

from assay.app.bench.ingest import gate_of, run
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def test_a_gate_that_does_not_start_ends_the_benchmark(tmp_path: Path) -> None:
    wired = run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    (tmp_path / "run.json").unlink()
    with pytest.raises(Stop) as refusal, gate_of(wired):
        pass
    assert refusal.value.reason is Reason.BENCH_INVALID


@pytest.mark.long
@pytest.mark.tier2
def test_a_small_round_prints_rates_and_cpu_of_every_process() -> None:
    figures = run(["--items", "2000", "--batch", "500", "--rounds", "1"])
    (only,) = figures["rounds"]
    assert only["admitted"] == 2_000
    assert {"gate", "client"} <= set(only["cpu_s"])
    assert figures["admitted_per_s"]["median"] == only["admitted_per_s"]
