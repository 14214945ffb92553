"""What a sort of a world's output computes, on a few rows: its kernels are compiled by this."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.app.stream_view.ordering import stable_order
from assay.app.stream_view.statistics import statistics_of


def sort_a_view() -> None:
    """Order rows by one key and by two, and hash columns with and without nulls, and of words."""
    keys = [np.array([2, 1], np.int64), np.array([0, 0], np.int64)]
    stable_order(keys[:1])
    stable_order(keys)
    statistics_of(pl.DataFrame({"number": [1, 2], "hole": [None, 2], "word": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"]))}), None)
