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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--eps", "5", "--rate-plan", "plan.json"], "--eps or --rate-plan"),
        (["--max-events", "5", "--lanes", "2"], "without --lanes"),
        (["--start-at", "tomorrow"], "--start-at: 'tomorrow' is not an instant"),
        (["--start-at", "2026-01-01T00:00:00"], "--start-at"),
        (["--log-level", "loud"], "debug, info, warn, error"),
    ],
)
def test_options_that_do_not_go_together_or_say_nothing_are_refused(tmp_path: Path, options: list[str], said: str) -> None:
    with pytest.raises(typer.BadParameter, match=said):
        stream.main(["--run", str(tmp_path), *options])


def test_a_pack_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stop) as refused:
        stream.main(["--run", str(tmp_path), "--require-pack", "none"])
    assert refused.value.reason is Reason.PACK_UNKNOWN


def test_an_instant_may_have_any_offset_and_none_is_at_once() -> None:
    assert stream._instant("") == 0
    assert stream._instant("1970-01-01T01:00:01+01:00") == 1_000_000


def test_a_rate_is_that_of_the_run_and_none_is_no_limit() -> None:
    assert stream._rate(0, None, 1) == ()
    (step,) = stream._rate(900, None, 3)
    assert step.target_eps == 300
