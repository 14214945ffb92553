"""Features of a payment alone: its amount, and whether its UTC time is at night or at a weekend."""

from __future__ import annotations

import numpy as np

from assay.codecs.columns import I64, U8
from assay.codecs.kernel import part
from assay.contracts.instants import UNITS
from assay.tables.feature_document import ROW_OPS, FeatureDocument
from assay.tables.windows import PAYS

_DAY, _HOUR = UNITS["d"], UNITS["h"]
#: 1970-01-01 was a Thursday, day 3 of a week that begins on Monday
_FIRST_WEEKDAY, _SATURDAY = 3, 5
_AMOUNT, _NIGHT, _WEEKEND = 0, 1, 2
_NUMBERS = {"amount": _AMOUNT, "night": _NIGHT, "weekend": _WEEKEND}


def row_features(document: FeatureDocument) -> I64:
    """The features of a payment alone, int64 (k, 3): operation, column of the long values, last hour of the night."""
    names = document.long_names
    found = [(_NUMBERS[f.op], names.index(f.name), f.to_hour) for f in document.features if f.op in ROW_OPS]
    return np.array(found, np.int64).reshape(-1, 3)


@part
def fill_row_features(features: I64, roles: U8, times: I64, amounts: I64, longs: I64) -> None:
    """Write the features of `row_features` into the rows of `longs` (n, L) that are payments."""
    for k in range(len(features)):
        operation, column, to_hour = features[k, 0], features[k, 1], features[k, 2]
        for i in range(len(amounts)):
            if roles[i] != PAYS:
                continue
            if operation == _AMOUNT:
                longs[i, column] = amounts[i]
            elif operation == _NIGHT:
                longs[i, column] = times[i] % _DAY // _HOUR <= to_hour
            else:
                longs[i, column] = (times[i] // _DAY + _FIRST_WEEKDAY) % 7 >= _SATURDAY
