"""Who lives together: neighbours by number, of one country and type."""

from __future__ import annotations

from typing import Any

from assay.codecs.kernel import Int, part
from assay.engine.philox import chosen, one

#: households are dealt in frames of so many neighbours, so that the household of a party is known without those of all before it
FRAME = 24


@part
def household(key: Any, party: Int, cell_start: Int, cell_end: Int, sizes: Any) -> Any:
    """First party and the party after the last of the household of `party`, in cell_start … cell_end. `sizes`: running sums of weights."""
    frame = (party - cell_start) // FRAME
    begin = cell_start + frame * FRAME
    frame_end = min(begin + FRAME, cell_end)
    end = begin
    while end <= party:
        begin = end
        end = min(begin + 1 + chosen(one(key, begin, 0), sizes, 0, len(sizes)), frame_end)
    return begin, end
