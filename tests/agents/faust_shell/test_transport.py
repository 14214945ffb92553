"""Fetched records as a chunk."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.agents.faust_shell.fetching import to_chunk


@given(st.lists(st.tuples(st.integers(1, 5), st.one_of(st.none(), st.binary(max_size=20))), min_size=1))
def test_a_chunk_holds_offsets_and_values_as_fetched(steps: list[tuple[int, bytes | None]]) -> None:
    offsets = np.cumsum([step for step, _ in steps]).tolist()
    records = [SimpleNamespace(offset=offset, value=value) for offset, (_, value) in zip(offsets, steps, strict=True)]
    chunk = to_chunk(("IN", 3), records)
    assert chunk.place == ("IN", 3)
    assert chunk.offsets.tolist() == offsets
    assert chunk.values.tolist() == [value for _, value in steps]
    assert [str(part.dtype) for part in (chunk.offsets, chunk.values.starts, chunk.values.lengths)] == ["int64", "int64", "int32"]
