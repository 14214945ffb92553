"""Seeded runs: ten of them in the usual run, a thousand in `make simulate`; each holds every promise, and gives the same in any process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from effort import seeds
from fault_table import cell_of, met_too_rarely, table, times_met
from oracles.schedule import LANES, boundaries, cells, schedule
from seeded_runs import judged
from simulate import told
from source_tree import ROOT

from assay.app.simulation.faults import Crash, Planted


@pytest.mark.parametrize("seed", seeds(30, 10))
def test_whatever_a_seed_does_to_the_lanes_every_promise_holds(seed: int) -> None:
    verdict = judged(seed)
    assert not verdict.wrong, told(verdict)


def test_another_process_runs_a_seed_to_the_last_byte_alike() -> None:
    command, environment = [sys.executable, str(ROOT / "tests/simulate.py"), "--seed", "7"], {**os.environ, "PYTHONHASHSEED": "1"}
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=True)
    assert told(judged(7)) in again.stdout


def test_a_thousand_seeds_plant_every_fault_at_every_boundary_of_every_lane_often_enough() -> None:
    """Planted is not met, so there is room; what was met is counted by `make simulate`."""
    times = times_met(planted for seed in range(1_000) for planted in schedule(seed))
    assert met_too_rarely(times, 12) == []


def test_a_fault_that_met_a_boundary_too_rarely_is_named() -> None:
    once = {cell_of(planted): planted for seed in range(1_000) for planted in schedule(seed)}
    times = times_met([*once.values(), Planted(Crash(), "act", "fetched")])
    assert met_too_rarely(times, 1) == []
    lacking = met_too_rarely(times, 2)
    assert len(lacking) == len(cells()) - 1
    assert "Crash met act at committed 1 times, wanted are 2" in lacking
    assert len(table(times).splitlines()) == 2 + sum(len(boundaries(lane)) for lane in LANES)
