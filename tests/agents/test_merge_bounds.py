"""How much the merge buffers: enough to go on, whatever the inputs look like, and no more than its bound."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from effort import drawn, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from merged_worlds import RANKS, ids, intake, logs, world
from records import CONTROL, INPUTS, LABELS, POSTURE, TRAFFIC, chunk, mark, payment

from assay.agents.merge import Merge, Slice, Watermark
from assay.agents.row_order import Ordering
from assay.agents.step import TopicPartition
from assay.codecs.block_rows import chosen
from assay.codecs.column_block import Block

LABELS_0, TRAFFIC_0, TRAFFIC_1 = (LABELS, 0), (TRAFFIC, 0), (TRAFFIC, 1)


def given_rows(merge: Merge, place: TopicPartition, values: list[bytes], first: int = 0) -> None:
    """Hand fetched records of one partition to a merge, as a lane does."""
    taken = intake().take(chunk(place[0], values, first, place[1]), merge.late_bound(place))
    merge.saw(place, first + len(values))
    merge.add(place, taken.rows, taken.watermarks)


def one_row() -> Block:
    """The block of a single payment."""
    taken = intake().take(chunk(TRAFFIC, [payment("a", 5)]), 0).rows
    assert taken is not None
    return taken


def fed_on_demand(written: dict[TopicPartition, list[bytes]], hold_max: int, seed: int) -> list[bytes | None]:
    """Ids in processing order, of a merge that is given nothing but what it wants.

    Fails when it wants nothing that is left and has no row to give: a worker would stand still for ever.
    """
    random, merge, slices = Random(seed), Merge(RANKS, list(written), "event_time", hold_max), list[Slice]()
    at = dict.fromkeys(written, 0)
    while not merge.finished():
        wanted = [place for place in written if at[place] < len(written[place]) and merge.wants(place)]
        if wanted:
            place = random.choice(wanted)
            values = written[place][at[place] : at[place] + random.randint(1, 4)]
            given_rows(merge, place, values, at[place])
            at[place] += len(values)
        taken = merge.take(5) if random.random() < 0.5 or not wanted else None
        assert taken is not None or wanted, "nothing is wanted and nothing is certain"
        slices += [taken] if taken is not None else []
    return ids(slices)


@settings(max_examples=drawn(25), deadline=None)
@given(seed=st.integers(0, 10**6), partitions=st.integers(1, 3), every=st.integers(1, 40), hold_max=st.integers(1, 12))
def test_a_merge_that_is_given_only_what_it_wants_goes_on_to_the_end(seed: int, partitions: int, every: int, hold_max: int) -> None:
    """Also when the partition that all others wait for has reached the bound: a lane would wait for it for ever."""
    written = logs(world(seed, 60), partitions, every, seed)
    everything = fed_on_demand(written, 10**6, seed)
    assert len(everything) == 60
    assert fed_on_demand(written, hold_max, seed + 1) == everything


def test_the_partition_that_others_wait_for_is_wanted_although_it_has_reached_the_bound() -> None:
    merge = Merge(RANKS, [LABELS_0, TRAFFIC_0, TRAFFIC_1], "event_time", hold_max=2)
    given_rows(merge, LABELS_0, [mark(LABELS, 0, 100)])
    given_rows(merge, TRAFFIC_1, [mark(TRAFFIC, 1, 100)])
    given_rows(merge, TRAFFIC_0, [payment(f"p{n}", n) for n in range(5)])
    assert merge.take(10) is None
    assert merge.wants(TRAFFIC_0), "its mark is the lowest, and nothing but more of it can raise that"
    given_rows(merge, TRAFFIC_0, [mark(TRAFFIC, 0, 100)], 5)
    taken = merge.take(10)
    assert taken is not None and taken.rows is not None and taken.rows.rows == 5


def test_it_is_not_wanted_while_rows_are_ready_to_be_taken() -> None:
    merge = Merge(RANKS, [LABELS_0, TRAFFIC_0], "event_time", hold_max=2)
    given_rows(merge, LABELS_0, [mark(LABELS, 0, 100)])
    given_rows(merge, TRAFFIC_0, [*(payment(f"p{n}", n) for n in range(4)), mark(TRAFFIC, 0, 50)])
    assert merge.take(1) is not None
    assert not merge.wants(TRAFFIC_0), "three rows are ready, and the bound is two"
    assert merge.take(2) is not None
    assert merge.wants(TRAFFIC_0)


@pytest.mark.parametrize(("ahead", "behind"), [(TRAFFIC, LABELS), (LABELS, TRAFFIC)])
@pytest.mark.parametrize("seed", seeds(3))
def test_a_topic_far_ahead_of_another_is_held_to_the_bound_and_the_order_is_the_same(ahead: str, behind: str, seed: int) -> None:
    """As when nobody delivers labels for a while, or when they are delivered before the payments."""
    written, hold_max = logs(world(seed, 400), 2, 10, seed), 20
    merge, at, slices = Merge(RANKS, list(written), "event_time", hold_max), dict.fromkeys(written, 0), list[Slice]()

    def give(handles: tuple[str, ...]) -> bool:
        """One record of each partition of these topics that is wanted; whether there was one."""
        wanted = [tp for tp in written if tp[0] in handles and at[tp] < len(written[tp]) and merge.wants(tp)]
        for tp in wanted:
            given_rows(merge, tp, [written[tp][at[tp]]], at[tp])
            at[tp] += 1
        return bool(wanted)

    while give((ahead,)):
        assert merge.take(5) is None or behind == TRAFFIC, "nothing is certain before the other topic has a mark"
    held = sum(written[tp][: at[tp]].__len__() for tp in written)
    assert held < 2 * (hold_max + 10), "rows to the bound of each partition, and the marks between them"
    assert merge.waits_for() == [behind]
    while not merge.finished():
        give((ahead, behind))
        if (taken := merge.take(5)) is not None:
            slices.append(taken)
    assert ids(slices) == fed_on_demand(written, 10**6, seed)
    assert merge.waits_for() == []


def test_a_lane_says_that_it_waits_only_while_a_row_is_held_back() -> None:
    merge = Merge(RANKS, [LABELS_0, TRAFFIC_0], "event_time")
    assert merge.waits_for() == [], "nothing is here that could wait"
    given_rows(merge, TRAFFIC_0, [payment("p", 5), mark(TRAFFIC, 0, 10)])
    assert merge.take(1) is None
    assert merge.waits_for() == [LABELS]
    given_rows(merge, LABELS_0, [mark(LABELS, 0, 10)])
    assert merge.take(1) is not None
    assert merge.waits_for() == []


def test_in_order_of_arrival_a_lane_waits_for_nothing() -> None:
    merge = Merge(RANKS, [LABELS_0, TRAFFIC_0], "arrival")
    given_rows(merge, TRAFFIC_0, [payment("p", 5)])
    assert merge.waits_for() == []


@pytest.mark.parametrize("policy", ["event_time", "arrival"])
def test_the_bound_of_a_lane_is_tens_of_thousands_of_rows(policy: Ordering) -> None:
    """Fewer would make small batches of large topics; many more would not fit into a worker's memory."""
    merge = Merge(RANKS, [LABELS_0, TRAFFIC_0], policy)
    for has_room, more in ((True, 10_000), (False, 90_000)):
        merge.add(TRAFFIC_0, chosen(one_row(), np.zeros(more, np.int64)), [Watermark(more, 1)])
        assert merge.wants(TRAFFIC_0) is has_room
    assert merge.wants(LABELS_0)


# -- bootstrap: under `arrival`, what control and posture held when the lane started is read first


def bootstrapping(policy: Ordering = "arrival") -> Merge:
    """A merge over one partition of each input, where control held two records and posture one."""
    merge = Merge(INPUTS, [(handle, 0) for handle in INPUTS], policy)
    merge.bootstrap({(CONTROL, 0): 2, (POSTURE, 0): 1, TRAFFIC_0: 7})
    return merge


def wanted(merge: Merge) -> set[str]:
    """Topics that the merge wants more of."""
    return {handle for handle in INPUTS if merge.wants((handle, 0))}


def test_control_and_posture_are_read_to_where_they_ended_before_anything_else_is_fetched() -> None:
    merge = bootstrapping()
    assert wanted(merge) == {CONTROL, POSTURE}
    merge.saw((POSTURE, 0), 1)
    assert wanted(merge) == {CONTROL}
    merge.saw((CONTROL, 0), 1)
    assert wanted(merge) == {CONTROL}, "one of two is read"
    merge.saw((CONTROL, 0), 2)
    assert wanted(merge) == set(INPUTS)


def test_in_event_time_marks_say_what_is_first_and_every_topic_is_wanted() -> None:
    assert wanted(bootstrapping("event_time")) == set(INPUTS)


def test_an_empty_control_topic_holds_nothing_up() -> None:
    merge = Merge(INPUTS, [(handle, 0) for handle in INPUTS], "arrival")
    merge.bootstrap(dict.fromkeys(((handle, 0) for handle in INPUTS), 0))
    assert wanted(merge) == set(INPUTS)


def test_a_lane_of_one_rank_reads_all_its_inputs_at_once() -> None:
    merge = Merge({TRAFFIC: 0, LABELS: 0}, [TRAFFIC_0, LABELS_0], "arrival")
    merge.bootstrap({TRAFFIC_0: 5, LABELS_0: 5})
    merge.saw(LABELS_0, 5)
    assert merge.wants(LABELS_0), "there is nothing that would have to come later"
