"""How real a world is, in numbers: its traffic, what its bank saw, what its fraud changes. Floats here are for readers only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.world.corridors import Corridors, Measure
from assay.app.world.publication import Publication

F64 = NDArray[np.float64]
#: what is detected within a minute was so at authorisation
_AUTHORISED_US = 60_000_000
#: flows that are measured at most: the first parts of a large world
FLOWS_MAX = 2_000_000
NIGHT_TO, WEEKEND_FROM = 6, 6
AMOUNT_BINS = 10
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000


@dataclass(frozen=True)
class Measured:
    """The rows that measures are taken of. `flows`: anchors of the fraud world in order of time with their truth and bank view."""

    flows: pl.DataFrame
    sessions: pl.DataFrame
    openings: pl.DataFrame
    whole: bool


def measured(view: Publication) -> Measured:
    """Rows of a world, of its first parts where it is larger than `FLOWS_MAX`."""
    parts, rows = [], 0
    for part in view.parts("s3_flow_anchor_with_fraud_6B"):
        if rows and rows + part.rows > FLOWS_MAX:
            break
        parts.append(part.part)
        rows += part.rows
    flows = pl.concat([_flows(view, part) for part in parts]).sort("ts_us", "flow_id")
    sessions = pl.concat([view.read("s1_session_index_6B", part, ("arrival_count",)) for part in parts])
    openings = pl.concat([view.read("s4_case_openings_6B", part, None) for part in parts])
    return Measured(flows, sessions, openings, len(parts) == len(view.parts("s3_flow_anchor_with_fraud_6B")))


def taken(rows: Measured, corridors: Corridors) -> Iterator[Measure]:
    """Every measure that needs no model, in the order of the corridors."""
    for group, found in (("prevalence", _prevalence(rows, corridors.prevalence)), ("shape", _shape(rows)), ("bank", _bank(rows))):
        for name, value in found.items():
            yield Measure(group, name, value, *corridors.of(group, name))


def gini(counts: NDArray[Any]) -> float:
    """Inequality of counts: 0 where all are equal."""
    ordered = np.sort(np.asarray(counts, np.float64))
    places = np.arange(1, len(ordered) + 1)
    return float((2 * places - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))


def cramers_v(truth: NDArray[Any], codes: NDArray[Any]) -> float:
    """Cramér's V of a truth of two values and a code: sqrt(chi² / n)."""
    table = np.zeros((2, int(codes.max()) + 1))
    np.add.at(table, (truth.astype(np.int64), codes), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    chi = np.divide((table - expected) ** 2, expected, out=np.zeros_like(table), where=expected > 0)
    return float(np.sqrt(chi.sum() / table.sum()))


def _flows(view: Publication, part: int) -> pl.DataFrame:
    truth = view.read("s4_flow_truth_labels_6B", part, ("flow_id", "is_fraud_truth", "fraud_label"))
    bank = view.read("s4_flow_bank_view_6B", part, ("flow_id", "is_fraud_bank_view", "bank_label"))
    local = view.read("arrival_events_5B", part, ("merchant_id", "arrival_seq", "ts_local_primary", "ts_utc"))
    offset = (pl.col("ts_local_primary").dt.epoch("us") - pl.col("ts_utc").dt.epoch("us")).alias("offset_us")
    campaigns = view.read("s3_campaign_catalogue_6B", None, ("campaign_id", "subtype")).with_columns(pl.all().cast(pl.String))
    flows = view.read("s3_flow_anchor_with_fraud_6B", part, None).with_columns(
        pl.col("campaign_id").cast(pl.String), ts_us=pl.col("ts_utc").dt.epoch("us")
    )
    joined = flows.join(truth, on="flow_id", how="left").join(bank, on="flow_id", how="left").join(campaigns, on="campaign_id", how="left")
    placed = joined.join(local.select("merchant_id", "arrival_seq", offset), on=("merchant_id", "arrival_seq"), how="left")
    friendly = pl.when(pl.col("is_fraud_truth") & pl.col("subtype").is_null()).then(pl.lit("FRIENDLY_FRAUD")).otherwise(pl.col("subtype"))
    return placed.with_columns(friendly.alias("subtype"), local_us=pl.col("ts_us") + pl.col("offset_us"))


def _prevalence(rows: Measured, names: Sequence[str] | Mapping[str, Any]) -> dict[str, float]:
    counts = dict(rows.flows.filter(pl.col("subtype").is_not_null()).group_by("subtype").len().iter_rows())
    return {name: counts.get(name, 0) / len(rows.flows) for name in names}


def _shape(rows: Measured) -> dict[str, float]:
    flows = rows.flows.sort("ts_us", maintain_order=True)
    local = pl.from_epoch("local_us", time_unit="us")
    timed = flows.with_columns(hour=local.dt.hour(), weekday=local.dt.weekday())
    hours = np.bincount(timed["hour"].to_numpy(), minlength=24)
    amounts = flows["amount"].to_numpy()
    devices = (
        flows.group_by("account_id", "device_id").len().group_by("account_id").agg(pl.col("len").max(), pl.col("len").sum().alias("all"))
    )
    again = flows.select(again=~pl.struct("party_id", "merchant_id").is_first_distinct())
    return {
        "fraud_share": _share(flows["is_fraud_truth"]),
        "singleton_sessions": _share(rows.sessions["arrival_count"] == 1),
        "weekend_share": _share(timed["weekday"] >= WEEKEND_FROM),
        "peak_hour": float(hours.argmax()),
        "night_share": float(hours[:NIGHT_TO].sum() / hours.sum()),
        "amount_tail": float(np.quantile(amounts, 0.99) / np.median(amounts)),
        "flows_per_party_gini": gini(flows.group_by("party_id").len()["len"].to_numpy()),
        "flows_per_merchant_gini": gini(flows.group_by("merchant_id").len()["len"].to_numpy()),
        "repeat_merchant": _share(again["again"]),
        "first_device_share": float(devices["len"].to_numpy().sum() / devices["all"].to_numpy().sum()),
        "behaviour_v": cramers_v(flows["is_fraud_truth"].to_numpy(), _behaviour(timed)),
    }


def _behaviour(timed: pl.DataFrame) -> NDArray[np.int64]:
    """A code of amount decile, night, and first use of a device by an account."""
    edges = np.quantile(timed["amount"].to_numpy(), np.linspace(0, 1, AMOUNT_BINS + 1)[1:-1])
    decile = np.searchsorted(edges, timed["amount"].to_numpy(), side="right")
    night = (timed["hour"] < NIGHT_TO).to_numpy()
    first = timed.select(pl.struct("account_id", "device_id").is_first_distinct()).to_series().to_numpy()
    code: NDArray[np.int64] = (decile * 4 + night * 2 + first).astype(np.int64)
    return code


def _bank(rows: Measured) -> dict[str, float]:
    truth, seen = rows.flows["is_fraud_truth"].to_numpy(), rows.flows["is_fraud_bank_view"].to_numpy()
    both = float((truth & seen).sum())
    opened = rows.openings.join(rows.flows.select("flow_id", "ts_us"), on="flow_id", how="left")
    late = (
        opened.filter(pl.col("detected_us") > pl.col("ts_us") + _AUTHORISED_US)
        .select(pl.col("detected_us") - pl.col("ts_us"))
        .to_series()
        .to_numpy()
    )
    disputes = opened.filter(pl.col("disputed_us") >= 0).select(pl.col("disputed_us") - pl.col("ts_us")).to_series().to_numpy()
    return {
        "precision": both / max(float(seen.sum()), 1.0),
        "recall": both / max(float(truth.sum()), 1.0),
        "detection_median_h": float(np.median(late)) / HOUR_US if len(late) else 0.0,
        "dispute_median_d": float(np.median(disputes)) / DAY_US if len(disputes) else 0.0,
        "case_share": len(rows.openings) / len(rows.flows),
    }


def _share(truths: pl.Series) -> float:
    return float(truths.to_numpy().mean())
