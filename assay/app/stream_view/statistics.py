"""What raw and sorted rows must have in common: their number, two sums of row hashes, their first and their last time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.stream_view.row_hash_kernel import add_present, add_values, add_words, totals
from assay.codecs.kernel import frozen
from assay.contracts import instants


@dataclass(frozen=True)
class Statistics:
    """Of rows in any order. `low_us`, `high_us`: of the time that they are sorted by; None without rows, or where they have none."""

    rows: int = 0
    hash_sum: int = 0
    hash_sum2: int = 0
    low_us: int | None = None
    high_us: int | None = None

    def __add__(self, other: Statistics) -> Statistics:
        lows = [one for one in (self.low_us, other.low_us) if one is not None]
        highs = [one for one in (self.high_us, other.high_us) if one is not None]
        sums = self.hash_sum + other.hash_sum, self.hash_sum2 + other.hash_sum2
        return Statistics(self.rows + other.rows, *sums, min(lows, default=None), max(highs, default=None))

    def document(self) -> dict[str, Any]:
        """As it stands in a receipt. The sums are decimal texts: they are larger than what JSON readers take for a number."""
        ends = {"min_ts_utc": self.low_us, "max_ts_utc": self.high_us}
        times = {name: None if at is None else instants.text(at) for name, at in ends.items()}
        return {"row_count": self.rows, "hash_sum": str(self.hash_sum), "hash_sum2": str(self.hash_sum2), **times}


def statistics_of(frame: pl.DataFrame, time_column: str | None) -> Statistics:
    """The statistics of some rows."""
    hashes = np.zeros(len(frame), np.uint64)
    for name in sorted(frame.columns):
        _add(frame[name], hashes)
    sums = np.zeros(3, np.uint64)
    totals(hashes, sums)
    times = frame[time_column].to_physical() if time_column and len(frame) else None
    ends = (None, None) if times is None else (int(times.min()), int(times.max()))  # type: ignore[arg-type]
    return Statistics(len(frame), int(sums[0]) + (int(sums[1]) << 32), int(sums[2]), *ends)


def _add(column: pl.Series, hashes: NDArray[np.uint64]) -> None:
    key = _hash_of(column.name)
    if isinstance(column.dtype, pl.String):
        column = column.cast(pl.Enum(column.drop_nulls().unique().sort()))
    if isinstance(column.dtype, pl.Enum):
        words = _hashes_of(tuple(column.dtype.categories))
        codes = column.to_physical().cast(pl.UInt32)
        if not codes.null_count():
            add_words(frozen(codes.to_numpy(), np.uint32), words, key, hashes)
            return
        values = words[codes.fill_null(0).to_numpy()] if len(words) else np.zeros(len(codes), np.uint64)
    else:
        values = _bits_of(column.fill_null(strategy="zero") if column.null_count() else column)
    if column.null_count():
        add_present(frozen(values, np.uint64), frozen(column.is_not_null().to_numpy(), np.bool_), key, hashes)
    else:
        add_values(frozen(values, np.uint64), key, hashes)


def _bits_of(column: pl.Series) -> NDArray[np.uint64]:
    """The 64 bits of each value; a time is its microseconds."""
    values = column.to_physical()
    if values.dtype not in {pl.Float64, pl.Int64, pl.UInt64}:
        values = values.cast(pl.Float64 if values.dtype.is_float() else pl.Int64)
    return np.ascontiguousarray(values.to_numpy()).view(np.uint64)


def _hash_of(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))


@lru_cache(maxsize=256)
def _hashes_of(words: tuple[str, ...]) -> NDArray[np.uint64]:
    return frozen(np.array([_hash_of(word) for word in words], np.uint64), np.uint64)
