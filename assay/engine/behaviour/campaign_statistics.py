"""What campaigns did, in the figures that their templates aim at. Floats here are for readers only."""

from __future__ import annotations

import polars as pl

#: figures of a template, in the catalogue as target_<name>
FIGURES = ("gap_s", "burst_flows", "parties_per_device", "device_hour_flows", "amount")


def campaign_statistics(rows: pl.DataFrame) -> pl.DataFrame:
    """Figures by campaign_label, in order of labels. rows: of the plan, with the label.

    gap_s: median seconds between flows of an episode. burst_flows: mean flows of an episode. parties_per_device: parties that a campaign
    has on a device, mean over flows. device_hour_flows: flows of the campaign on the device in the hour, mean over flows. amount: median,
    in major units.
    """
    ordered = rows.sort("campaign_id", "episode", "ts_utc")
    episode, device = ["campaign_id", "episode"], ["campaign_id", "device_id"]
    seconds = (pl.col("ts_utc").diff().over(episode).dt.total_microseconds() / 1_000_000).alias("gap_s")
    hour = pl.col("ts_utc").dt.truncate("1h")
    known = ordered.with_columns(
        seconds,
        pl.col("party_id").n_unique().over(device).alias("parties"),
        pl.len().over([*device, hour]).alias("device_hour"),
        pl.struct(episode).alias("whole"),
    )
    return (
        known.group_by("campaign_label")
        .agg(
            flows=pl.len(),
            gap_s=pl.col("gap_s").median(),
            burst_flows=pl.len() / pl.col("whole").n_unique(),
            parties_per_device=pl.col("parties").mean(),
            device_hour_flows=pl.col("device_hour").mean(),
            amount=pl.col("amount_minor").median() / 100,
        )
        .sort("campaign_label")
    )
