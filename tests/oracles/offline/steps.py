"""When a payment enters and leaves a window, as row numbers of its key's payments in processing order."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from assay.tables.feature_document import Feature


@dataclass(frozen=True)
class Steps:
    """Payments of one entity with their buckets. Row numbers past a key's last payment mean "never"."""

    rows: pl.DataFrame
    delay: int
    length: int
    enters: pl.Series
    leaves: pl.Series
    #: whether the payment of a row is in the window that ends at that row
    holds_itself: pl.Series

    @classmethod
    def of(cls, keyed: pl.DataFrame, feature: Feature) -> Steps:
        """Steps of every payment for one window. `keyed` is sorted by key, then processing order."""
        rows = keyed.with_columns(bucket=pl.col("ts_us") // feature.resolution_us)
        rows = rows.with_columns(current=pl.col("bucket").cum_max().over("key"))
        delay, length = feature.delay_buckets, feature.window_buckets
        reaches = (_reaching(rows, rows["key"], rows["bucket"] + more) for more in (delay, delay + length))
        enters, leaves = (pl.select(pl.max_horizontal(reach, rows["row"])).to_series() for reach in reaches)
        age = rows["current"] - delay - rows["bucket"]
        return cls(rows, delay, length, enters, leaves, (age >= 0) & (age < length))

    def reaching(self, keys: pl.Series, buckets: pl.Series) -> pl.Series:
        """First row of each key whose current bucket is at least the given one."""
        return _reaching(self.rows, keys, buckets)

    def running(self, rising: pl.DataFrame, falling: pl.DataFrame) -> pl.Series:
        """Running sum per key of +value at `at_row` of rising and -value at `at_row` of falling (key, value, at_row)."""
        return self._summed(rising) - self._summed(falling)

    def _summed(self, changes: pl.DataFrame) -> pl.Series:
        totals = changes.group_by("key", "at_row").agg(pl.col("value").sum())
        rows = self.rows.select("key", at_row="row").join(totals, on=["key", "at_row"], how="left", maintain_order="left")
        return rows.select(pl.col("value").fill_null(0).cum_sum().over("key")).to_series()


def first_reaching(keys: pl.Series, levels: pl.Series, of_keys: pl.Series, of_levels: pl.Series) -> pl.Series:
    """For each (key, level) asked for, the first row of that key whose level is at least that; the row after the key's last
    one if none. `keys` ascends and `levels` ascends within a key; rows are numbered from 0."""
    if keys.is_empty() or of_keys.is_empty():
        return pl.repeat(0, len(of_keys), dtype=pl.Int64, eager=True)
    low = min(_least(levels), _least(of_levels))
    span = max(_most(levels), _most(of_levels)) - low + 2
    sorted_pairs = keys * span + (levels - low)
    found = sorted_pairs.search_sorted(of_keys * span + (of_levels - low), side="left")
    return found.cast(pl.Int64)


def _reaching(rows: pl.DataFrame, keys: pl.Series, buckets: pl.Series) -> pl.Series:
    return first_reaching(rows["key"], rows["current"], keys, buckets)


def _least(values: pl.Series) -> int:
    least = values.min()
    assert isinstance(least, int)
    return least


def _most(values: pl.Series) -> int:
    most = values.max()
    assert isinstance(most, int)
    return most
