"""Kernels of S3: counts first, then rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import Int, kernel
from assay.engine.philox import chosen, two


@kernel
def draw_instruments(
    key: Any,
    first: Int,
    counts: Any,
    account_types: Any,
    regions: Any,
    type_ends: Any,
    types: Int,
    scheme_ends: Any,
    schemes: Int,
    account: Any,
    instrument_type: Any,
    scheme: Any,
) -> None:
    """Type and scheme of each instrument, and the place of its account.

    `type_ends`: choices of the first and of a further instrument of each account type. `scheme_ends`: for each region and type.
    """
    made = 0
    for row in range(len(counts)):
        for turn in range(counts[row]):
            u_type, u_scheme = two(key, first + row, turn + 1)
            choice = (2 * np.int64(account_types[row]) + (1 if turn > 0 else 0)) * types
            kind = chosen(u_type, type_ends, choice, choice + types) - choice
            rails = (np.int64(regions[row]) * types + kind) * schemes
            account[made] = row
            instrument_type[made] = kind
            scheme[made] = chosen(u_scheme, scheme_ends, rails, rails + schemes) - rails
            made += 1
