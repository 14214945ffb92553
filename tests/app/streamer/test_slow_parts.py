"""A part of a view that is slow to read holds up nobody: calls that are on their way are answered meanwhile."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from streamed_banks import ENGINE_RUN, EVENTS, PACK, PINS, RELEASE, facts_view, ready_for, rows_of, write_view
from taking_gate import TakingGate, promises_kept

from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.checkpoint import Checkpoint
from assay.app.streamer.engine_rows import EngineFramer
from assay.app.streamer.facts import facts_of
from assay.app.streamer.output_rows import OutputRows
from assay.app.streamer.view_port import ViewPort
from assay.app.streamer.views import view_of
from assay.app.streamer.world_streamer import Streamed, StreamOptions, WorldStreamer
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ROWS, PART_ROWS = 30_000, 25_000
#: a part is read while calls of the part before it are on their way
OPTIONS = StreamOptions(batch_rows=2_000, in_flight=2, batches_per_mark=100)
#: the first mark and two calls
CALLS_BEFORE = 3


class SlowStore(DirectoryStore):
    """A store that gives the second part of a view only when a call that was on its way has been answered."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked, self.answered = threading.Event(), threading.Event()

    def read(self, key: str) -> bytes:
        if key.endswith("part-000001.parquet"):
            self.asked.set()
            assert self.answered.wait(60), "no call was answered while the part was read"
        return super().read(key)


class AnsweringGate(TakingGate):
    """A gate whose third call and those after it are answered once the store was asked for the second part."""

    def __init__(self, store: SlowStore) -> None:
        super().__init__()
        self._store = store

    async def ingest(self, body: bytes) -> dict[str, Any]:
        answer = await super().ingest(body)
        if self.calls > CALLS_BEFORE:
            async with asyncio.timeout(50):
                while not self._store.asked.is_set():
                    await asyncio.sleep(0)
            self._store.answered.set()
        return answer


def sequence(store: DirectoryStore) -> OutputRows:
    locator = write_view(store, EVENTS, rows_of(EVENTS, ROWS), PART_ROWS)
    facts = facts_of(store, ready_for(store, facts_view([locator], str(store.root))), PINS)
    framer = EngineFramer(ENGINE_EVENTS[EVENTS], PINS, ENGINE_RUN, PACK, RELEASE)
    return OutputRows(ViewPort(store), view_of(ViewPort(store), facts, facts.sources[EVENTS]), framer, ("traffic_fraud",))


def streamed(rows: OutputRows, store: DirectoryStore, gate: TakingGate) -> Streamed:
    async def run() -> Streamed:
        return await WorldStreamer(rows, gate, Checkpoint(store, "slow", "scope"), OPTIONS, asyncio.Event()).run()

    return asyncio.run(run())


def test_a_call_on_its_way_is_answered_while_a_part_is_read(tmp_path: Path) -> None:
    store = SlowStore(tmp_path)
    gate = AnsweringGate(store)
    assert streamed(sequence(store), store, gate).complete
    assert store.asked.is_set()
    promises_kept(gate, ROWS)


def test_a_part_that_cannot_be_read_ends_the_stream_with_its_code(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    rows = sequence(store)
    (key,) = [key for key in store.keys("stream_view") if key.endswith("part-000001.parquet")]
    store.replace(key, b"something else")
    gate = TakingGate()
    with pytest.raises(Stop) as refused:
        streamed(rows, store, gate)
    assert refused.value.reason is Reason.DIGEST_MISMATCH
    assert gate.taken, "what was read before was sent"
    assert 0 < Checkpoint(store, "slow", "scope").load(ROWS).position <= len(gate.taken)
