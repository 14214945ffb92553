"""The features of a world's payments as the decision lane computes them: its own tables, folded in memory under a shipped policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.policy.documents import document
from assay.codecs.columns import Columns, Strings, settled_columns
from assay.tables.dedupe import NEW, SeenIds
from assay.tables.entity_graph import EntityGraph
from assay.tables.feature_plan import compile_plan
from assay.tables.features import FeatureTable
from assay.tables.row_kinds import LABEL, PAYMENT

POLICY = "world"
_ROWS = 5_000
_HORIZON = 10**15, 10**8
_FRAUDS = ("BANK_CONFIRMED_FRAUD", "CHARGEBACK_WRITTEN_OFF")
_ENTITIES = {"counterparty": "counterparty_account_id"}


def lane_features(payments: pl.DataFrame) -> tuple[list[str], NDArray[np.float64]]:
    """Names and values of all features, one row per payment in the order given, which is that of time.

    Labels are what the bank saw, folded at the time from which it knew. `payments`: rows of `write_payments`.
    """
    plan = compile_plan(document(POLICY, "features"))
    seen, graph, features = SeenIds(*_HORIZON), EntityGraph(plan), FeatureTable(plan)
    made = np.empty((len(payments), len(plan.long_names) + len(plan.double_names)), np.float64)
    done = 0
    for number, rows in enumerate(_in_time(payments).iter_slices(_ROWS)):
        columns = _lane_columns(rows, plan.entities, number * _ROWS)
        known = seen.fold(columns)
        columns |= settled_columns({"seen.ordinal": known.ordinals, "seen.subject": known.subjects, "seen.oldest": known.oldest})
        live = known.verdicts == NEW
        slots = graph.fold(columns, live, number)
        columns |= settled_columns({f"slot.{name}": slot for name, slot in zip(plan.entities, slots.slots, strict=True)})
        out = features.fold(columns, live & ~slots.refused, graph.view(), number)
        chosen = np.asarray(columns["kind"]) == PAYMENT
        count = int(chosen.sum())
        made[done : done + count] = np.hstack([out.longs[chosen], out.doubles[chosen]])
        done += count
    return [*plan.long_names, *plan.double_names], made


def _in_time(payments: pl.DataFrame) -> pl.DataFrame:
    """Payments and labels in the order of time."""
    frauds = payments.filter(pl.col("bank_label").is_in(_FRAUDS) & pl.col("known_us").is_not_null())
    labels = frauds.select(event_id="label-" + pl.col("flow_id"), subject="flow_id", ts_us="known_us", kind=pl.lit(LABEL, pl.Int8))
    rows = payments.with_columns(event_id=pl.col("flow_id"), kind=pl.lit(PAYMENT, pl.Int8), subject=pl.lit(None, pl.String))
    return pl.concat([rows, labels], how="diagonal").sort("ts_us", maintain_order=True)


def _lane_columns(rows: pl.DataFrame, entities: Sequence[str], first: int) -> Columns:
    """Columns of the lane of these rows."""
    count = len(rows)
    columns: Columns = {
        "kind": rows["kind"].to_numpy(),
        "ts_us": rows["ts_us"].to_numpy(),
        "topic": np.zeros(count, np.int16),
        "partition": np.zeros(count, np.int32),
        "offset": np.arange(first, first + count, dtype=np.int64),
        "event_id": Strings.of(_texts(rows["event_id"])),
        "payload_hash": np.zeros((count, 32), np.uint8),
        "amount_minor": (rows["amount"].fill_null(0) * 100).cast(pl.Int64).to_numpy(),
        "subject_event_id": Strings.of(_texts(rows["subject"])),
        "label": (rows["kind"] == LABEL).cast(pl.Int8).to_numpy(),
    }
    columns |= {f"entity.{name}": Strings.of(_texts(rows[_ENTITIES.get(name, f"{name}_id")])) for name in entities}
    return settled_columns(columns)


def _texts(series: pl.Series) -> list[str | None]:
    return list(_each(series))


def _each(series: pl.Series) -> Iterator[str | None]:
    yield from series.to_list()
