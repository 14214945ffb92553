"""A lane whose journal was made anew, or cut short, stops by that name before anything of it gets out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping

import pytest
from driven_lanes import JOURNAL, WALL_US, LogJournal, LogOutputs, drive, lanes_of, world
from simulated_worlds import published

from assay.agents.step import TopicPartition
from assay.app.lane.driver import LaneDriver
from assay.app.run.failpoints import Failpoints
from assay.app.simulation.lanes import KeyedEffector
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

TRAFFIC = ("FP_BUS_TRAFFIC_FRAUD_V1", 0)


class MadeAnew(LogJournal):
    """Answers from the third append on as a topic does that was deleted and created meanwhile."""

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        offset = await (await super().append(value, wall_ms))
        acknowledged: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(offset if self.appended < 3 else offset - 2)
        return acknowledged


def test_an_acknowledged_offset_that_goes_back_stops_the_lane_before_it_emits_what_it_journaled_there() -> None:
    log = published(world(), 1)
    outputs = LogOutputs(log)
    with pytest.raises(Stop, match="acknowledged offset 0 where 2 was to come") as stopped:
        drive("rtdl", log, KeyedEffector(), MadeAnew(log, JOURNAL), outputs)
    assert stopped.value.reason is Reason.JOURNAL_RECREATED
    assert outputs.published <= 1, "only what the old journal holds may be out"


def test_a_lane_does_not_claim_a_journal_that_is_behind_what_the_group_has_committed() -> None:
    log = published(world(), 1)
    outputs = LogOutputs(log)

    async def committed() -> Mapping[TopicPartition, int]:
        return {TRAFFIC: 1}

    lane = lanes_of(KeyedEffector())["rtdl"]
    journal = LogJournal(log, JOURNAL)
    driver = LaneDriver(lane.make(), journal, outputs, lambda: WALL_US, Failpoints(), committed=committed)
    with pytest.raises(Stop, match=r"FRAUD_V1\[0\] is committed up to 1, the journal ends at 0") as stopped:
        asyncio.run(driver.recover())
    assert stopped.value.reason is Reason.JOURNAL_RECREATED
    assert (journal.appended, outputs.published) == (0, 0)
