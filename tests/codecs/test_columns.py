"""Columns are lists of rows: choosing, ordering and joining them is what lists do."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.columns import Column, Columns, Ragged, Strings, concat, rows, take
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

TEXTS = st.lists(st.none() | st.binary(max_size=40), max_size=12)


def lists(column: Column) -> list[Any]:
    """A column as Python values."""
    if isinstance(column, Strings):
        return column.tolist()
    if isinstance(column, Ragged):
        children = {name: lists(child) for name, child in column.children.items()}
        bounds = zip(column.offsets[:-1].tolist(), column.offsets[1:].tolist(), strict=True)
        return [{name: child[a:b] for name, child in children.items()} for a, b in bounds]
    return list(column.tolist())


def columns_of(texts: list[bytes | None]) -> Columns:
    """One column of each kind with as many rows as there are texts."""
    counts = np.array([len(text or b"") % 3 for text in texts], np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    items = Strings.of([str(i) for i in range(int(offsets[-1]))])
    numbers = np.arange(len(texts), dtype=np.int64)
    return {"s": Strings.of(texts), "r": Ragged(offsets, {"k": items}), "n": numbers, "f": np.stack([numbers, numbers], 1)}


@given(TEXTS, st.data())
@settings(deadline=None, max_examples=drawn(50))
def test_taking_rows_is_indexing(texts: list[bytes | None], data: st.DataObject) -> None:
    columns = columns_of(texts)
    index = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=9)) if texts else []
    taken = take(columns, np.array(index, np.int64))
    assert rows(taken) == len(index)
    for name, column in columns.items():
        assert lists(taken[name]) == [lists(column)[i] for i in index]


@given(TEXTS, TEXTS)
@settings(deadline=None, max_examples=drawn(50))
def test_joining_columns_is_adding_lists(first: list[bytes | None], second: list[bytes | None]) -> None:
    parts = [columns_of(first), columns_of(second)]
    joined = concat(parts)
    for name, column in joined.items():
        assert lists(column) == lists(parts[0][name]) + lists(parts[1][name])


@given(TEXTS, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=drawn(50))
def test_compact_keeps_rows_and_holds_only_their_bytes(texts: list[bytes | None], random: Any) -> None:
    order = list(range(len(texts)))
    random.shuffle(order)
    kept = np.array(order[: len(order) // 2 + 1], np.int64)
    packed = Strings.of(texts).take(kept).compact()
    assert packed.tolist() == [texts[i] for i in kept]
    assert len(packed.data) == sum(len(texts[i] or b"") for i in kept)
    assert packed.compact() is packed


def test_text_repeat_and_row_give_python_values() -> None:
    assert Strings.of(["é", None, ""]).text() == ["é", None, ""]
    assert Strings.repeat(b"ab", 3).tolist() == [b"ab"] * 3
    assert Strings.of(["x", None]).row(1) is None
    assert Strings.of(["x", None]).row(0) == b"x"
    assert rows({}) == 0


@pytest.mark.parametrize(("start", "length"), [(-1, 1), (3, 2), (2**40, 1)])
def test_a_row_outside_of_its_buffer_is_refused(start: int, length: int) -> None:
    strings = Strings(np.zeros(4, np.uint8), np.array([start]), np.array([length], np.int32))
    with pytest.raises(Stop) as refusal:
        strings.compact()
    assert refusal.value.reason is Reason.COLUMNS_MISMATCH


@given(st.lists(st.sampled_from(["A", "AB", "B", "ÄB", "A" * 60]), max_size=40), st.booleans())
def test_a_tally_is_the_count_of_each_text(texts: list[str], twice: bool) -> None:
    """Rows lie on the places of few texts; the same text may lie at two places."""
    known = ["A", "AB", "B", "ÄB", "A" * 60] * (1 + twice)
    places = [known.index(text) + (5 if twice and at % 2 else 0) for at, text in enumerate(texts)]
    assert Strings.of(known).take(np.array(places, np.int64)).tally() == Counter(texts)
