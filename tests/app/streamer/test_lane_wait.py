"""A lane that holds others back is named, once, and again when it goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from marked_gate import MarkedGate
from streamed_banks import EVENTS
from streamed_outputs import SMALL, Bank, all_taken, context_was_ahead

from assay.app.metrics import STREAMER
from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.checkpoint import Checkpoint, Cursor
from assay.app.streamer.event_kinds import KINDS
from assay.app.streamer.lane_wait import SILENT_US, LaneNews, LanesAwaited, LaneWait, OutputOfLane
from assay.app.streamer.lanes import REFRESH_US, Lane
from assay.app.streamer.outputs import OutputsStreamer, Plan
from assay.app.streamer.pacing import END_OF_TIME
from assay.app.streamer.watch import Watching
from assay.app.telemetry import Line, Telemetry

Look = tuple[int, dict[int, tuple[int, ...]]]


def waited(lane: int) -> LaneNews:
    return LaneNews(lane, waited=True)


def over(lane: int) -> LaneNews:
    return LaneNews(lane, waited=False)


@pytest.mark.parametrize(
    ("looks", "news"),
    [
        pytest.param([(0, {}), (SILENT_US, {})], {}, id="nobody is waited for"),
        pytest.param([(0, {1: (0,)}), (SILENT_US - 1, {1: (0,)})], {}, id="not long enough"),
        pytest.param([(0, {1: (0,)}), (SILENT_US, {1: (0,)})], {1: [waited(1)]}, id="long enough"),
        pytest.param([(0, {1: (0,)}), (SILENT_US, {1: (0,)}), (9 * SILENT_US, {1: (0,)})], {1: [waited(1)]}, id="once"),
        pytest.param([(0, {1: (0,)}), (SILENT_US, {1: (0,)}), (SILENT_US + 1, {1: (4,)})], {1: [waited(1)], 2: [over(1)]}, id="it moves"),
        pytest.param([(0, {1: (0,)}), (SILENT_US, {1: (0,)}), (SILENT_US + 1, {})], {1: [waited(1)], 2: [over(1)]}, id="it is behind us"),
        pytest.param([(0, {1: (0,)}), (SILENT_US - 1, {1: (4,)}), (SILENT_US, {1: (4,)})], {}, id="slow, and not still"),
        pytest.param([(0, {1: (0, 0)}), (SILENT_US - 1, {1: (0, 4)}), (SILENT_US, {1: (0, 4)})], {}, id="one of its outputs moves"),
        pytest.param([(0, {1: (0,)}), (1, {}), (2, {1: (0,)}), (SILENT_US + 1, {1: (0,)})], {}, id="waited for twice, never for long"),
        pytest.param(
            [(0, {2: (0,), 1: (3,)}), (SILENT_US, {2: (0,), 1: (3,)}), (SILENT_US + 1, {2: (0,), 1: (4,)})],
            {1: [waited(1), waited(2)], 2: [over(1)]},
            id="each by itself",
        ),
        pytest.param(
            [(0, {1: (0,)}), (SILENT_US, {1: (0,)}), (SILENT_US + 1, {1: (4,)}), (2 * SILENT_US + 1, {1: (4,)})],
            {1: [waited(1)], 2: [over(1)], 3: [waited(1)]},
            id="still again",
        ),
    ],
)
def test_what_is_said_of_lanes(looks: list[Look], news: dict[int, list[LaneNews]]) -> None:
    wait = LaneWait()
    assert {at: found for at, (now_us, standing) in enumerate(looks) if (found := wait.look(standing, now_us))} == news


@pytest.mark.parametrize(
    ("cursor", "row_us", "held"),
    [
        pytest.param(None, 10, True, id="never started, and its first row is of that time"),
        pytest.param(None, 9, False, id="never started, and its first row is later"),
        pytest.param(Cursor(2, next_us=20), 20, True, id="its next row is of that time"),
        pytest.param(Cursor(2, next_us=21), 20, False, id="its next row is later"),
        pytest.param(Cursor(5), 20, False, id="it has sent all"),
    ],
)
def test_a_lane_is_waited_for_while_it_has_context_of_the_row_or_before(
    tmp_path: Path, cursor: Cursor | None, row_us: int, held: bool
) -> None:
    keeper, news = Checkpoint(DirectoryStore(tmp_path), "context", "scope"), list[LaneNews]()
    if cursor is not None:
        keeper.save(cursor)
    clock = iter([0, SILENT_US, SILENT_US + 1])
    awaits = LanesAwaited({1: [OutputOfLane("context", keeper, 5, 10)]}, lambda: next(clock), news.append)
    awaits("a", row_us)
    awaits("a", row_us)
    assert news == ([waited(1)] if held else [])
    awaits("a", None)
    assert news == ([waited(1), over(1)] if held else []), "no row waits any more"


def awaited(lane: int) -> float | None:
    """The figure of a lane."""
    return STREAMER.get_sample_value("assay_stream_lane_awaited", {"lane": str(lane)})


def test_a_lane_that_was_never_started_is_named_with_its_command_and_again_when_it_goes_on(tmp_path: Path) -> None:
    bank, gate, said, lines = Bank(tmp_path), MarkedGate(), list[str](), list[Line]()
    telemetry = Telemetry([lines.append], KINDS)
    watch = Watching(telemetry, "5" * 32, lambda: 0, "assay stream --run R --lanes 2 --lane {}".format, said.append)
    clock_us = iter(range(0, 10**12, REFRESH_US))  # every look at the clock finds it later

    async def run() -> None:
        plan = Plan(SMALL, lane=Lane(0, 2), watch=watch)
        first = asyncio.ensure_future(bank.streamer(gate, plan, asyncio.Event(), wall_us=lambda: next(clock_us)).run())
        async with asyncio.timeout(60):
            while not said:
                await asyncio.sleep(0)
            assert (EVENTS in gate.taken, awaited(1)) == (False, 1)
            await bank.streamer(gate, Plan(SMALL, lane=Lane(1, 2)), asyncio.Event()).run()
            await first

    asyncio.run(run())
    assert said[:2] == [
        "lane 1 stands still, and this lane waits for its context: assay stream --run R --lanes 2 --lane 1",
        "lane 1 goes on",
    ]
    assert telemetry.close(60) == 0
    told = [(one["event_kind"], one["severity"], one["details"]["lane"]) for one in lines if one["event_kind"].startswith("LANE")]
    assert told[:2] == [("LANE_AWAITED", "WARN", 1), ("LANE_GOES_ON", "INFO", 1)]
    assert awaited(1) == 0
    all_taken(gate)
    context_was_ahead(gate)


@pytest.mark.parametrize(
    ("cursor", "mark_us", "held"),
    [
        pytest.param(None, 11, True, id="never started, and its first row is before the mark"),
        pytest.param(None, 10, False, id="never started, and its first row is of that time"),
        pytest.param(Cursor(2, next_us=20), 21, True, id="its next row is before the mark"),
        pytest.param(Cursor(5), END_OF_TIME, False, id="it has sent all"),
    ],
)
def test_a_lane_holds_marks_back_while_it_has_rows_before_them(tmp_path: Path, cursor: Cursor | None, mark_us: int, held: bool) -> None:
    keeper, news = Checkpoint(DirectoryStore(tmp_path), "traffic", "scope"), list[LaneNews]()
    if cursor is not None:
        keeper.save(cursor)
    clock = iter([0, SILENT_US, SILENT_US + 1])
    awaits = LanesAwaited({1: [OutputOfLane("traffic", keeper, 5, 10, context=False)]}, lambda: next(clock), news.append)
    awaits.marks("traffic", mark_us)
    awaits.marks("traffic", mark_us)
    assert news == ([LaneNews(1, waited=True, marks_only=True)] if held else [])
    awaits.marks("traffic", None)
    assert news[1:] == ([over(1)] if held else [])


def test_marks_of_one_output_wait_for_no_row_of_another(tmp_path: Path) -> None:
    keeper, news = Checkpoint(DirectoryStore(tmp_path), "other", "scope"), list[LaneNews]()
    clock = iter([0, SILENT_US])
    awaits = LanesAwaited({1: [OutputOfLane("other", keeper, 5, 10, context=False)]}, lambda: next(clock), news.append)
    awaits.marks("traffic", 20)
    awaits.marks("traffic", 20)
    assert news == []


def test_a_stopped_lane_that_holds_back_nothing_but_marks_is_named(tmp_path: Path) -> None:
    bank, gate, said = Bank(tmp_path), MarkedGate(), list[str]()
    watch = Watching(Telemetry([], KINDS), "5" * 32, lambda: 0, "assay stream --lane {}".format, said.append)
    clock_us, lane = iter(range(0, 10**12, SILENT_US)), Lane(0, 2)
    traffic = [stream for stream in bank.streams(lane) if not stream.context]
    plan = Plan(SMALL, lane=lane, watch=watch)
    streamer = OutputsStreamer(traffic, gate, bank.keeper, plan, asyncio.Event(), wall_us=lambda: next(clock_us))
    done = asyncio.run(streamer.run())
    assert done.complete, "no row waits for context"
    assert said == ["lane 1 stands still, and holds back the marks of this lane: assay stream --lane 1"]


def test_a_row_waits_for_context_of_other_lanes_and_not_for_their_traffic(tmp_path: Path) -> None:
    keeper, news = Checkpoint(DirectoryStore(tmp_path), "traffic", "scope"), list[LaneNews]()
    clock = iter([0, SILENT_US])
    awaits = LanesAwaited({1: [OutputOfLane("traffic", keeper, 5, 10, context=False)]}, lambda: next(clock), news.append)
    awaits("traffic", 20)
    awaits("traffic", 20)
    assert news == []
