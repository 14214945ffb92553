"""Features of a payment alone: its amount, and whether its UTC time is at night or at a weekend."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64
from assay.contracts.instants import UNITS
from assay.tables.feature_document import ROW_OPS, FeatureDocument

_DAY, _HOUR = UNITS["d"], UNITS["h"]
#: 1970-01-01 was a Thursday, day 3 of a week that begins on Monday
_FIRST_WEEKDAY, _SATURDAY = 3, 5


def fill_row_features(document: FeatureDocument, payments: NDArray[np.bool_], times: I64, amounts: I64, longs: I64) -> None:
    """Write amount, night and weekend into the rows of `longs` (n, L) that are payments."""
    for feature in document.features:
        if feature.op not in ROW_OPS:
            continue
        if feature.op == "amount":
            values = amounts
        elif feature.op == "night":
            values = (times % _DAY // _HOUR <= feature.to_hour).astype(np.int64)
        else:
            values = ((times // _DAY + _FIRST_WEEKDAY) % 7 >= _SATURDAY).astype(np.int64)
        longs[:, document.long_names.index(feature.name)] = np.where(payments, values, 0)
