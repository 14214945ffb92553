"""The payments of a world as one file, to be imported with the mapping `world`: flows of one of its traffics, and what the bank saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from assay.app.pack.sealed_pack import sealed_as
from assay.app.stores.full import naming_full
from assay.app.stores.objects import ObjectStore
from assay.app.world.bundles import passed, published_parts
from assay.app.world.making import outputs_by_id
from assay.app.world.pack import identity_in
from assay.app.world.publication import Publication
from assay.contracts.traffic_modes import FRAUD, TrafficMode
from assay.engine.segment import Segment

CAMPAIGNS, MERCHANTS = "s3_campaign_catalogue_6B", "outlet_catalogue"
TRUTH, BANK = "s4_flow_truth_labels_6B", "s4_flow_bank_view_6B"
_CENT = pl.Decimal(18, 2)


def sealed_view(store: ObjectStore, segments: Sequence[Segment]) -> Publication:
    """All parts of a sealed world behind their gates. Raises Stop as the seal and the gates do."""
    sealed_as(store)
    identity, _ = identity_in(store)
    view = Publication(store, identity, outputs_by_id(segments))
    for segment in segments:
        passed(store, segment, identity)
        for part in published_parts(store, segment, identity):
            view.add(part)
    return view


def write_payments(store: ObjectStore, segments: Sequence[Segment], file: Path, mode: TrafficMode = FRAUD) -> pl.DataFrame:
    """Write the payments of a traffic in the order of their times to a .parquet file, and give them back."""
    payments = payments_of(sealed_view(store, segments), mode=mode)
    file.parent.mkdir(parents=True, exist_ok=True)
    with naming_full(file):
        payments.write_parquet(file)
    return payments


def payments_of(view: Publication, most: int | None = None, mode: TrafficMode = FRAUD) -> pl.DataFrame:
    """The payments in the order of their times; about `most` of them if that is given, those of every n-th party."""
    merchants = view.read(MERCHANTS, None, ("merchant_id", "channel")).unique("merchant_id")
    campaigns = view.read(CAMPAIGNS, None, ("campaign_id", "campaign_label")).with_columns(
        pl.col("campaign_id", "campaign_label").cast(pl.String)
    )
    found = view.parts(mode.flow_anchors)
    step = 1 if most is None else max(1, sum(part.rows for part in found) // max(most, 1))
    flows = ((part.part, view.read(mode.flow_anchors, part.part, None)) for part in found)
    told = (_with_fraud(view, part, rows, campaigns) if mode is FRAUD else _without_fraud(rows) for part, rows in flows)
    payments = pl.concat([_columns(rows, merchants) for rows in told])
    parties = payments["party_id"].cast(pl.Int64) % step == 0  # whole customers: habits stay whole
    return payments.filter(parties).sort("ts_us", maintain_order=True)


def _with_fraud(view: Publication, part: int, flows: pl.DataFrame, campaigns: pl.DataFrame) -> pl.DataFrame:
    """Flows of a part with truth and bank's view."""
    bank = view.read(BANK, part, ("flow_id", "bank_label", "known_ts_utc"))
    return (
        flows.with_columns(pl.col("campaign_id").cast(pl.String))
        .join(campaigns, on="campaign_id", how="left", maintain_order="left")
        .join(view.read(TRUTH, part, ("flow_id", "fraud_label")), on="flow_id", how="left", maintain_order="left")
        .join(bank, on="flow_id", how="left", maintain_order="left")
    )


def _without_fraud(flows: pl.DataFrame) -> pl.DataFrame:
    """Flows of the baseline: all of them are legitimate, and the bank has no doubt about any."""
    return flows.with_columns(
        fraud_label=pl.lit("LEGIT"),
        bank_label=pl.lit("NO_CASE_OPENED"),
        known_ts_utc=pl.lit(None, pl.Datetime("us", "UTC")),
        campaign_label=pl.lit(None, pl.String),
    )


def _columns(flows: pl.DataFrame, merchants: pl.DataFrame) -> pl.DataFrame:
    """What the mapping reads. A label without a time of its own is one that nobody tells: the payment was never in doubt."""
    return flows.join(merchants, on="merchant_id", how="left", maintain_order="left").select(
        pl.col("flow_id", "merchant_id", "party_id", "account_id", "instrument_id", "device_id", "ip_id", "counterparty_account_id").cast(
            pl.String
        ),
        pl.col("ts_utc").dt.epoch("us").alias("ts_us"),
        pl.col("amount").cast(_CENT),
        pl.col("channel", "fraud_label").cast(pl.String),
        pl.when(pl.col("bank_label") != "NO_CASE_OPENED").then(pl.col("bank_label").cast(pl.String)).alias("bank_label"),
        pl.col("known_ts_utc").dt.epoch("us").alias("known_us"),
        "campaign_label",
    )
