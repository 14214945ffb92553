"""`assay journal` before it reaches a broker: which lanes have a journal topic."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from assay.agents.step import LaneId
from assay.app.cli.journal import main, verified_line
from assay.app.journal.survey import Epoch, Survey
from assay.app.journal.verify import Verified
from assay.app.snapshots.manifest import SnapshotManifest


@pytest.mark.parametrize(
    ("lane", "told"),
    [
        pytest.param("audit", "no lane 'audit/0' with a journal topic", id="its journal is no topic"),
        pytest.param("nobody", "no lane 'nobody/0' with a journal topic", id="no such lane"),
        pytest.param("rtdl/1", "those with one: rtdl/0, act/0", id="no such shard"),
        pytest.param("rtdl/x", "'rtdl/x' is not LANE or LANE/SHARD", id="no shard"),
    ],
)
def test_a_lane_without_a_journal_topic_is_refused(tmp_path: Path, lane: str, told: str) -> None:
    with pytest.raises(typer.BadParameter, match=told):
        main(["show", "--run", str(tmp_path), "--lane", lane])


@pytest.mark.parametrize(
    ("snapshots", "told"),
    [
        (0, "there is no snapshot to compare yet"),
        (1, "its snapshot is what they fold to"),
        (3, "each of 3 snapshots is what they fold to"),
    ],
)
def test_a_journal_without_snapshots_does_not_read_like_an_error(snapshots: int, told: str) -> None:
    survey = Survey(LaneId("rtdl", 0), b"\0" * 32, epochs=[Epoch(1, "CLAIM", 0, 0, records=1_234)])
    manifest = SnapshotManifest(
        lane="rtdl", shard=0, epoch=1, sequence=5, journal_topic="t", journal_partition=0, next_offset=6, offsets=(), code_digest="",
        run_config_digest="", parts=(),
    )  # fmt: skip
    assert verified_line(Verified(survey, (manifest,) * snapshots, ())) == f"journal verified: 1,234 records in 1 epoch; {told}"
