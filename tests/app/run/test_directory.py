"""A run's own file is read back as it was written, or refused with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.app.bench.lane import bench_config
from assay.app.run.directory import RUN_LAYOUT, Run
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@pytest.mark.parametrize(
    "held", [b"", b"[]", b"\xff", b"[" * 5_000, b'{"layout": %d}' % RUN_LAYOUT, b'{"layout": %d, "config": 7}' % RUN_LAYOUT]
)
def test_a_run_file_that_cannot_be_read_is_refused_with_its_place(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "run.json").write_bytes(held)
    with pytest.raises(Stop, match="cannot be read") as refused:
        Run.load(tmp_path)
    assert (refused.value.reason, refused.value.where) == (Reason.RUN_MISSING, str(tmp_path / "run.json"))


def a_run(directory: Path) -> Run:
    """A run as it is begun."""
    return Run(directory=directory, config=bench_config(), bootstrap="127.0.0.1:1", dsn="")


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    made = a_run(tmp_path)
    made.save()
    assert Run.load(tmp_path) == made
    assert json.loads((tmp_path / "run.json").read_text())["layout"] == RUN_LAYOUT


@pytest.mark.parametrize(
    ("layout", "named"),
    [
        pytest.param(None, "layout 1", id="written before layouts had numbers"),
        pytest.param(RUN_LAYOUT - 1, f"layout {RUN_LAYOUT - 1}", id="the one before"),
        pytest.param(RUN_LAYOUT + 1, f"layout {RUN_LAYOUT + 1}", id="a newer one"),
        pytest.param(str(RUN_LAYOUT), f"layout {RUN_LAYOUT}", id="a text"),
    ],
)
def test_a_run_of_another_layout_is_refused_with_both_numbers(tmp_path: Path, layout: int | str | None, named: str) -> None:
    a_run(tmp_path).save()
    fields = json.loads((tmp_path / "run.json").read_text())
    del fields["layout"]
    (tmp_path / "run.json").write_text(json.dumps(fields if layout is None else {**fields, "layout": layout}))
    with pytest.raises(Stop) as refused:
        Run.load(tmp_path)
    assert (refused.value.reason, refused.value.where) == (Reason.LAYOUT_UNSUPPORTED, str(tmp_path / "run.json"))
    assert refused.value.what == f"the run has {named}, this version of assay reads layout {RUN_LAYOUT}"
    assert "start a new run" in refused.value.remedy
