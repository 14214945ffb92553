"""What a lane does not let grow: rows it holds, bytes of a journal record, refusals in a row; and what its bootstrap waits for."""

from __future__ import annotations

import pytest
from records import CONTROL, INPUTS, LABELS, POSTURE, TRAFFIC, chunk, mark, payment
from simulated_worlds import config

from assay.agents.lane import LaneMachine
from assay.agents.row_order import Ordering
from assay.agents.topology import TOPOLOGY
from assay.app.bus.kafka_journal import JOURNAL_VALUE_BYTES_MAX
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.journal_record import JournalRecord

WALL_US = 1_800_000_000_000_000
#: the longest id that the gate admits, in the characters that take the most bytes
LONG = "😀" * 248


def lane(policy: Ordering) -> LaneMachine:
    """A lane of all inputs that has read nothing."""
    one = fold_machine_of(TOPOLOGY.lane("rtdl"), config().model_copy(update={"ordering": policy}), partition_counts(1))
    one.unemitted()
    return one


@pytest.mark.parametrize("policy", ["event_time", "arrival"])
def test_a_lane_wants_no_more_of_a_topic_of_which_it_holds_tens_of_thousands_of_rows(policy: Ordering) -> None:
    one = lane(policy)
    one.receive(chunk(TRAFFIC, [payment("a", 5)] * 100_000 + [mark(TRAFFIC, 0, 10)]))
    assert not one.wants((TRAFFIC, 0))
    assert one.wants((LABELS, 0))


@pytest.mark.parametrize(("policy", "first"), [("arrival", {CONTROL, POSTURE}), ("event_time", set(INPUTS))])
def test_a_lane_that_takes_records_as_they_arrive_reads_control_and_posture_first(policy: Ordering, first: set[str]) -> None:
    """Else payments would be decided in the fail-safe mode although a posture is there."""
    one = lane(policy)
    one.bootstrap({(CONTROL, 0): 1, (POSTURE, 0): 1, (TRAFFIC, 0): 9})
    assert {handle for handle in INPUTS if one.wants((handle, 0))} == first
    for handle in (CONTROL, POSTURE):
        one.receive(chunk(handle, [mark(handle, 0, 5)]))
    assert all(one.wants((handle, 0)) for handle in INPUTS)


def test_rows_and_refusals_together_fit_a_journal_record() -> None:
    """Ids as long as the gate admits, and refused records near the topic's limit, in the same fetch."""
    one = lane("arrival")
    long = [payment(f"{n:08d}" + LONG, 5, entities={"customer": f"{n:08d}" + LONG, "terminal": LONG}) for n in range(5_000)]
    one.receive(chunk(TRAFFIC, [*long, *[b"x" * 900_000] * 12]))
    sizes = []
    while (entry := one.next_entry(WALL_US)) is not None:
        sizes.append(len(entry.value))
    assert len(sizes) > 1
    assert max(sizes) <= JOURNAL_VALUE_BYTES_MAX


def test_a_journal_record_holds_thousands_of_rows_and_not_a_whole_fetch() -> None:
    """What a record holds is lost with it when the worker dies before its acknowledgement, and folded again at once."""
    one = lane("arrival")
    one.receive(chunk(TRAFFIC, [payment("a", 5)] * 30_000))
    rows = []
    while (entry := one.next_entry(WALL_US)) is not None:
        rows.append(JournalRecord.from_bytes(entry.value).rows)
    assert sum(rows) == 30_000
    assert 1_000 <= max(rows) <= 10_000


@pytest.mark.parametrize(("junk", "stops"), [(9_000, False), (20_000, True)])
def test_a_lane_stops_after_ten_thousand_refusals_in_a_row(junk: int, stops: bool) -> None:
    one = lane("arrival")
    one.receive(chunk(TRAFFIC, [b"junk"] * junk))
    assert one.wants((TRAFFIC, 0)) is not stops
