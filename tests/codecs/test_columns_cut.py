"""Rows cut out, joined and put together again are the rows that were there."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.columns import Columns, Ragged, Strings, concat, cut, rows

TEXTS = st.lists(st.none() | st.binary(max_size=12), max_size=20)


def _columns(texts: list[bytes | None]) -> Columns:
    n = len(texts)
    offsets = np.cumsum([0, *(i % 3 for i in range(n))]).astype(np.int64)
    items = Strings.of([b"%d" % i for i in range(int(offsets[-1]))])
    return {"text": Strings.of(texts), "number": np.arange(n), "list": Ragged(offsets, {"item": items})}


def _plain(columns: Columns) -> list[object]:
    text, lists = columns["text"], columns["list"]
    assert isinstance(text, Strings)
    assert isinstance(lists, Ragged)
    items = lists.children["item"].tolist()
    ends = lists.offsets.tolist()
    return [text.tolist(), np.asarray(columns["number"]).tolist(), [items[a:b] for a, b in zip(ends, ends[1:], strict=False)]]


@settings(deadline=None)
@given(TEXTS, st.integers(0, 20), st.integers(0, 20))
def test_parts_put_together_are_the_whole(texts: list[bytes | None], first: int, second: int) -> None:
    whole = _columns(texts)
    a, b = sorted((min(first, len(texts)), min(second, len(texts))))
    parts = [cut(whole, 0, a), cut(whole, a, b), cut(whole, b, len(texts))]
    assert [rows(part) for part in parts] == [a, b - a, len(texts) - b]
    assert _plain(concat(parts)) == _plain(whole)
