"""The takeover benchmark: where a gap is looked for, and that real takeovers lose nothing and decide nothing twice in effect."""

from __future__ import annotations

import pytest

from assay.app.bench.takeover import gap_s, run


@pytest.mark.parametrize(
    ("times_ms", "ended_ms", "gap"),
    [
        ([900, 1_000, 8_200, 8_210], 1_005, 7.2),
        ([8_210, 1_000, 8_200, 900], 1_005, 7.2),  # outputs are published again: times are not in order
        ([0, 400, 1_000, 1_100, 1_300], 1_005, 0.2),  # a pause long before is none of this takeover
        ([1_000, 1_100, 61_200, 90_000], 1_005, 0.1),  # nor is one a minute later
    ],
)
def test_the_gap_is_the_longest_around_the_end_of_the_active_worker(times_ms: list[int], ended_ms: int, gap: float) -> None:
    assert gap_s(times_ms, ended_ms) == gap


@pytest.mark.tier2
def test_a_killed_worker_is_taken_over_from_with_every_payment_decided_once_in_effect() -> None:
    figures = run(["--rounds", "1", "--rate", "300"])
    [takeover], checked = figures["rounds"], figures["checked"]
    assert takeover["signal"] == "SIGKILL"
    assert 0 < takeover["decisions"] <= checked["decisions"] + checked["published_again_alike"]
    assert takeover["gap_s"] > 0
