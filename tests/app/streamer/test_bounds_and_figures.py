"""A stream can be bounded, begin later, and be watched: what it sends and the order of it stay the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from marked_gate import MarkedGate
from streamed_banks import ANCHORS, ENTITIES, EVENTS
from streamed_outputs import ROWS, SMALL, TOTAL, Bank, all_taken, context_was_ahead

from assay.app.metrics import STREAMER
from assay.app.streamer.event_kinds import KINDS
from assay.app.streamer.outputs import Plan
from assay.app.streamer.rate_plan import RateStep
from assay.app.streamer.sending import until
from assay.app.streamer.watch import Watching
from assay.app.telemetry import Line, Telemetry
from assay.contracts.errors import Stop

RUN = "5" * 32


@pytest.mark.parametrize(("bound", "sequential"), [(5, False), (5, True), (13, False)])
def test_a_bounded_process_sends_so_many_of_each_output_and_the_next_ones_the_rest(tmp_path: Path, bound: int, sequential: bool) -> None:
    """Traffic that waits for context which this process does not send ends there, too."""
    bank, gate = Bank(tmp_path), MarkedGate(bound)
    plan = Plan(SMALL._replace(max_events=bound), sequential=sequential)
    for number in range(1, TOTAL + 1):
        streamed = bank.stream(gate, plan)
        assert all(len(gate.taken.get(name, ())) <= number * bound for name in ROWS)
        assert all(len(gate.taken[name]) == min(ROWS[name], number * bound) for name in (ANCHORS, ENTITIES))
        assert (streamed.complete, streamed.bounded) in {(True, False), (False, True)}
        if streamed.complete:
            break
    assert streamed.complete
    all_taken(gate)
    context_was_ahead(gate)
    assert len(gate.order) == TOTAL, "nothing was sent twice"


def test_a_bounded_process_that_is_stopped_was_interrupted(tmp_path: Path) -> None:
    bank, stop = Bank(tmp_path), asyncio.Event()
    stop.set()

    async def run() -> tuple[bool, bool]:
        streamed = await bank.streamer(MarkedGate(), Plan(SMALL._replace(max_events=1)), stop).run()
        return streamed.complete, streamed.bounded

    assert asyncio.run(run()) == (False, False)


@pytest.mark.parametrize(("began_ago_us", "at_once"), [(0, 2), (60_000_000, TOTAL)])
def test_a_plan_of_rates_counts_from_the_instant_at_which_it_began(tmp_path: Path, began_ago_us: int, at_once: int) -> None:
    """Two events may go at once; a minute later there is no limit any more."""
    bank, gate, utc_us = Bank(tmp_path), MarkedGate(), 1_800_000_000_000_000
    steps = [RateStep(target_eps=0.001, burst_seconds=2_000, initial_tokens=2), RateStep(start_offset_seconds=60, target_eps=0)]
    plan = Plan(SMALL, rate=steps, start_us=utc_us - began_ago_us)
    stop = asyncio.Event()

    async def run() -> None:
        streamer = bank.streamer(gate, plan, stop, wall_us=lambda: 5_000_000, utc_us=lambda: utc_us)
        task = asyncio.ensure_future(streamer.run())
        async with asyncio.timeout(60):
            while len(gate.order) < at_once:
                await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        stop.set()
        await task

    asyncio.run(run())
    assert len(gate.order) == at_once


def test_nothing_begins_before_its_instant_and_a_stop_ends_the_wait() -> None:
    clock = iter([10, 10, 90, 100])
    asyncio.run(until(100, lambda: next(clock), asyncio.Event()))
    assert next(clock, None) is None, "the clock was looked at until it was there"

    async def stopped() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set)
        await until(10**18, lambda: 0, stop)

    asyncio.run(stopped())


def _figures() -> dict[str, float]:
    samples = [sample for family in STREAMER.collect() for sample in family.samples]
    return {f"{sample.name} {sample.labels.get('output', '')}".strip(): sample.value for sample in samples}


def test_what_is_on_its_way_is_counted_by_output(tmp_path: Path) -> None:
    bank, gate, before, lines = Bank(tmp_path), MarkedGate(), _figures(), list[Line]()
    telemetry = Telemetry([lines.append], KINDS)
    assert bank.stream(gate, Plan(SMALL, watch=Watching(telemetry, RUN, lambda: 1_767_225_600_500_000))).complete
    after = _figures()
    for name, rows in ROWS.items():
        for what in ("sent", "acknowledged"):
            series = f"assay_stream_events_{what}_total {name}"
            assert after[series] - before.get(series, 0) == rows
        assert (after[f"assay_stream_in_flight {name}"], after[f"assay_stream_lag_rows {name}"]) == (0, 0)
        assert after[f"assay_stream_checkpoint_timestamp_seconds {name}"] == 1_767_225_600.5
    assert telemetry.close(60) == 0
    told = [(line["event_kind"], line["details"]["output"]) for line in lines if line["severity"] == "INFO"]
    assert sorted(told) == sorted((kind, name) for kind in ("OUTPUT_STARTED", "OUTPUT_ENDED") for name in ROWS)


def test_refused_events_rows_that_are_left_and_repeated_calls_are_counted(tmp_path: Path) -> None:
    bank, gate, before = Bank(tmp_path), MarkedGate(), _figures()
    watch = Watching(Telemetry(()), RUN, lambda: 1)
    watch.retried("HTTP 503")
    (stream,) = [one for one in bank.streams(Plan().lane) if one.name == EVENTS]
    batch = stream.sequence.take(0, 1, 2**63 - 1, 10_000)
    assert batch is not None
    gate.refuses = batch.body.decode().partition('"event_id":"')[2][:64]
    with pytest.raises(Stop):
        bank.stream(gate, Plan(SMALL._replace(in_flight=1), watch=watch))
    after = _figures()
    refused = f"assay_stream_events_refused_total {EVENTS}"
    assert (after[refused] - before.get(refused, 0), after["assay_stream_retries_total"] - before["assay_stream_retries_total"]) == (1, 1)
    assert after[f"assay_stream_lag_rows {EVENTS}"] == ROWS[EVENTS]
