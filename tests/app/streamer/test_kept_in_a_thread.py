"""A checkpoint that takes long to write holds nothing else up, and checkpoints keep their order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event

import pytest
from sent_sequences import payments_of
from small_runs import config_of
from small_worlds import small_world
from taking_gate import TakingGate, promises_kept

from assay.app.streamer.checkpoint import Checkpoint, Cursor
from assay.app.streamer.world_streamer import StreamOptions, WorldStreamer

LONG_S = 60.0
#: payments of the small world
PAYMENTS = 4
ONE_BY_ONE = StreamOptions(batch_rows=1, in_flight=1, batches_per_mark=1)


class SlowCheckpoint(Checkpoint):
    """A checkpoint whose writes wait until somebody lets them go on: all of them, or that of the end only."""

    def held(self, *, last: bool = False) -> SlowCheckpoint:
        """Itself, with what its writer and its test tell each other."""
        self.begun, self.may_end, self.saved, self.last = Event(), Event(), list[Cursor](), last
        return self

    def save(self, cursor: Cursor) -> None:
        """Write, once it may."""
        if cursor.complete or not self.last:
            self.begun.set()
            assert self.may_end.wait(LONG_S), "nothing else ran meanwhile"
        super().save(cursor)
        self.saved.append(cursor)


async def until_begun(keeper: SlowCheckpoint) -> None:
    async with asyncio.timeout(LONG_S):
        while not keeper.begun.is_set():
            await asyncio.sleep(0)


def test_other_work_goes_on_while_a_checkpoint_is_written(tmp_path: Path) -> None:
    world, gate = small_world(tmp_path), TakingGate()
    keeper = SlowCheckpoint(world.store, config_of(world.manifest).scenario_run_id, "scope").held()

    async def run() -> bool:
        streaming = asyncio.ensure_future(WorldStreamer(payments_of(world), gate, keeper, ONE_BY_ONE, asyncio.Event()).run())
        await until_begun(keeper)  # this task runs while the write waits
        keeper.may_end.set()
        return (await streaming).complete

    assert asyncio.run(run())
    promises_kept(gate, PAYMENTS)
    positions = [cursor.position for cursor in keeper.saved]
    assert positions == sorted(positions)
    assert [cursor.complete for cursor in keeper.saved] == [False] * (len(positions) - 1) + [True]


def test_whoever_is_cancelled_while_a_checkpoint_is_written_waits_for_it(tmp_path: Path) -> None:
    world, gate = small_world(tmp_path), TakingGate()
    keeper = SlowCheckpoint(world.store, config_of(world.manifest).scenario_run_id, "scope").held(last=True)

    async def run() -> None:
        streaming = asyncio.ensure_future(WorldStreamer(payments_of(world), gate, keeper, ONE_BY_ONE, asyncio.Event()).run())
        await until_begun(keeper)
        streaming.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        assert (streaming.done(), keeper.saved[-1].complete) == (False, False), "the write has not ended"
        keeper.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await streaming

    asyncio.run(run())
    assert keeper.load(PAYMENTS) == keeper.saved[-1]
    assert keeper.saved[-1].complete
