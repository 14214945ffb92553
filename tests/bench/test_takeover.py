"""The takeover benchmark: where a gap is looked for, and that real takeovers lose nothing and decide nothing twice in effect."""

from __future__ import annotations

import pytest

from assay.app.bench.takeover import gap_s, run


@pytest.mark.parametrize(
    ("times_ms", "ended_ms", "gap"),
    [
        ([900, 1_000, *range(8_200, 20_000, 10)], 1_005, 7.2),
        ([*range(8_200, 20_000, 10), 1_000, 900], 1_005, 7.2),  # outputs are published again: times are not in order
        ([0, 400, *range(1_000, 20_000, 200)], 1_005, 0.2),  # a pause long before is none of this takeover
        ([*range(0, 20_000, 100), 27_000], 1_005, 0.1),  # nor is one of the next round's
        ([900, 1_000, 21_000], 1_005, 19.0),  # nothing since: it is at least this long
    ],
)
def test_the_gap_is_the_longest_from_the_end_of_the_active_worker_until_the_round_is_over(
    times_ms: list[int], ended_ms: int, gap: float
) -> None:
    assert gap_s(times_ms, ended_ms, over_ms=20_000) == gap


@pytest.mark.tier2
@pytest.mark.long
def test_a_killed_worker_is_taken_over_from_with_every_payment_decided_once_in_effect() -> None:
    figures = run(["--rounds", "1", "--rate", "300"])
    [takeover], checked = figures["rounds"], figures["checked"]
    assert takeover["signal"] == "SIGKILL"
    assert 0 < takeover["decisions"] <= checked["decisions"] + checked["published_again_alike"]
    assert takeover["gap_s"] > 0
