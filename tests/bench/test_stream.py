"""The benchmark of the streamer: a round counts if the gate saw every row."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.app.bench import stream
from assay.app.demo.bank_run import outputs_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.traffic_modes import FRAUD


@pytest.mark.long
def test_every_row_of_a_bank_is_seen_and_timed() -> None:
    figures = stream.run(["--rounds", "1"])
    traffic, everything = figures["rounds"]
    assert 2 * traffic["events"] < everything["events"]
    assert figures["traffic"]["events_per_s"]["median"] == traffic["events_per_s"] > 0
    assert figures["all"]["cpu_us_per_event"]["median"] == everything["cpu_us_per_event"] > 0


def test_a_streamer_that_cannot_read_its_bank_is_no_figure(tmp_path: Path) -> None:
    given = stream._arguments([])
    with pytest.raises(Stop) as refused:
        stream._round(tmp_path, outputs_of(FRAUD), given, tmp_path / "room")
    assert refused.value.reason is Reason.BENCH_INVALID
