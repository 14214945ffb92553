"""Failpoints wait once armed and are free otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from assay.app.run.failpoints import POINTS, Failpoints
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.testing import until


@pytest.mark.parametrize("times", [1, 3])
def test_an_armed_point_waits_at_its_turn_and_says_so(tmp_path: Path, times: int) -> None:
    marker = tmp_path / "waiting"

    async def scenario() -> None:
        failpoints = Failpoints(f"recovering:{times}", marker)
        for _ in range(times - 1):
            await failpoints.reach("recovering")
            await failpoints.reach("after_produce_before_commit")
        assert not marker.exists()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(failpoints.reach("recovering"), 0.05)

    asyncio.run(scenario())
    assert until(marker.read_text, 1) == "recovering"


def test_nothing_waits_when_none_is_armed() -> None:
    async def scenario() -> None:
        for point in POINTS:
            await Failpoints().reach(point)

    asyncio.run(scenario())


@pytest.mark.parametrize("armed", ["nowhere", "recovering:soon", "recovering"])
def test_what_cannot_be_armed_is_refused(armed: str, tmp_path: Path) -> None:
    with pytest.raises(Stop) as stopped:
        Failpoints(armed, None if armed == "recovering" else tmp_path / "waiting")
    assert stopped.value.reason is Reason.FAILPOINT_UNKNOWN


def test_reaching_a_point_nobody_declared_is_refused() -> None:
    with pytest.raises(Stop) as stopped:
        asyncio.run(Failpoints().reach("nowhere"))
    assert stopped.value.reason is Reason.FAILPOINT_UNKNOWN
