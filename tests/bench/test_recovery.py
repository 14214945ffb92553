"""The recovery benchmark: a real start from a real snapshot and tail restores what was built, over as many keys as were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from assay.app.bench.recovery import run
from assay.app.bench.recovery_process import SPAN_MS, payments

KEYS = 5_000


def test_every_key_has_an_event_and_all_lie_within_the_longest_window() -> None:
    drawn = payments(KEYS, 3 * KEYS // 5)
    assert {name: len(np.unique(numbers)) for name, numbers in drawn.numbers.items()} == dict.fromkeys(drawn.numbers, KEYS // 5)
    assert np.ptp(drawn.ts_us) / 1_000 < SPAN_MS * 1.1


@pytest.mark.tier2
@pytest.mark.long
def test_a_start_from_a_snapshot_and_a_tail_restores_what_was_built() -> None:
    figures = run(["--keys", str(KEYS), "--rounds", "1", "--tail", "2000"])
    found = figures["keys"][str(KEYS)]
    assert found["tail_records"] > 0
    assert found["snapshot_bytes_per_key"] > 0
    assert found["rounds"][0]["start_s"] >= found["rounds"][0]["snapshot_load_s"] > 0
