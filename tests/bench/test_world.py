"""`assay bench world` measures a bank of any size, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.app.bench.world import run
from assay.app.stores.objects import DirectoryStore
from assay.app.world.timing import timed_world

TINY = ["--scale", "tiny", "--rounds", "1"]


def test_figures_are_those_of_the_command(tmp_path: Path) -> None:
    figures = run([*TINY, "--flows", "60000", "--discard", "--folder", str(tmp_path)])
    found = figures["rounds"][0]
    assert 0.9 * 60_000 < found["flows"] < 1.1 * 60_000
    assert found["states"].keys() >= {"5B S4", "6A S5", "6B S1", "6B S3B", "6B S4C"}
    assert found["steps"].keys() == found["states"].keys()
    for state, steps in found["steps"].items():  # two workers make and write at once
        assert steps.keys() == {"prepare", "make", "write"}
        assert 0 <= steps["prepare"] <= found["states"][state] + 0.001
        assert steps["make"] > 0 or steps["write"] > 0, state
        assert steps["prepare"] + (steps["make"] + steps["write"]) / 2 <= found["states"][state] + 0.1, state
    assert found["flows_per_s_fraud_mode"] > found["flows_per_s_6B"] > 0 and found["rss_mib"] > 0
    assert figures["budgets"].keys() == {"6B, 120,000 flows/s", "fraud mode alone, 180,000 flows/s", "memory, 6 GiB"}
    assert "60000 flows" in figures["measured"] and list(tmp_path.iterdir()) == []


def test_a_world_that_is_discarded_leaves_its_gates_and_no_part(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    times = timed_world(store, "tiny", 7, 2, lambda *_: None, flows=60_000, discard=True)
    assert {one.segment_id for one in times} >= {"1A", "5B", "6A", "6B"}
    keys = list(store.keys(""))
    assert [key for key in keys if key.endswith(".parquet")] == []
    assert sum(key.endswith("_passed.flag") for key in keys) == 10


@pytest.mark.parametrize("parties", [500])
def test_with_parties_only_the_segments_up_to_6a_are_made(tmp_path: Path, parties: int) -> None:
    times = timed_world(DirectoryStore(tmp_path), "tiny", 7, 2, lambda *_: None, parties=parties)
    assert times[-1].segment_id == "6A"
