"""Rates and lanes of `assay stream` are refused before a run is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from assay.app.cli import stream
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--lanes", "2", "--lane", "2"], Reason.STREAM_LANE_INVALID),
        (["--rate-plan", "missing.json"], Reason.RATE_PLAN_INVALID),
        (["--rate-plan", "plan.json"], Reason.RATE_PLAN_INVALID),
    ],
)
def test_a_lane_or_a_plan_that_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], reason: Reason
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").write_text("[]")
    with pytest.raises(Stop) as refused:
        stream.main(["--run", str(tmp_path), *options])
    assert refused.value.reason is reason


def test_a_rate_and_a_plan_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter):
        stream.main(["--run", str(tmp_path), "--eps", "5", "--rate-plan", str(tmp_path)])


def test_a_rate_is_that_of_the_run_and_none_is_no_limit() -> None:
    assert stream._rate(0, None, 1) == ()
    (step,) = stream._rate(900, None, 3)
    assert step.target_eps == 300
