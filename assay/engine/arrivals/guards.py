"""Guards of 5B."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from assay.engine.guards import trip


def refuse_other_counts(expected: Any, made: Any, first_hour: int, cells: pl.DataFrame) -> None:
    """S4 makes as many arrivals as S3 counted. `expected`, `made`: by cell and hour; `cells`: merchant_id, tzid of each cell."""
    cell, hour = np.nonzero(expected != made)
    wrong = cells[cell].select("merchant_id", "tzid") if len(cell) else cells.head(0).select("merchant_id", "tzid")
    counts = {"bucket_index": hour + first_hour, "counted": expected[cell, hour], "made": made[cell, hour]}
    trip("count mismatch", wrong.with_columns(**{name: pl.Series(values) for name, values in counts.items()}), "arrival_events_5B")


def refuse_other_times(ts_utc: pl.Series, start_us: int, end_us: int) -> None:
    """Arrivals lie within the days of their part, which lie in the horizon. Times are microseconds since 1970."""
    us = ts_utc.cast(pl.Int64)
    least, most = us.min(), us.max()
    if least is not None and (least < start_us or most >= end_us):  # type: ignore[operator]  # integers
        wrong = pl.DataFrame({"ts_utc": ts_utc}).filter((us < start_us) | (us >= end_us))
        trip("arrival outside of the horizon", wrong, "arrival_events_5B")
