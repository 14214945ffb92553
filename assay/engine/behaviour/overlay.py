"""State S3B: the fraud world's flows, events and arrival entities are the baseline's, with the planned arrivals overlaid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.engine.behaviour.channels import SEQ_BITS
from assay.engine.behaviour.flows import events
from assay.engine.behaviour.fraud_context import arrival_entities
from assay.engine.behaviour.guards import refuse_twice, refuse_unmatched
from assay.engine.behaviour.merchants import places
from assay.engine.behaviour.outputs import BASELINE_EVENTS, BASELINE_FLOWS, FRAUD_ENTITIES, FRAUD_EVENTS, FRAUD_FLOWS, PLAN
from assay.engine.scenario import DAY_US, Scenario, days_of, time_parts
from assay.engine.segment import Scene, State

_ENTITIES = ("party_id", "account_id", "instrument_id", "device_id", "ip_id", "counterparty_account_id")
_CENT = 100.0


@dataclass(frozen=True)
class Overlay:
    """The plan in order of merchants and arrivals. merchants: sorted ids; key: of the arrival; day: of the horizon.

    campaigns: null, then their ids in order; campaign: the place of each row's campaign among them.
    """

    merchants: NDArray[np.uint64]
    plan: pl.DataFrame
    key: NDArray[np.int64]
    day: NDArray[np.int64]
    campaigns: pl.Series
    campaign: NDArray[np.uint32]


def prepare(scene: Scene) -> Overlay:
    """Order the plan. Raises Stop(ENGINE_GUARD_TRIPPED): two campaigns take one arrival."""
    plan = scene.table(PLAN.output_id, columns=["campaign_id", "merchant_id", "arrival_seq", *_ENTITIES, "amount_minor", "ts_utc"])
    merchants = plan["merchant_id"].unique().sort().to_numpy()
    key = arrival_keys(merchants, plan)
    refuse_twice(PLAN.output_id, key)
    order = np.argsort(key, kind="stable")
    day = (plan["ts_utc"].to_physical().to_numpy() - scene.parameters.of(Scenario).start_us) // DAY_US
    ids = plan["campaign_id"].cast(pl.String)
    campaigns = ids.unique().sort()
    campaign = campaigns.search_sorted(ids).to_numpy().astype(np.uint32)[order] + np.uint32(1)
    overlaid = plan.select(*_ENTITIES, "amount_minor", "ts_utc")[order]
    names = pl.concat([pl.Series([None], dtype=pl.String), campaigns])
    return Overlay(merchants, overlaid, key[order], day[order], names, campaign)


def arrival_keys(merchants: NDArray[np.uint64], rows: pl.DataFrame) -> NDArray[np.int64]:
    """Numbers of arrivals among some merchants; -1 for those of others."""
    place = places(merchants, rows["merchant_id"].to_numpy())
    return np.where(place < 0, -1, place << SEQ_BITS | rows["arrival_seq"].to_numpy())


def make(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """Overlay a part. Raises Stop(ENGINE_GUARD_TRIPPED): a planned arrival is not a flow of its day."""
    overlay: Overlay = scene.prepared
    first, end = days_of(scene.parameters, part)
    wanted = np.flatnonzero((overlay.day >= first) & (overlay.day < end))
    base = scene.table(BASELINE_FLOWS.output_id, part, [column.name for column in BASELINE_FLOWS.columns])
    at = _rows_of(arrival_keys(overlay.merchants, base), overlay.key[wanted])
    flows = _overlaid(base, overlay, wanted, at)
    response = scene.table(BASELINE_EVENTS.output_id, part, ["ts_utc"])["ts_utc"].to_physical().to_numpy()[1::2].copy()
    begun = base["ts_utc"].to_physical().to_numpy()
    moved = flows["ts_utc"].to_physical().to_numpy()
    response = np.minimum(response + (moved - begun), scene.parameters.of(Scenario).end_us - 1)
    return {
        FRAUD_FLOWS.output_id: flows,
        FRAUD_EVENTS.output_id: events(flows, response, "fraud_flag", "campaign_id"),
        FRAUD_ENTITIES.output_id: arrival_entities(scene, flows),
    }


def _rows_of(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of wanted arrivals; each must be there once."""
    candidates = np.flatnonzero(keys >= 0)
    order = candidates[np.argsort(keys[candidates], kind="stable")]
    low, high = (np.searchsorted(keys[order], wanted, side=side) for side in ("left", "right"))
    refuse_unmatched(PLAN.output_id, high - low, wanted)
    return order[low]


def _overlaid(base: pl.DataFrame, overlay: Overlay, wanted: NDArray[np.int64], at: NDArray[np.int64]) -> pl.DataFrame:
    plan = overlay.plan[wanted]
    columns = [_replaced(base[name], at, plan[name]) for name in _ENTITIES]
    campaign = np.zeros(len(base), np.uint32)
    campaign[at] = overlay.campaign[wanted]
    return base.with_columns(
        *columns,
        _replaced(base["ts_utc"], at, plan["ts_utc"]),
        _replaced(base["amount"], at, pl.Series(plan["amount_minor"].to_numpy() / _CENT)),
        pl.Series("fraud_flag", campaign > 0),
        overlay.campaigns.gather(campaign).alias("campaign_id"),
    )


def _replaced(column: pl.Series, at: NDArray[np.int64], values: pl.Series) -> pl.Series:
    """A column with other values in some rows; a null keeps the row as it was."""
    given = values.is_not_null().to_numpy()
    return column.scatter(at[given], values.filter(pl.Series(given)))


S3B = State(
    "S3B",
    (BASELINE_FLOWS.output_id, BASELINE_EVENTS.output_id, PLAN.output_id),
    (FRAUD_FLOWS, FRAUD_EVENTS, FRAUD_ENTITIES),
    make,
    time_parts,
    prepare,
)
