"""`assay bench lane` on a real broker: small, for the truth of what it says and not for its speed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.app.cli import main

SMALL = ["--events", "3000", "--warm", "2000", "--rounds", "1", "--uncounted", "0", "--slow-events", "60", "--slow-warm", "40"]


@pytest.mark.long
@pytest.mark.tier2
def test_every_contestant_is_checked_and_the_figures_are_written(tmp_path: Path) -> None:
    file = tmp_path / "lane.json"
    with pytest.raises(SystemExit) as ended:
        main(["bench", "lane", "--json", str(file), *SMALL])
    assert ended.value.code == 0
    figures = json.loads(file.read_text())
    checked = {one["contestant"]: one["checked"] for one in figures["rounds"]}
    assert checked["lane"]["decisions"] == checked["lane"]["byte_equal_to_journal"] == 5_000
    assert checked["lane"]["equal_in_memory"] is True
    assert checked["passthrough"] == {"records_equal": 5_000}
    assert checked["faust_plain"]["events_equal_to_the_lane"] == 100
    assert figures["machine"]["cores"] > 0
    assert set(figures["events_per_s"]) == set(checked)
