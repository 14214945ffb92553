"""Kernels of S2: counts first, then rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import Int, kernel
from assay.engine.entities.counts import drawn_count
from assay.engine.philox import two


@kernel
def draw_holdings(key: Any, first: Int, kinds: Any, segments: Any, bounds: Any, table: Any, owners: Any, types: Any, counts: Any) -> int:
    """Accounts of each party by type, types without an account left out. Returns the rows filled.

    `bounds`: the first account type of each party type. `table`: a law for each segment and account type.
    """
    width = bounds[len(bounds) - 1]
    filled = 0
    for row in range(len(kinds)):
        begin, end = bounds[kinds[row]], bounds[kinds[row] + 1]
        u0 = u1 = 0.0
        for account_type in range(begin, end):
            turn = account_type - begin
            if turn & 1 == 0:
                u0, u1 = two(key, first + row, turn >> 1)
            count = drawn_count(u1 if turn & 1 else u0, table, np.int64(segments[row]) * width + account_type)
            if count > 0:
                owners[filled], types[filled], counts[filled] = first + row + 1, account_type, count
                filled += 1
    return filled


@kernel
def expand_holdings(first_party: Int, owners: Any, types: Any, counts: Any, party: Any, account_types: Any) -> None:
    """The owner (its place in the part) and the type of each account."""
    row = 0
    for holding in range(len(owners)):
        for _ in range(counts[holding]):
            party[row], account_types[row] = owners[holding] - first_party, types[holding]
            row += 1
