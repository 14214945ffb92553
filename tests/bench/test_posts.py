"""The benchmark of single posts: its schedule, and a small round over real servers."""

from __future__ import annotations

import pytest

from assay.app.bench.posts import _due_s, run


def test_a_burst_is_due_within_its_time_and_the_rest_at_the_steady_rate() -> None:
    due_s = _due_s(10, 4, 2, 100, 300)
    assert len(due_s) == 8 * 100 + 2 * 300
    assert due_s == sorted(due_s)
    assert len([at for at in due_s if 4 <= at < 6]) == 600
    assert _due_s(2, 20, 30, 5, 0) == [at / 5 for at in range(10)]


@pytest.mark.long
@pytest.mark.tier2
def test_every_event_of_a_small_round_is_admitted_and_has_a_latency() -> None:
    figures = run(["--rate", "200", "--seconds", "3", "--warm-s", "1", "--burst-rate", "400", "--burst-at", "1", "--burst-s", "1"])
    assert figures["posted"] == 200 + 400 + 200
    assert set(figures["latency_ms"]) == {"steady, before", "burst", "steady, after"}
    assert all(found["p50"] > 0 for found in figures["latency_ms"].values())
    assert {"gate", "client", "kafka", "postgres"} <= set(figures["cpu_s_per_1000"])
