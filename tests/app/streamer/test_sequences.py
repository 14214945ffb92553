"""Laws of every sequence that is sent: it can be read from any position in any portions, and says the time of what follows."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from effort import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sent_sequences import DAY_US, labels_of, payments_of, read
from small_worlds import ROWS, small_world

from assay.app.oracle.sealed_world import SealedWorld
from assay.app.streamer.pacing import END_OF_TIME
from assay.app.streamer.sequence import EventSequence
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.limits import BODY_BYTES_MAX

Make = Callable[[SealedWorld], EventSequence]
SEQUENCES: dict[str, tuple[Make, int]] = {
    "payments": (payments_of, 4),
    "labels of one time each": (partial(labels_of, delay_us=1), 3),
    "labels after a week": (labels_of, 3),
}
of_each = pytest.mark.parametrize(("make", "total"), SEQUENCES.values(), ids=list(SEQUENCES))


def _take(sequence: EventSequence, position: int, rows_max: int = 100, until_us: int = END_OF_TIME, bytes_max: int = BODY_BYTES_MAX) -> Any:
    return sequence.take(position, rows_max, until_us, bytes_max)


@of_each
@settings(max_examples=drawn(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part_rows=st.integers(1, 5), portions=st.lists(st.integers(1, 4), min_size=1, max_size=8), start=st.integers(0, 4))
def test_any_portions_from_any_position_give_the_same_sequence(
    tmp_path_factory: pytest.TempPathFactory, make: Make, total: int, part_rows: int, portions: list[int], start: int
) -> None:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.app.oracle.importer.PART_ROWS", part_rows)
        world = small_world(folder)
    whole = read(make(world))
    assert len(whole) == total == make(world).total
    sequence, position = make(world), min(start, total)
    got: list[dict[str, Any]] = []
    while True:
        next_us = sequence.next_us(position)
        batch = _take(sequence, position, portions[len(got) % len(portions)])
        if batch is None:
            assert next_us is None
            break
        assert batch.next_us == sequence.next_us(batch.end)
        assert batch.rows == batch.end - position
        got += json.loads(batch.body)
        assert next_us == instants.parse(got[-batch.rows]["ts_utc"])
        position = batch.end
    assert got == whole[min(start, total) :]


@of_each
@settings(max_examples=drawn(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(widths=st.lists(st.integers(0, 900), min_size=4, max_size=4), rows_max=st.integers(1, 8), spare=st.integers(0, 2_000))
def test_a_body_is_never_over_its_limit_and_no_row_is_lost(
    tmp_path: Path, make: Make, total: int, widths: list[int], rows_max: int, spare: int
) -> None:
    sequence = make(small_world(tmp_path, {**ROWS, "channel": ["ü" * width for width in widths]}))
    bytes_max = max(len(_take(sequence, position, 1).body) for position in range(total)) + spare
    position, got = 0, []
    while (batch := _take(sequence, position, rows_max, bytes_max=bytes_max)) is not None:
        assert len(batch.body) <= bytes_max
        assert batch.rows == batch.end - position == len(json.loads(batch.body))
        assert batch.next_us == sequence.next_us(batch.end)
        got += json.loads(batch.body)
        position = batch.end
    assert got == read(sequence)


@of_each
def test_a_body_of_just_the_limit_is_whole_and_one_byte_less_cuts_the_last_row(tmp_path: Path, make: Make, total: int) -> None:
    sequence = make(small_world(tmp_path))
    whole = _take(sequence, 0)
    just, less = (_take(sequence, 0, bytes_max=len(whole.body) - spare) for spare in (0, 1))
    assert just == whole
    assert (whole.rows, less.rows) == (total, total - 1)


@of_each
def test_a_row_that_no_call_can_hold_is_refused_by_name(tmp_path: Path, make: Make, total: int) -> None:
    sequence = make(small_world(tmp_path))
    first = read(sequence)[0]
    with pytest.raises(Stop, match=f"BODY_OVER_LIMIT: the {first['event_type']} {first['event_id']} of {first['ts_utc']}"):
        _take(sequence, 0, bytes_max=100)


@of_each
def test_nothing_later_than_asked_for_is_taken(tmp_path: Path, make: Make, total: int) -> None:
    sequence = make(small_world(tmp_path))
    times = [instants.parse(event["ts_utc"]) for event in read(sequence)]
    assert _take(sequence, 0, until_us=times[0] - 1) is None
    assert _take(sequence, 0, until_us=times[0]).rows == times.count(times[0])
    assert _take(sequence, 0, until_us=times[-1]).rows == total


@of_each
def test_the_end_is_after_every_row(tmp_path: Path, make: Make, total: int) -> None:
    sequence = make(small_world(tmp_path))
    assert sequence.next_us(total) is None
    assert sequence.end_us > max(instants.parse(event["ts_utc"]) for event in read(sequence))


def test_the_sequences_of_a_world_mark_every_class_once(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    assert [*payments_of(world).classes, *labels_of(world, DAY_US).classes] == ["traffic", "context", "label"]
