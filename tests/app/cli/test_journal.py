"""`assay journal` before it reaches a broker: which lanes have a journal topic."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from assay.app.cli.journal import main


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
