"""Offline equals online: the polars pass over a whole lane gives every value the fold gave row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from effort import drawn
from feature_worlds import DOCUMENT, LaneRow, random_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_tables import fold_in_batches
from oracles.offline.features import offline_features

from assay.tables.feature_plan import compile_plan


def lane_frame(rows: Sequence[LaneRow], entities: Sequence[str]) -> pl.DataFrame:
    """The rows as the frame the offline pass reads."""
    return pl.DataFrame(
        {
            "kind": pl.Series([row.kind for row in rows], dtype=pl.Int8),
            "event_id": [row.event_id for row in rows],
            "ts_us": pl.Series([row.ts_us for row in rows], dtype=pl.Int64),
            "amount_minor": pl.Series([row.amount_minor for row in rows], dtype=pl.Int64),
            "subject_event_id": pl.Series([row.subject for row in rows], dtype=pl.String),
            "label": pl.Series([row.label for row in rows], dtype=pl.Int8),
            **{f"entity.{name}": pl.Series([row.entities.get(name) for row in rows], dtype=pl.String) for name in entities},
        }
    )


def assert_offline_equals_online(document: dict[str, Any], rows: Sequence[LaneRow]) -> None:
    plan = compile_plan(document)
    online = fold_in_batches(plan, rows, list(range(0, len(rows), 4999))).rows
    offline = offline_features(document, lane_frame(rows, plan.entities))
    for matrix, names in ((online.longs, plan.long_names), (online.doubles, plan.double_names)):
        for column, name in enumerate(names):
            np.testing.assert_array_equal(offline[name].to_numpy(), matrix[:, column], err_msg=name, strict=True)


@settings(max_examples=drawn(40), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 120))
def test_a_short_lane_has_the_same_values_offline(seed: int, count: int) -> None:
    assert_offline_equals_online(DOCUMENT, random_rows(seed, count))


def test_100_000_rows_with_late_rows_equal_times_and_late_labels_have_the_same_values_offline() -> None:
    assert_offline_equals_online(DOCUMENT, random_rows(11, 100_000))
