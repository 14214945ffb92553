"""Kernels of S1."""

from __future__ import annotations

from typing import Any

from assay.codecs.kernel import Int, kernel
from assay.engine.philox import chosen, one


@kernel
def draw_segments(key: Any, first: Int, cell: Any, mixes: Any, ends: Any, words: Int, segments: Any) -> None:
    """The segment of each party by the mix of its cell. `ends`: running sums, `words` of them for each mix."""
    for row in range(len(segments)):
        start = mixes[cell[row]] * words
        segments[row] = chosen(one(key, first + row, 0), ends, start, start + words) - start
