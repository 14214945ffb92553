"""The shipped scorecard on the Handbook's own payments: quality of weeks that took no part in fitting it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from oracles.offline.features import offline_features

from assay.agents.rule_plan import compile_rules
from assay.agents.rule_scorer import RuleScorer
from assay.app.report.quality import DAY_US, measure, rows_of_test_week
from assay.app.settings import load_settings
from assay.codecs.columns import Columns
from assay.tables.feature_document import parse_document
from assay.tables.row_kinds import LABEL, PAYMENT

FILE = "fdh_2018-04_07.parquet"


def _document(name: str) -> Any:
    return yaml.safe_load(resources.files("assay.contracts").joinpath("policies", "handbook", name).read_text())


def _lane(file: Path) -> pl.DataFrame:
    """Payments, and a fraud label seven days after each fraud, in event-time order."""
    rows = pl.read_parquet(file).select(
        event_id=pl.col("TRANSACTION_ID").cast(pl.String),
        ts_us=pl.col("TX_DATETIME").dt.epoch("us"),
        amount_minor=(pl.col("TX_AMOUNT") * 100).round().cast(pl.Int64),
        customer=pl.col("CUSTOMER_ID").cast(pl.String),
        terminal=pl.col("TERMINAL_ID").cast(pl.String),
        fraud=pl.col("TX_FRAUD") == 1,
    )
    payments = rows.select(
        "event_id",
        "ts_us",
        "amount_minor",
        "fraud",
        pl.lit(PAYMENT, pl.Int8).alias("kind"),
        pl.lit(None, pl.String).alias("subject_event_id"),
        pl.lit(-1, pl.Int8).alias("label"),
        pl.col("customer").alias("entity.customer"),
        pl.col("terminal").alias("entity.terminal"),
    )
    labels = rows.filter("fraud").select(
        pl.concat_str(pl.lit("label:"), "event_id").alias("event_id"),
        pl.col("ts_us") + 7 * DAY_US,
        pl.lit(0, pl.Int64).alias("amount_minor"),
        pl.lit(value=False).alias("fraud"),
        pl.lit(LABEL, pl.Int8).alias("kind"),
        pl.col("event_id").alias("subject_event_id"),
        pl.lit(1, pl.Int8).alias("label"),
        pl.lit(None, pl.String).alias("entity.customer"),
        pl.lit(None, pl.String).alias("entity.terminal"),
    )
    return pl.concat([payments, labels]).sort("ts_us", "kind", "event_id")


@pytest.mark.tier3
@pytest.mark.timeout(300)
def test_weeks_after_the_fit_rank_as_well_as_published_models() -> None:
    root = load_settings().tier3_data
    assert root is not None
    lane = _lane(next(root.rglob(FILE)))
    features = parse_document(_document("features.yaml"))
    rules = compile_rules(_document("rules.yaml"), features)
    values = offline_features(_document("features.yaml"), lane)
    longs = values.select(features.long_names).to_numpy().astype(np.int64)
    doubles = values.select(features.double_names).to_numpy()
    paid = (lane["kind"] == PAYMENT).to_numpy()
    columns: Columns = {"amount_minor": lane["amount_minor"].to_numpy(), "features.longs": longs, "features.doubles": doubles}
    points = RuleScorer(rules).score(columns, paid).score[paid]
    day = (lane["ts_us"].to_numpy() // DAY_US)[paid]
    customer, fraud = lane["entity.customer"].cast(pl.Int64).to_numpy()[paid], lane["fraud"].to_numpy()[paid]
    customer = customer.astype(np.int64)
    last = int(day.max())
    for first_training_day in (last - 20, last - 30):
        kept = rows_of_test_week(day, customer, fraud, first_training_day)
        quality = measure(day[kept], customer[kept], fraud[kept], points[kept])
        assert quality.auc is not None
        assert quality.average_precision is not None
        assert quality.card_precision is not None
        assert (quality.auc >= 0.87, quality.average_precision >= 0.65, quality.card_precision >= 0.27) == (True, True, True), quality
