"""Outputs stream side by side: context is taken before the traffic of its time, and whatever ends goes on with nothing lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from marked_gate import EndedError, MarkedGate
from streamed_banks import ANCHORS, ENTITIES, EVENTS, START_US, rows_of
from streamed_outputs import ROWS, SMALL, TOTAL, Bank, all_taken, context_was_ahead

from assay.app.streamer.lanes import Lane
from assay.app.streamer.outputs import Plan
from assay.app.streamer.rate_plan import RateStep
from assay.app.streamer.world_streamer import Streamed
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_everything_arrives_and_context_is_ahead_of_its_traffic(tmp_path: Path, sequential: bool, seed: int) -> None:
    gate = MarkedGate(seed)
    streamed = Bank(tmp_path).stream(gate, Plan(SMALL, sequential=sequential))
    assert (streamed.position, streamed.total, streamed.complete, streamed.counts["ADMIT"]) == (TOTAL, TOTAL, True, TOTAL)
    all_taken(gate)
    context_was_ahead(gate)
    names = [name for name, _ in gate.order]
    assert (sorted(names, key=lambda name: name == EVENTS) == names) == sequential, "context first, or all of them side by side"


@pytest.mark.parametrize("seed", range(10))
def test_a_streamer_that_is_killed_anywhere_goes_on_and_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    bank, gate, random = Bank(tmp_path), MarkedGate(seed), Random(seed)
    for _ in range(3):
        gate.ends_at = gate.calls + random.randrange(1, 30)
        try:
            bank.stream(gate)
        except EndedError:
            continue
    gate.ends_at = -1
    assert bank.stream(gate).complete
    all_taken(gate)
    calls = gate.calls
    assert bank.stream(gate).complete
    assert gate.calls == calls, "a complete run sends nothing again"


async def _lane(bank: Bank, gate: MarkedGate, lane: Lane, random: Random) -> None:
    """A lane that is killed now and then, and begins again until it is done."""
    while True:
        calls = CallsOf(gate, random.randrange(1, 25))
        try:
            if (await bank.streamer(calls, Plan(SMALL, lane=lane), asyncio.Event()).run()).complete:
                return
        except EndedError:
            continue


class CallsOf:
    """The gate as one process calls it, which is killed at one of its calls."""

    def __init__(self, gate: MarkedGate, ends_at: int) -> None:
        self._gate, self._left = gate, ends_at

    async def ingest(self, body: bytes) -> dict[str, Any]:
        """Take a batch."""
        self._called()
        return await self._gate.ingest(body)

    async def mark(self, ts_us: int, classes: Sequence[str], *, final: bool) -> None:
        """Take a mark."""
        self._called()
        await self._gate.mark(ts_us, classes, final=final)

    def _called(self) -> None:
        self._left -= 1
        if not self._left:
            raise EndedError


@pytest.mark.parametrize("lanes", [2, 3])
def test_lanes_that_are_killed_send_each_event_and_mark_what_all_of_them_have_sent(tmp_path: Path, lanes: int) -> None:
    bank, gate, random = Bank(tmp_path), MarkedGate(lanes), Random(lanes)

    async def run() -> None:
        await asyncio.gather(*(_lane(bank, gate, Lane(number, lanes), random) for number in range(lanes)))

    asyncio.run(run())
    all_taken(gate)
    context_was_ahead(gate)


def test_traffic_of_a_lane_waits_for_the_context_of_the_others(tmp_path: Path) -> None:
    """Lane 0 alone sends its context, and no event of traffic: lane 1 has not begun."""
    bank, gate, stop = Bank(tmp_path), MarkedGate(), asyncio.Event()

    async def run() -> Streamed:
        task = asyncio.ensure_future(bank.streamer(gate, Plan(SMALL, lane=Lane(0, 2)), stop).run())
        async with asyncio.timeout(60):
            while any(bank.keeper(name, Lane(0, 2)).load(99).position < ROWS[name] for name in (ANCHORS, ENTITIES)):
                await asyncio.sleep(0)
        assert EVENTS not in gate.taken
        stop.set()
        return await task

    assert not asyncio.run(run()).complete


def test_lanes_at_once_send_each_event_once(tmp_path: Path) -> None:
    bank, gate = Bank(tmp_path), MarkedGate(5)

    async def run() -> list[Streamed]:
        plans = [Plan(SMALL, lane=Lane(number, 3)) for number in range(3)]
        return await asyncio.gather(*(bank.streamer(gate, plan, asyncio.Event()).run() for plan in plans))

    assert all(one.complete for one in asyncio.run(run()))
    all_taken(gate)
    context_was_ahead(gate)
    assert len(gate.order) == TOTAL, "no event was sent by two lanes"


def test_an_output_that_fails_stops_the_others_and_the_run_goes_on_later(tmp_path: Path) -> None:
    bank, gate = Bank(tmp_path), MarkedGate()
    gate.fails_at = 6
    with pytest.raises(Retry) as failed:
        bank.stream(gate)
    assert failed.value.reason is Reason.GATE_RETRY_EXHAUSTED
    assert sum(map(len, gate.taken.values())) < TOTAL
    assert bank.stream(gate).complete
    all_taken(gate)


def test_an_event_that_the_gate_sets_aside_ends_the_stream_and_the_refusal_names_its_row(tmp_path: Path) -> None:
    bank, gate = Bank(tmp_path), MarkedGate()
    third = json.loads(bank.streams(Lane())[1].sequence.take(2, 1, 2**63 - 1, 10_000).body)[0]  # type: ignore[union-attr]
    gate.refuses = third["event_id"]
    with pytest.raises(Stop) as refused:
        bank.stream(gate)
    assert refused.value.reason is Reason.GATE_REJECTED
    assert f"row 3 of {ANCHORS}, event {gate.refuses}: SCHEMA_FAIL: too dear" in refused.value.what
    with pytest.raises(Stop):
        bank.stream(gate)
    assert bank.stream(gate, Plan(SMALL._replace(let_gate_refuse=True))).complete
    assert sum(map(len, gate.taken.values())) == TOTAL - 1


def test_outputs_are_paced_by_one_clock_and_a_stop_ends_all_of_them(tmp_path: Path) -> None:
    """Twice as fast as the world: after a second of the clock, two seconds of rows are there, of every output."""
    bank, gate, stop, now_us = Bank(tmp_path), MarkedGate(), asyncio.Event(), [5_000_000]

    def counts() -> dict[str, int]:
        return {name: len(found) for name, found in gate.taken.items()}

    async def until(expected: dict[str, int]) -> None:
        async with asyncio.timeout(60):
            while counts() != expected:
                await asyncio.sleep(0)

    async def run() -> Streamed:
        plan = Plan(SMALL._replace(speedup=2.0))
        task = asyncio.ensure_future(bank.streamer(gate, plan, stop, wall_us=lambda: now_us[0]).run())
        await until(dict.fromkeys(ROWS, 1))  # the first rows are due at once
        now_us[0] += 1_000_000
        await until({name: int((rows_of(name, rows)["ts_utc"].cast(int) <= START_US + 2_000_000).sum()) for name, rows in ROWS.items()})
        stop.set()
        return await task

    assert not asyncio.run(run()).complete
    assert bank.stream(gate).complete
    all_taken(gate)


def test_a_rate_holds_all_outputs_together(tmp_path: Path) -> None:
    bank, gate, now_us = Bank(tmp_path), MarkedGate(), [0]
    taken: list[int] = []

    def tick() -> int:
        now_us[0] += 1_000
        taken.append(sum(map(len, gate.taken.values())))
        return now_us[0]

    async def run() -> Streamed:
        plan = Plan(SMALL, rate=[RateStep(target_eps=100, burst_seconds=0.02)])
        return await bank.streamer(gate, plan, asyncio.Event(), wall_us=tick).run()

    assert asyncio.run(run()).complete
    assert all(count <= 100 * (at + 1) / 1_000 + 2 for at, count in enumerate(taken))
