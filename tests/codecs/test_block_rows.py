"""Blocks of rows that are chosen, joined and cut are the blocks of the same columns, to the last byte."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.block_rows import Rows, chosen, joined
from assay.codecs.column_block import Block
from assay.codecs.columns import Columns, Ragged, Strings, concat, cut, take
from assay.codecs.columns_bytes import block_in, block_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

Row: TypeAlias = tuple[int, int, bytes | None, bytes | None, bytes]
TEXTS = st.none() | st.binary(max_size=3) | st.binary(min_size=7, max_size=40)
ROWS = st.lists(
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-128, 127), TEXTS, TEXTS, st.binary(min_size=5, max_size=5)), max_size=9
)


def columns_of(rows: list[Row]) -> Columns:
    """Columns of every width, texts between them."""
    return {
        "row.id": Strings.of([row[2] for row in rows]),
        "row.flag": np.array([row[1] > 0 for row in rows], np.bool_),
        "row.hash": np.array([list(row[4]) for row in rows], np.uint8).reshape(-1, 5),
        "row.number": np.array([row[0] for row in rows], np.int64),
        "row.other": Strings.of([row[3] for row in rows]),
        "row.pair": np.array([[row[1]] * 2 for row in rows], np.float64).reshape(-1, 2),
        "row.part": np.array([row[1] for row in rows], np.int32),
        "row.small": np.array([row[1] for row in rows], np.int8),
        "row.topic": np.array([row[1] for row in rows], np.int16),
    }


def same(found: Block, columns: Columns) -> None:
    """The block has the bytes of the columns, and its own view of them is that of a reader of the bytes."""
    assert found == block_of(columns)
    read = block_in(found.whole)
    assert found.rows == read.rows
    for name, column in read.columns().items():
        mine = found.column(name)
        assert not (mine.starts if isinstance(mine, Strings) else np.asarray(mine)).flags.writeable
        if isinstance(mine, Strings) and isinstance(column, Strings):
            assert mine.starts.tolist() == column.starts.tolist()
        assert isinstance(mine, Ragged) or mine.tolist() == column.tolist()  # type: ignore[union-attr]


@settings(deadline=None)
@given(ROWS, st.data())
def test_chosen_rows_are_those_of_the_columns(rows: list[Row], data: st.DataObject) -> None:
    index = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=12) if rows else st.just([])), np.int64)
    columns = columns_of(rows)
    same(chosen(block_of(columns), index), take(columns, index))


@settings(deadline=None)
@given(st.lists(st.tuples(ROWS, st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=4))
def test_joined_rows_stand_one_after_another(
    parts: list[tuple[list[Row], int, int]],
) -> None:
    columns = [columns_of(rows) for rows, _, _ in parts]
    edges = [sorted((min(a, len(rows)), min(b, len(rows)))) for rows, a, b in parts]
    found = joined([Rows(block_of(each), first, stop) for each, (first, stop) in zip(columns, edges, strict=True)])
    same(found, concat([cut(each, first, stop) for each, (first, stop) in zip(columns, edges, strict=True)]))


def test_all_rows_of_one_block_are_that_block() -> None:
    block = block_of({"row.n": np.arange(3)})
    assert joined([Rows.of(block)]) is block
    assert joined([Rows(block, 0, 2)]) == block_of({"row.n": np.arange(2)})
    assert joined([Rows(block, 1, 3)]) == block_of({"row.n": np.arange(1, 3)})


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), max_size=8), st.integers(0, 30), st.integers(0, 8))
def test_as_many_rows_fit_as_have_their_texts_in_the_room(lengths: list[tuple[int, int]], room: int, at: int) -> None:
    texts = [[None if size < 0 else b"x" * size for size in column] for column in zip(*lengths, strict=True)] or [[], []]
    rows = Rows.of(block_of({"a": Strings.of(texts[0]), "b": np.arange(len(lengths)), "c": Strings.of(texts[1])}))
    first = min(at, len(lengths))
    sizes = [max(a, 0) + max(b, 0) for a, b in lengths[first:]]
    count = max(n for n in range(len(sizes) + 1) if sum(sizes[:n]) <= room)
    assert rows.cut(first)[1].fitting(room) == (count, sum(sizes[:count]))


def test_columns_of_a_prefix_come_by_the_rest_of_their_names() -> None:
    block = block_of({"row.b": np.arange(2), "refused.a": np.arange(3), "row.a": np.arange(4)})
    assert {name: len(np.asarray(column)) for name, column in block.within("row.").items()} == {"a": 4, "b": 2}
    assert list(block.columns()) == ["refused.a", "row.a", "row.b"]
    assert block.within("other.") == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"n": np.arange(2)}, {"m": np.arange(2)}, id="other names"),
        pytest.param({"n": np.arange(2)}, {"n": np.arange(2, dtype=np.int32)}, id="other types"),
        pytest.param({"n": np.zeros((2, 3))}, {"n": np.zeros((2, 4))}, id="other widths"),
        pytest.param(*[{"n": Ragged(np.array([0, 1]), {"k": np.arange(1)})}] * 2, id="lists"),
    ],
)
def test_rows_of_other_columns_are_not_joined(one: Columns, other: Columns) -> None:
    with pytest.raises(Stop, match="cannot be joined") as refused:
        joined([Rows.of(block_of(one)), Rows.of(block_of(other))])
    assert refused.value.reason is Reason.COLUMNS_MISMATCH
