"""Rows are sorted as polars sorts them in memory, whatever the parts, the memory and the workers; and within the memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from loose_parts import NOWHERE, parts_of, plainly_sorted, sorted_parts

from assay.app.pack.interface import Interface
from assay.app.pack.sealed_pack import SealedPack
from assay.app.stores.objects import DirectoryStore
from assay.app.stream_view.buckets import Buckets
from assay.app.stream_view.ordering import in_order, stable_order
from assay.app.stream_view.plan import extent_of, plan_of
from assay.app.stream_view.sorting import Room, RowSorter, pool_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

TIME = pl.Datetime("us", "UTC")
WIDE = st.integers(-(2**63), 2**63 - 1)


def rows_of(keys: list[int], seconds: list[int] | None = None) -> pl.DataFrame:
    """Rows with columns of every kind; `row` names each."""
    n = len(keys)
    numbers = [None if row % 5 == 0 else row / 3 for row in range(n)]
    words = [("odd", "even", None)[row % 3] for row in range(n)]
    return pl.DataFrame(
        {
            "row": range(n),
            "ts_utc": pl.Series(keys, dtype=pl.Int64).cast(TIME),
            "seq": pl.Series(seconds or [0] * n, dtype=pl.Int64),
            "number": pl.Series(numbers, dtype=pl.Float64),
            "word": pl.Series(words, dtype=pl.Enum(["even", "odd"])),
            "text": pl.Series([f"text {row % 7}" if row % 4 else None for row in range(n)], dtype=pl.String),
            "flag": pl.Series([row % 2 == 0 for row in range(n)], dtype=pl.Boolean),
        }
    )


def cut(rows: pl.DataFrame, at: list[int]) -> list[pl.DataFrame]:
    """The rows in parts that begin at these places; some may be empty."""
    ends = [0, *sorted(place % (len(rows) + 1) for place in at), len(rows)]
    return [rows[begin:end] for begin, end in zip(ends, ends[1:], strict=False)]


@settings(max_examples=drawn(60), deadline=None)
@given(
    keys=st.lists(st.one_of(st.integers(-5, 5), WIDE), min_size=1, max_size=80),
    at=st.lists(st.integers(0, 100), max_size=4),
    memory=st.sampled_from([1, 500, 5_000, 50_000, 2**30]),
    part_rows=st.sampled_from([1, 7, 1_000]),
    workers=st.integers(1, 3),
)
def test_any_cut_into_parts_and_any_memory_give_the_bytes_of_a_plain_sort(
    keys: list[int], at: list[int], memory: int, part_rows: int, workers: int
) -> None:
    frames = cut(rows_of(keys), at)
    with tempfile.TemporaryDirectory() as room:
        found, done, sorted_rows = sorted_parts(Path(room), frames, ["ts_utc"], memory, part_rows, workers)
    assert found == plainly_sorted(frames, ["ts_utc"], part_rows)
    assert done.raw == sorted_rows
    assert (done.raw.rows, done.raw.low_us, done.raw.high_us) == (len(keys), min(keys), max(keys))


@settings(max_examples=drawn(40), deadline=None)
@given(
    pairs=st.lists(st.tuples(st.one_of(st.integers(0, 3), WIDE), st.one_of(st.integers(0, 2), WIDE)), min_size=1, max_size=60),
    at=st.lists(st.integers(0, 100), max_size=3),
    memory=st.sampled_from([1, 5_000, 2**30]),
)
def test_a_second_key_decides_between_equal_first_keys(pairs: list[tuple[int, int]], at: list[int], memory: int) -> None:
    frames = cut(rows_of([first for first, _ in pairs], [second for _, second in pairs]), at)
    with tempfile.TemporaryDirectory() as room:
        found, _, _ = sorted_parts(Path(room), frames, ["ts_utc", "seq"], memory, 10)
    assert found == plainly_sorted(frames, ["ts_utc", "seq"], 10)


SMALL = st.integers(0, 2)


@given(keys=st.one_of(st.lists(st.tuples(SMALL)), st.lists(st.tuples(st.one_of(SMALL, WIDE), SMALL), max_size=300)))
@settings(deadline=None)
def test_the_order_is_that_of_python(keys: list[tuple[int, ...]]) -> None:
    columns = [np.array([key[place] for key in keys], np.int64) for place in range(len(keys[0]) if keys else 1)]
    order = stable_order(columns)
    assert in_order(columns) == (keys == sorted(keys)) == (order is None)
    if order is not None:
        assert order.tolist() == sorted(range(len(keys)), key=keys.__getitem__)


@given(
    parts=st.lists(st.lists(st.integers(-100, 100), max_size=30), min_size=1, max_size=6),
    bucket_rows=st.integers(1, 40),
)
@settings(deadline=None)
def test_a_bucket_is_complete_when_no_later_part_reaches_into_it(parts: list[list[int]], bucket_rows: int) -> None:
    keys = [np.array(part, np.int64) for part in parts]
    plan = plan_of([extent_of(part) for part in keys], bucket_rows)
    for number in range(len(parts)):
        later = [int(bucket) for part in keys[number + 1 :] for bucket in plan.bucket_of(part)]
        assert plan.complete_after(number) == min(later) if later else plan.complete_after(number) >= plan.buckets - 1
    assert plan.complete_after(len(parts) - 1) == plan.buckets
    for part in keys:
        assert (np.diff(plan.bucket_of(np.sort(part)).astype(np.int64)) >= 0).all()


def test_parts_that_follow_one_another_need_no_file_and_mixed_ones_do(tmp_path: Path) -> None:
    following = [rows_of(list(range(begin, begin + 2_000))) for begin in range(0, 40_000, 2_000)]
    mixed = [rows_of([key * 7_919 % 40_000 for key in range(begin, begin + 2_000)]) for begin in range(0, 40_000, 2_000)]
    memory = int(following[0].estimated_size()) * 8
    _, done, _ = sorted_parts(tmp_path / "following", following, ["ts_utc"], memory, 10_000)
    assert done.spilled_bytes == 0
    _, done, _ = sorted_parts(tmp_path / "mixed", mixed, ["ts_utc"], memory, 10_000)
    assert done.spilled_bytes > 0
    assert list((tmp_path / "mixed" / "spill").iterdir()) == []


def test_rows_that_wait_stay_within_their_budget_and_come_back_in_their_order(tmp_path: Path) -> None:
    rows = rows_of(list(range(300)))
    budget = int(rows.estimated_size()) // 3
    with Buckets(3, budget, tmp_path) as buckets:
        for row in range(300):
            buckets.add(row % 3, rows[row : row + 1])
            assert buckets.held <= budget
        for bucket in range(3):
            assert pl.concat(buckets.take(bucket)).equals(rows[bucket::3])
            assert buckets.take(bucket) == []
        assert buckets.held == 0 and buckets.spilled_bytes > 0


def refused(root: Path, frame: pl.DataFrame, rows: int | None = None) -> Stop:
    """How a part of these rows is refused, if its gate lists so many."""
    store = DirectoryStore(root)
    part = parts_of(store, [frame])[0]
    parts = [part if rows is None else part.__class__(part.path, rows, part.sha256)]
    room, pack = Room(2**20, root), SealedPack(store, NOWHERE, Interface({}, {}))
    with pool_of(room) as pool, pytest.raises(Stop) as found:
        RowSorter(pack, parts, frame.columns, ["ts_utc", "seq"], room, pool).sort(lambda _: None, lambda _: None)
    assert found.value.where == part.path
    return found.value


@pytest.mark.parametrize(
    ("named", "change"),
    [
        ("no column ts_utc", lambda rows: rows.drop("ts_utc")),
        ("column ts_utc is of type String", lambda rows: rows.with_columns(ts_utc=pl.col("text"))),
        ("2 nulls", lambda rows: rows.with_columns(seq=pl.when(pl.col("row") > 1).then(pl.col("seq")))),
    ],
)
def test_rows_without_their_key_are_refused(tmp_path: Path, named: str, change: object) -> None:
    assert callable(change)
    found = refused(tmp_path, change(rows_of([3, 2, 1])))
    assert found.reason is Reason.MISSING_SORT_KEY and named in found.what


def test_a_part_with_another_number_of_rows_than_its_gate_lists_is_refused(tmp_path: Path) -> None:
    found = refused(tmp_path, rows_of([3, 2, 1]), rows=4)
    assert found.reason is Reason.MANIFEST_MISMATCH and "3 rows" in found.what
