"""The payments of a world as one file, to be imported with the mapping `world`: flows of the fraud world, and what the bank saw."""

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
from assay.engine.segment import Segment

FLOWS, CAMPAIGNS, MERCHANTS = "s3_flow_anchor_with_fraud_6B", "s3_campaign_catalogue_6B", "outlet_catalogue"
TRUTH, BANK = "s4_flow_truth_labels_6B", "s4_flow_bank_view_6B"
_READ = (FLOWS, CAMPAIGNS, MERCHANTS, TRUTH, BANK)
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


def write_payments(store: ObjectStore, segments: Sequence[Segment], file: Path) -> pl.DataFrame:
    """Write the payments in the order of their times to a .parquet file, and give them back."""
    payments = payments_of(sealed_view(store, segments))
    file.parent.mkdir(parents=True, exist_ok=True)
    with naming_full(file):
        payments.write_parquet(file)
    return payments


def payments_of(view: Publication, most: int | None = None) -> pl.DataFrame:
    """The payments in the order of their times; about `most` of them if that is given, those of every n-th party."""
    merchants = view.read(MERCHANTS, None, ("merchant_id", "channel")).unique("merchant_id")
    campaigns = view.read(CAMPAIGNS, None, ("campaign_id", "campaign_label")).with_columns(
        pl.col("campaign_id", "campaign_label").cast(pl.String)
    )
    found = view.parts(FLOWS)
    step = 1 if most is None else max(1, sum(part.rows for part in found) // max(most, 1))
    payments = pl.concat([_part(view, part.part, merchants, campaigns) for part in found])
    parties = payments["party_id"].cast(pl.Int64) % step == 0  # whole customers: habits stay whole
    return payments.filter(parties).sort("ts_us", maintain_order=True)


def _part(view: Publication, part: int, merchants: pl.DataFrame, campaigns: pl.DataFrame) -> pl.DataFrame:
    """The payments of a part. A label without a time of its own is one that nobody tells: the payment was never in doubt."""
    flows = view.read(FLOWS, part, None).with_columns(pl.col("campaign_id").cast(pl.String))
    bank = view.read(BANK, part, ("flow_id", "bank_label", "known_ts_utc"))
    return (
        flows.join(merchants, on="merchant_id", how="left", maintain_order="left")
        .join(campaigns, on="campaign_id", how="left", maintain_order="left")
        .join(view.read(TRUTH, part, ("flow_id", "fraud_label")), on="flow_id", how="left", maintain_order="left")
        .join(bank, on="flow_id", how="left", maintain_order="left")
        .select(
            pl.col(
                "flow_id", "merchant_id", "party_id", "account_id", "instrument_id", "device_id", "ip_id", "counterparty_account_id"
            ).cast(pl.String),
            pl.col("ts_utc").dt.epoch("us").alias("ts_us"),
            pl.col("amount").cast(_CENT),
            pl.col("channel", "fraud_label").cast(pl.String),
            pl.when(pl.col("bank_label") != "NO_CASE_OPENED").then(pl.col("bank_label").cast(pl.String)).alias("bank_label"),
            pl.col("known_ts_utc").dt.epoch("us").alias("known_us"),
            "campaign_label",
        )
    )
