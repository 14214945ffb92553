"""A small bank whose outputs are streamed side by side, and a gate that holds every promise against what comes later."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

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
from assay.contracts import instants
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

ROWS = {EVENTS: 24, ANCHORS: 12, ENTITIES: 15}
TOTAL = sum(ROWS.values())
SMALL = StreamOptions(batch_rows=2, in_flight=2, batches_per_mark=2)


class EndedError(BaseException):
    """The process ends here."""


class TakingGate:
    """Takes events in the order of its answers, which come late and mixed; holds every promise of a mark against what comes later."""

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)
        self.calls, self.refuses = 0, ""
        self.ends_at = self.fails_at = -1
        self.taken: dict[str, dict[str, int]] = {}
        self.order: list[tuple[str, int]] = []
        self.marks: dict[str, tuple[int, bool]] = {}

    async def ingest(self, body: bytes) -> dict[str, Any]:
        """Take a batch, some time later."""
        self._called()
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        counts, results = {"ADMIT": 0, "DUPLICATE": 0}, []
        for event in json.loads(body):
            of_type, ts_us = self.taken.setdefault(event["event_type"], {}), instants.parse(event["ts_utc"])
            if event["event_id"] == self.refuses:
                counts["QUARANTINE"] = 1
                results.append({"event_id": self.refuses, "admission": "QUARANTINE", "reason_codes": ["SCHEMA_FAIL"], "detail": "too dear"})
                continue
            known = event["event_id"] in of_type
            counts["DUPLICATE" if known else "ADMIT"] += 1
            if not known:
                mark = self.marks.get(f"class of {event['event_type']}", (0, False))
                assert not mark[1] and ts_us >= mark[0], "behind a mark"
            of_type[event["event_id"]] = ts_us
            self.order.append((event["event_type"], ts_us))
        return {"counts": counts, "results": results}

    async def mark(self, ts_us: int, classes: Sequence[str], *, final: bool) -> None:
        """Take a mark; as the real gate does, refuse one that goes backwards."""
        self._called()
        for name in classes:
            before = self.marks.get(name, (0, False))
            if ts_us < before[0]:
                raise Stop(Reason.GATE_REJECTED, "the gate refused a call with HTTP 400: MARK_BACKWARDS")
            self.marks[name] = ts_us, final or before[1]

    def _called(self) -> None:
        self.calls += 1
        if self.calls == self.ends_at:
            raise EndedError
        if self.calls == self.fails_at:
            raise Retry(Reason.GATE_RETRY_EXHAUSTED, "away")


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
            found.append(OutputStream(name, OutputRows(port, view, framer, (f"class of {name}",), lane), name != EVENTS))
        return found

    def keeper(self, name: str, lane: Lane) -> Checkpoint:
        return Checkpoint(self.store, f"{name}/{lane.number}", f"scope {lane}")

    def streamer(self, gate: Gate, plan: Plan, stop: asyncio.Event, **clock: Any) -> OutputsStreamer:
        return OutputsStreamer(self.streams(plan.lane), gate, self.keeper, plan, stop, **clock)

    def stream(self, gate: TakingGate, plan: Plan = Plan(SMALL)) -> Streamed:  # noqa: B008 - a value
        async def run() -> Streamed:
            return await self.streamer(gate, plan, asyncio.Event()).run()

        return asyncio.run(run())


def all_taken(gate: TakingGate) -> None:
    """Every row arrived, and every class has its final mark."""
    assert {name: len(found) for name, found in gate.taken.items()} == ROWS
    assert {name: final for name, (_, final) in gate.marks.items()} == {f"class of {name}": True for name in ROWS}


def context_was_ahead(gate: TakingGate) -> None:
    """When an event was taken, all context of its time and before had been."""
    for at, (name, ts_us) in enumerate(gate.order):
        for context in (ANCHORS, ENTITIES) if name == EVENTS else ():
            taken = sum(one == context and when <= ts_us for one, when in gate.order[:at])
            assert taken >= sum(when <= ts_us for when in gate.taken[context].values())
