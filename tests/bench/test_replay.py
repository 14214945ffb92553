"""The replay benchmark: the command's own verdict over every decision the lane made, with both speeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.app.bench import replay
from assay.app.bench.lane import bench_config
from assay.app.run.directory import Run
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@pytest.mark.tier2
@pytest.mark.long
def test_every_decision_of_the_lane_is_replayed_and_both_speeds_are_given() -> None:
    figures = replay.run(["--events", "3000", "--warm", "2000", "--rounds", "1", "--uncounted", "0"])
    (only,) = figures["rounds"]
    assert only["replayed"] == only["lane"]["checked"]["decisions"] == 5_000
    assert only["cpu_s"]["replay"] > 0
    assert only["ratio"] == pytest.approx(only["replayed_per_s"] / only["lane_events_per_s"], abs=0.001)
    assert figures["ratio"]["median"] == only["ratio"]


def test_a_replay_without_a_verdict_is_no_figure(tmp_path: Path) -> None:
    made = Run(directory=tmp_path, config=bench_config(), bootstrap="127.0.0.1:1", dsn="")  # and nothing of it in its directory
    with pytest.raises(Stop) as refusal:
        replay._replay(made, 10)
    assert refusal.value.reason is Reason.BENCH_INVALID
