"""Seen ids: new, duplicate or mismatch; and what is forgotten depends on the folded rows alone."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import numpy as np
import pytest
from effort import drawn
from feature_worlds import LaneRow, assertion, fact, lane_columns, pay
from hypothesis import given, settings
from hypothesis import strategies as st
from states import read_back, written

from assay.codecs.columns import Strings, settled
from assay.codecs.table_state import TableState
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.dedupe import DUPLICATE, MISMATCH, NEW, SeenIds
from assay.tables.payment_keys import payment_keys
from assay.tables.row_kinds import LABEL, PAYMENT, POSTURE

ROWS = st.lists(
    st.builds(
        lambda kind, number, ts, payload, subject: LaneRow(
            kind, f"id-{number:03}" * 3, ts, payload=payload, subject=f"id-{subject:03}" * 3
        ),
        st.sampled_from([LABEL, PAYMENT, PAYMENT]),
        st.integers(0, 30),
        st.integers(-50, 200),
        st.integers(0, 1),
        st.integers(0, 30),
    ),
    max_size=120,
)


def by_dictionary(rows: list[LaneRow], horizon_us: int, max_rows: int, min_rows: int = 0) -> list[tuple[int, int]]:
    """(verdict, ordinal of the subject or -1) of each row, by an ordered dictionary."""
    held: OrderedDict[tuple[int, str], tuple[int, int, int]] = OrderedDict()
    latest, ordinal, answers = -(10**18), 0, []
    for row in rows:
        entry = held.get((row.kind, row.event_id))
        spoken = held.get((PAYMENT, str(row.subject))) if row.kind == LABEL else None
        if entry is not None:
            answers.append((DUPLICATE if entry[1] == row.payload else MISMATCH, -1))
            continue
        answers.append((NEW, spoken[0] if spoken else -1))
        latest = max(latest, row.ts_us)
        held[row.kind, row.event_id] = (ordinal, row.payload, latest)
        ordinal += 1
        while len(held) > min(min_rows, max_rows) and (next(iter(held.values()))[2] < latest - horizon_us or len(held) > max_rows):
            held.popitem(last=False)
    return answers


@settings(max_examples=drawn(200), deadline=None)
@given(ROWS, st.integers(0, 120), st.tuples(st.integers(1, 40), st.integers(0, 50)), st.lists(st.integers(1, 119), max_size=5))
def test_verdicts_equal_an_ordered_dictionary_for_any_cut(
    rows: list[LaneRow], horizon_us: int, limits: tuple[int, int], cuts: list[int]
) -> None:
    whole, parts = SeenIds(horizon_us, *limits), SeenIds(horizon_us, *limits)
    batch = whole.fold(lane_columns(rows, []))
    assert list(zip(batch.verdicts.tolist(), batch.subjects.tolist(), strict=True)) == by_dictionary(rows, horizon_us, *limits)
    edges = [0, *sorted(set(cuts)), max(len(rows), 120)]
    met = [parts.fold(lane_columns(rows[a:b], [], a)) for a, b in pairwise(edges)]
    for name in ("verdicts", "ordinals", "subjects"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in met]), getattr(batch, name))
    assert written(parts) == written(whole)
    assert set(batch.oldest.tolist()) <= {whole.state().header["base"]}
    assert batch.known == np.count_nonzero(batch.verdicts != NEW) == sum(part.known for part in met)


def test_the_same_id_is_a_duplicate_with_its_payload_and_a_mismatch_with_another() -> None:
    seen = SeenIds(1000, 10)
    again = [pay("p", 0), pay("p", 5), pay("p", 5)._replace(payload=9), pay("q", 6)]
    assert seen.fold(lane_columns(again, [])).verdicts.tolist() == [NEW, DUPLICATE, MISMATCH, NEW]


@pytest.mark.parametrize(("byte", "verdict"), [(0, MISMATCH), (7, MISMATCH), (8, MISMATCH), (15, MISMATCH), (16, DUPLICATE)])
def test_the_first_16_bytes_of_a_payload_hash_tell_payloads_apart(byte: int, verdict: int) -> None:
    columns = lane_columns([pay("p", 0), pay("q", 1), pay("q", 2)], [])
    payloads = np.array(columns["payload_hash"])
    payloads[2, byte] = 1
    columns["payload_hash"] = settled(payloads)
    assert SeenIds(1000, 10).fold(columns).verdicts.tolist() == [NEW, NEW, verdict]


@pytest.mark.parametrize("count", [64, 65, 85, 86, 300])
def test_a_batch_of_any_size_has_room(count: int) -> None:
    seen, columns = SeenIds(10**9, 10_000), lane_columns([pay(f"p{n}", n) for n in range(count)], [])
    assert [seen.fold(columns).verdicts.tolist() for _ in range(2)] == [[NEW] * count, [DUPLICATE] * count]


def test_payments_labels_and_facts_are_separate_name_spaces() -> None:
    rows = [pay("x", 0), assertion("x", 1, "x"), fact("x", 2)]
    batch = SeenIds(1000, 10).fold(lane_columns(rows, []))
    assert batch.verdicts.tolist() == [NEW, NEW, NEW]
    assert batch.subjects.tolist() == [-1, 0, -1]


def test_short_ids_of_different_kinds_are_never_taken_for_one_another() -> None:
    """Not even where the kinds differ by the same bits as the ids: label "b1" and fact "c1", fact "c1" and payment "d1"."""
    names = [f"{letter}{digit}" for letter in "abcdefghijklmnopqrstuvwxyz" for digit in range(10)]
    rows = [row for name in names for row in (assertion(name, 0, "p"), fact(name, 0), pay(name, 0))]
    assert SeenIds(10, 10_000).fold(lane_columns(rows, ())).verdicts.tolist() == [NEW] * len(rows)


def test_control_rows_and_rows_without_an_id_are_remembered_nowhere() -> None:
    seen = SeenIds(1000, 10)
    columns = lane_columns([pay("x", 0), LaneRow(POSTURE, "y", 0)], []) | {"event_id": Strings.of([None, "y"])}
    assert seen.fold(columns).verdicts.tolist() == [NEW, NEW]
    assert seen.count == 0


def test_a_mismatch_far_in_the_future_makes_nothing_be_forgotten() -> None:
    seen = SeenIds(1000, 10)
    seen.fold(lane_columns([pay("x", 0), pay("x", 10**12)._replace(payload=1)], []))
    assert seen.fold(lane_columns([pay("x", 0)], [])).verdicts.tolist() == [DUPLICATE]


def test_memory_per_id_is_bounded_and_forgotten_ids_give_theirs_back() -> None:
    seen = SeenIds(10**9, 5000)
    for start in range(0, 60_000, 3000):
        seen.fold(lane_columns([pay(f"event-{i}", i) for i in range(start, start + 3000)], []))
    assert seen.count == 5000
    assert seen.bytes_per_id < 100


def test_an_id_takes_40_bytes_and_two_words_of_index_where_both_are_just_large_enough() -> None:
    count = 2**14
    seen = SeenIds(10**9, 2 * count)
    for start in range(0, count, 1024):
        seen.fold(lane_columns([pay(f"event-{i}", i) for i in range(start, start + 1024)], []))
    assert seen.count == count
    assert seen.bytes_per_id == 40 + 2 * 8


def test_state_reads_back_equal_and_goes_on_equal() -> None:
    rows = [pay(f"p{i % 70}", i) for i in range(100)]
    seen = SeenIds(50, 60)
    seen.fold(lane_columns(rows, []))
    back = SeenIds.from_state(read_back(seen))
    assert written(back) == written(seen)
    more = lane_columns([pay(f"p{i}", 100) for i in range(70)], [])
    np.testing.assert_array_equal(back.fold(more).verdicts, seen.fold(more).verdicts)
    assert written(back) == written(seen)


def test_a_state_whose_ids_have_other_words_is_refused() -> None:
    """As those that were written when an id still kept where it was first met."""
    seen = SeenIds(50, 60)
    seen.fold(lane_columns([pay("p", 0)], []))
    state = read_back(seen)
    with pytest.raises(Stop) as refused:
        SeenIds.from_state(TableState(state.header, {"entries": np.pad(state.array("entries"), ((0, 0), (0, 2)))}))
    assert refused.value.reason is Reason.STATE_UNREADABLE


@pytest.mark.parametrize(("horizon_us", "max_rows"), [(-1, 10), (10, 0)])
def test_a_horizon_that_holds_nothing_is_refused(horizon_us: int, max_rows: int) -> None:
    with pytest.raises(Stop) as refused:
        SeenIds(horizon_us, max_rows)
    assert refused.value.reason is Reason.SETTING_INVALID


@settings(max_examples=drawn(60), deadline=None)
@given(ROWS, st.integers(0, 120), st.tuples(st.integers(1, 40), st.integers(0, 50)))
def test_a_payment_is_known_by_its_keys_as_long_as_a_label_finds_it(rows: list[LaneRow], horizon_us: int, limits: tuple[int, int]) -> None:
    seen = SeenIds(horizon_us, *limits)
    seen.fold(lane_columns(rows, []))
    names = [f"id-{number:03}" * 3 for number in range(31)]
    known = seen.knows(payment_keys(Strings.of(names)))
    twins = [(SeenIds.from_state(seen.state()), LaneRow(LABEL, "told", 0, subject=name)) for name in names]
    assert known.tolist() == [twin.fold(lane_columns([row], [])).subjects[0] >= 0 for twin, row in twins]
