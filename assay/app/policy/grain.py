"""How fine the times of a file are: known where its mapping counts days or hours, or reads dates without a time of day."""

from __future__ import annotations

import re

from assay.app.oracle.mapping_time import TimeColumn
from assay.contracts.instants import UNITS

MINUTE_US, HOUR_US, DAY_US = UNITS["min"], UNITS["h"], UNITS["d"]
_SECONDS, _MINUTES, _HOURS = "STrXcfs", "MR", "HIkl"
_MARK = re.compile(r"%[-_0^#:.]*\d?([A-Za-z])")


def grain_us(time: TimeColumn) -> int:
    """The step of times in µs, 1 where the mapping does not tell. A column of hours or days may still hold fractions."""
    if time.unit in ("min", "h", "d"):
        return UNITS[time.unit]
    if time.unit == "month":
        return DAY_US  # windows of features end at days
    if time.format is None:
        return 1
    marks = set(_MARK.findall(time.format.replace("%%", "")))
    for known, step in ((_SECONDS, 1), (_MINUTES, MINUTE_US), (_HOURS, HOUR_US)):
        if marks & set(known):
            return step
    return DAY_US
