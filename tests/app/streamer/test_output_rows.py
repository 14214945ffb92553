"""The rows of an output are one sequence: in any lanes, in any batches, from any position, each row once and in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from effort import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamed_banks import ENGINE_RUN, EVENTS, PACK, PINS, RELEASE, START_US, facts_view, ready_for, rows_of, write_view

from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.engine_rows import EngineFramer
from assay.app.streamer.facts import facts_of
from assay.app.streamer.lanes import Lane, lane_of
from assay.app.streamer.output_rows import OutputRows
from assay.app.streamer.pacing import END_OF_TIME
from assay.app.streamer.view_port import ViewPort
from assay.app.streamer.views import view_of
from assay.contracts import instants
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.errors import Stop
from assay.contracts.limits import BODY_BYTES_MAX
from assay.contracts.reasons import Reason

ROWS = rows_of(EVENTS, 23)


def sequence(store: DirectoryStore, lane: Lane = Lane(), rows: pl.DataFrame = ROWS) -> OutputRows:  # noqa: B008 - a value
    facts = facts_of(store, ready_for(store, facts_view([write_view(store, EVENTS, rows)], str(store.root))), PINS)
    port = ViewPort(store)
    framer = EngineFramer(ENGINE_EVENTS[EVENTS], PINS, ENGINE_RUN, PACK, RELEASE)
    return OutputRows(port, view_of(port, facts, facts.sources[EVENTS]), framer, ("traffic_fraud",), lane)


def taken(rows: OutputRows, batch: int, bytes_max: int = BODY_BYTES_MAX, position: int = 0) -> list[dict[str, Any]]:
    """All rows from a position on, in batches; each batch says where it ends and what follows."""
    found: list[dict[str, Any]] = []
    while (one := rows.take(position, batch, END_OF_TIME, bytes_max)) is not None:
        events = json.loads(one.body) if one.rows else []
        assert (len(events), len(one.body) <= bytes_max, one.rows <= batch) == (one.rows, True, True)
        assert one.next_us == rows.next_us(one.end)
        assert one.end > position
        found += events
        position = one.end
    assert position == rows.total
    return found


@settings(max_examples=drawn(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batch=st.integers(1, 9), lanes=st.integers(1, 4), bytes_max=st.sampled_from([1_300, 2_700, BODY_BYTES_MAX]), position=st.integers(0, 23)
)
def test_any_lanes_and_batches_have_each_row_once_and_in_order(
    tmp_path: Path, batch: int, lanes: int, bytes_max: int, position: int
) -> None:
    store = DirectoryStore(tmp_path)
    found = [taken(sequence(store, Lane(number, lanes)), batch, bytes_max, position) for number in range(lanes)]
    orders = [[event["source_order"] for event in one] for one in found]
    assert all(one == sorted(one) for one in orders)
    assert sorted(order for one in orders for order in one) == list(range(position + 1, 24))
    whole = taken(sequence(store), 100)
    assert {event["event_id"] for one in found for event in one} == {event["event_id"] for event in whole[position:]}


def test_rows_are_taken_up_to_a_time_and_not_beyond_it(tmp_path: Path) -> None:
    rows = sequence(DirectoryStore(tmp_path))
    times = ROWS["ts_utc"].cast(pl.Int64).to_list()
    assert times[0] == START_US
    for until_us in {START_US - 1, *times, times[4] - 1}:
        due = sum(ts_us <= until_us for ts_us in times[:5])
        batch = rows.take(0, 100, until_us, BODY_BYTES_MAX)
        assert (0 if batch is None else batch.end) == due
    assert rows.end_us == times[-1] + 1
    assert [rows.next_us(at) for at in range(24)] == [*times, None]
    assert [instants.parse(event["ts_utc"]) for event in taken(rows, 4)] == times


def test_a_lane_is_the_first_eight_bytes_of_the_id_modulo_the_lanes() -> None:
    event_id = "00000000000000ff" + "0" * 48
    assert [number for number in range(4) if lane_of(number, 4).has(event_id)] == [255 % 4]
    assert lane_of(0, 1).has(event_id)


@pytest.mark.parametrize(("number", "lanes"), [(-1, 2), (2, 2), (0, 0), (5, 1)])
def test_a_lane_that_is_not_one_of_them_is_refused(number: int, lanes: int) -> None:
    with pytest.raises(Stop) as refused:
        lane_of(number, lanes)
    assert refused.value.reason is Reason.STREAM_LANE_INVALID


def test_a_part_that_is_not_the_published_one_is_refused_and_so_is_one_that_is_gone(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    rows = sequence(store)
    part = next(key for key in store.keys("stream_view") if key.endswith("part-000001.parquet"))
    store.replace(part, store.read(part.replace("000001", "000000")))
    batch = rows.take(0, 3, END_OF_TIME, BODY_BYTES_MAX)
    assert batch is not None
    with pytest.raises(Stop) as refused:
        rows.next_us(5)
    assert (refused.value.reason, refused.value.where) == (Reason.DIGEST_MISMATCH, part)
    store.remove(part)
    with pytest.raises(Stop) as refused:
        rows.next_us(5)
    assert refused.value.reason is Reason.OBJECT_MISSING


@pytest.mark.parametrize("swapped", [(3, 4), (4, 5)], ids=["inside a part", "between two parts"])
def test_rows_out_of_order_are_refused(tmp_path: Path, swapped: tuple[int, int]) -> None:
    order = list(range(23))
    order[swapped[0]], order[swapped[1]] = order[swapped[1]], order[swapped[0]]
    times = [START_US + at * 1_000 for at in order]
    rows = sequence(DirectoryStore(tmp_path), rows=ROWS.with_columns(ts_utc=pl.Series(times).cast(pl.Datetime("us", "UTC"))))
    with pytest.raises(Stop) as refused:
        taken(rows, 2)
    assert refused.value.reason is Reason.STREAM_VIEW_UNSORTED
