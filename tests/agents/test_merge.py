"""The merge policy: order does not depend on how records arrive, and a restart misses nothing."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from merged_worlds import RANKS, ids, intake, logs, world
from records import LABELS, TRAFFIC, chunk, mark, payment

from assay.agents.merge import END_OF_TIME, WATERMARKS_WAITING_MAX, Merge, Slice, Watermark
from assay.agents.step import TopicPartition
from assay.codecs.single_object import unpack
from assay.contracts.reasons import Reason


def drain(merge: Merge, rows_max: int = 1_000) -> list[Slice]:
    slices = []
    while (taken := merge.take(rows_max)) is not None:
        slices.append(taken)
    return slices


def merged(written: dict[TopicPartition, list[bytes]], seed: int, rows_max: int) -> list[bytes | None]:
    """Feed the partitions in random pieces and random turns."""
    random = Random(seed)
    merge, taking, slices = Merge(RANKS, list(written), "event_time"), intake(), []
    at = dict.fromkeys(written, 0)
    while any(at[tp] < len(written[tp]) for tp in written):
        tp = random.choice([tp for tp in written if at[tp] < len(written[tp])])
        piece = chunk(tp[0], written[tp][at[tp] : at[tp] + random.randint(1, 9)], at[tp], tp[1])
        taken = taking.take(piece, merge.late_bound(tp))
        assert not taken.refused
        merge.add(tp, taken.rows, taken.watermarks)
        at[tp] += len(piece.offsets)
        slices += drain(merge, rows_max)
    assert merge.finished()
    return ids(slices)


@settings(max_examples=drawn(30), deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 40), st.integers(1, 50))
def test_the_order_is_the_same_for_any_partitions_marks_and_pieces(seed: int, partitions: int, every: int, rows_max: int) -> None:
    events = world(seed, 60)
    rows = [(ts, RANKS[handle], unpack(record)[1]) for ts, handle, record in events]
    expected = [last for *_, last in sorted((ts, rank, row["source_order"], row["event_id"].encode()) for ts, rank, row in rows)]
    assert merged(logs(events, partitions, every, seed), seed + 1, rows_max) == expected


def test_a_row_waits_until_every_other_input_has_passed_it() -> None:
    merge, taking = Merge(RANKS, [(LABELS, 0), (TRAFFIC, 0)], "event_time"), intake()
    taken = taking.take(chunk(TRAFFIC, [payment("a", 5), mark(TRAFFIC, 0, 100)]), merge.late_bound((TRAFFIC, 0)))
    merge.add((TRAFFIC, 0), taken.rows, taken.watermarks)
    assert drain(merge) == []
    taken = taking.take(chunk(LABELS, [mark(LABELS, 0, 5)]), merge.late_bound((LABELS, 0)))
    merge.add((LABELS, 0), None, taken.watermarks)
    assert drain(merge) == [], "a label at 5 may still come and goes before a payment at 5"
    taken = taking.take(chunk(LABELS, [mark(LABELS, 0, 6)], 1), merge.late_bound((LABELS, 0)))
    merge.add((LABELS, 0), None, taken.watermarks)
    assert ids(drain(merge)) == [b"a"]


def test_a_row_behind_its_mark_is_refused_and_one_before_it_in_the_log_is_not() -> None:
    values = [payment("early", 5), mark(TRAFFIC, 0, 10), payment("late", 9), payment("on-time", 10)]
    taken = intake().take(chunk(TRAFFIC, values), -1)
    assert [(r.offset, r.reason) for r in taken.refused] == [(2, Reason.LATE_BEYOND_WATERMARK)]
    assert taken.rows is not None and taken.rows.rows == 2


def test_a_mark_is_journaled_only_when_every_earlier_record_of_its_partition_is() -> None:
    merge, taking = Merge(RANKS, [(LABELS, 0), (TRAFFIC, 0)], "event_time"), intake()
    taken = taking.take(chunk(TRAFFIC, [payment("a", 5), payment("b", 50), mark(TRAFFIC, 0, 60)]), -1)
    merge.add((TRAFFIC, 0), taken.rows, taken.watermarks)
    merge.add((LABELS, 0), None, taking.take(chunk(LABELS, [mark(LABELS, 0, 20)]), -1).watermarks)
    first = drain(merge)
    assert ids(first) == [b"a"]
    assert (TRAFFIC, 0, 60) not in [m for s in first for m in s.watermarks], "b is not journaled, so the mark must be read again"
    merge.add((LABELS, 0), None, taking.take(chunk(LABELS, [mark(LABELS, 0, 0, final=True)], 1), -1).watermarks)
    second = drain(merge)
    assert ids(second) == [b"b"]
    assert (TRAFFIC, 0, 60) in [m for s in second for m in s.watermarks]


def test_marks_behind_rows_that_wait_make_no_journal_record_however_many_they_are() -> None:
    """They cannot be settled before the rows are, so a record of them would hold nothing, and another would follow at once."""
    merge, taking = Merge(RANKS, [(LABELS, 0), (TRAFFIC, 0)], "event_time"), intake()
    values = [payment("a", 5), *(mark(TRAFFIC, 0, 6 + n) for n in range(WATERMARKS_WAITING_MAX + 1))]
    taken = taking.take(chunk(TRAFFIC, values), -1)
    merge.add((TRAFFIC, 0), taken.rows, taken.watermarks)
    assert merge.take(100) is None


def test_many_marks_of_an_idle_topic_are_journaled_while_rows_of_another_wait() -> None:
    merge, taking = Merge(RANKS, [(LABELS, 0), (TRAFFIC, 0)], "event_time"), intake()
    taken = taking.take(chunk(TRAFFIC, [payment("a", 10**6)]), -1)
    merge.add((TRAFFIC, 0), taken.rows, taken.watermarks)
    idle = taking.take(chunk(LABELS, [mark(LABELS, 0, 6 + n) for n in range(WATERMARKS_WAITING_MAX)]), -1)
    merge.add((LABELS, 0), None, idle.watermarks)
    (only,) = drain(merge)
    assert only.rows is None
    assert only.watermarks == [(LABELS, 0, 5 + WATERMARKS_WAITING_MAX)]


def test_rows_that_tie_in_all_but_their_payload_fold_in_one_order() -> None:
    """Two payments under one event id in different partitions: which of them counts is not left to the fetch."""
    records = [payment("same", 5, amount) for amount in (100, 200, 300)]
    orders = set()
    for turn in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        merge, taking = Merge(RANKS, [(TRAFFIC, p) for p in range(3)], "event_time"), intake()
        for p in turn:
            taken = taking.take(chunk(TRAFFIC, [records[p], mark(TRAFFIC, p, 0, final=True)], 0, p), -1)
            merge.add((TRAFFIC, p), taken.rows, taken.watermarks)
        (only,) = drain(merge)
        assert only.rows is not None
        orders.add(tuple(np.asarray(only.rows.column("row.amount_minor")).tolist()))
    assert len(orders) == 1


def test_ranges_and_marks_of_all_slices_cover_every_offset_once() -> None:
    written = logs(world(3, 80), 2, 7, 5)
    merge, taking, slices = Merge(RANKS, list(written), "event_time"), intake(), []
    for tp, values in written.items():
        taken = taking.take(chunk(tp[0], values, 0, tp[1]), merge.late_bound(tp))
        merge.add(tp, taken.rows, taken.watermarks)
        slices += drain(merge, 11)
    covered = [(t, p, n) for s in slices for t, p, a, z in s.ranges for n in range(a, z + 1)]
    assert sorted(covered) == sorted((t, p, n) for (t, p), values in written.items() for n in range(len(values)))


def test_a_partition_far_ahead_is_not_wanted_but_the_one_others_wait_for_always_is() -> None:
    merge, taking = Merge(RANKS, [(LABELS, 0), (TRAFFIC, 0)], "event_time", hold_max=10), intake()
    values = [payment(f"p{i}", i) for i in range(20)] + [mark(TRAFFIC, 0, 20)]
    taken = taking.take(chunk(TRAFFIC, values), -1)
    merge.add((TRAFFIC, 0), taken.rows, taken.watermarks)
    assert (merge.wants((TRAFFIC, 0)), merge.wants((LABELS, 0))) == (False, True)


def test_arrival_folds_as_records_come() -> None:
    merge, taking = Merge(RANKS, [(TRAFFIC, 0)], "arrival"), intake()
    for first, name, ts in ((0, "b", 9), (1, "a", 3)):
        taken = taking.take(chunk(TRAFFIC, [payment(name, ts)], first), merge.late_bound((TRAFFIC, 0)))
        merge.add((TRAFFIC, 0), taken.rows, taken.watermarks)
    assert ids(drain(merge)) == [b"b", b"a"]


def test_what_was_known_of_watermarks_before_a_restore_is_forgotten() -> None:
    merge = Merge(RANKS, [(TRAFFIC, 0)], "event_time")
    assert not merge.finished()
    merge.restore({}, {(TRAFFIC, 0): END_OF_TIME})
    assert merge.finished()


def test_a_final_mark_is_the_end_of_time() -> None:
    taken = intake().take(chunk(TRAFFIC, [mark(TRAFFIC, 0, 0, final=True)]), -1)
    assert [m.ts_us for m in taken.watermarks] == [END_OF_TIME]
    assert np.iinfo(np.int64).max == END_OF_TIME


@pytest.mark.parametrize("rows_max", [1, 2, 100])
def test_rows_out_of_order_in_their_partition_fold_by_time_in_however_many_pieces(rows_max: int) -> None:
    """A watermark promises less than order: rows behind it may come in any order."""
    merge, taking = Merge(RANKS, [(TRAFFIC, 0), (TRAFFIC, 1)], "event_time"), intake()
    times = {0: [9, 3, 7, 3, 12], 1: [4, 8, 10]}
    for p, of in times.items():
        taken = taking.take(chunk(TRAFFIC, [*(payment(f"{p}-{n}", ts) for n, ts in enumerate(of)), mark(TRAFFIC, p, 8 + p)], 0, p), -1)
        merge.add((TRAFFIC, p), taken.rows, taken.watermarks)
    assert ids(drain(merge, rows_max)) == [b"0-1", b"0-3", b"1-0", b"0-2"], "the lower watermark is 8"
    for p, of in times.items():
        merge.add((TRAFFIC, p), None, [Watermark(len(of) + 1, END_OF_TIME)])
    last = drain(merge, rows_max)
    assert ids(last) == [b"1-1", b"0-0", b"1-2", b"0-4"]
    assert merge.finished()
    assert {(t, p, a) for s in last for t, p, a, _ in s.ranges} >= {(TRAFFIC, 0, 0), (TRAFFIC, 0, 4), (TRAFFIC, 1, 1)}
