"""A small bank whose outputs are streamed side by side, and a gate that holds every promise against what comes later."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from marked_gate import MarkedGate
from streamed_banks import ANCHORS, ENGINE_RUN, ENTITIES, EVENTS, PACK, PINS, RELEASE, facts_view, ready_for, rows_of, write_view

from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.checkpoint import Checkpoint
from assay.app.streamer.engine_rows import EngineFramer
from assay.app.streamer.facts import facts_of
from assay.app.streamer.gate_port import Gate
from assay.app.streamer.lanes import Lane
from assay.app.streamer.output_rows import OutputRows
from assay.app.streamer.outputs import OutputsStreamer, OutputStream, Plan
from assay.app.streamer.view_port import ViewPort
from assay.app.streamer.views import view_of
from assay.app.streamer.world_streamer import Streamed, StreamOptions
from assay.contracts.engine_events import ENGINE_EVENTS

ROWS = {EVENTS: 24, ANCHORS: 12, ENTITIES: 15}
TOTAL = sum(ROWS.values())
SMALL = StreamOptions(batch_rows=2, in_flight=2, batches_per_mark=2)


class Bank:
    """Views of three outputs and the checkpoints of their streamers."""

    def __init__(self, folder: Path) -> None:
        self.store = DirectoryStore(folder)
        locators = [write_view(self.store, name, rows_of(name, rows)) for name, rows in ROWS.items()]
        self.facts = facts_of(self.store, ready_for(self.store, facts_view(locators, str(folder))), PINS)

    def streams(self, lane: Lane) -> list[OutputStream]:
        port, found = ViewPort(self.store), []
        for name in ROWS:
            framer = EngineFramer(ENGINE_EVENTS[name], PINS, ENGINE_RUN, PACK, RELEASE)
            view = view_of(port, self.facts, self.facts.sources[name])
            found.append(OutputStream(name, OutputRows(port, view, framer, (ENGINE_EVENTS[name].event_class,), lane), name != EVENTS))
        return found

    def keeper(self, name: str, lane: Lane) -> Checkpoint:
        return Checkpoint(self.store, f"{name}/{lane.number}", f"scope {lane}")

    def streamer(self, gate: Gate, plan: Plan, stop: asyncio.Event, **clock: Any) -> OutputsStreamer:
        return OutputsStreamer(self.streams(plan.lane), gate, self.keeper, plan, stop, **clock)

    def stream(self, gate: MarkedGate, plan: Plan = Plan(SMALL)) -> Streamed:  # noqa: B008 - a value
        async def run() -> Streamed:
            return await self.streamer(gate, plan, asyncio.Event()).run()

        return asyncio.run(run())


def all_taken(gate: MarkedGate) -> None:
    """Every row arrived, and every class has its final mark."""
    assert {name: len(found) for name, found in gate.taken.items()} == ROWS
    assert {name: final for name, (_, final) in gate.marks.items()} == {ENGINE_EVENTS[name].event_class: True for name in ROWS}


def context_was_ahead(gate: MarkedGate) -> None:
    """When an event was taken, all context of its time and before had been."""
    for at, (name, ts_us) in enumerate(gate.order):
        for context in (ANCHORS, ENTITIES) if name == EVENTS else ():
            taken = sum(one == context and when <= ts_us for one, when in gate.order[:at])
            assert taken >= sum(when <= ts_us for when in gate.taken[context].values())
