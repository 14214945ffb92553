"""The card of a world: what it is, how it drifts, and what it must not be used for, as a page of Markdown in its folder."""

from __future__ import annotations

import polars as pl

from assay.app.stores.objects import ObjectStore
from assay.app.world.publication import Publication, write_once
from assay.engine.identity import RELEASE, WorldIdentity
from assay.engine.parameters import Parameters
from assay.engine.scenario import Scenario

CARD = "WORLD_CARD.md"
#: what a world is counted by → its output
_COUNTED = {
    "parties": "s1_party_base_6A",
    "accounts": "s2_account_base_6A",
    "instruments": "s3_instrument_base_6A",
    "devices": "s4_device_base_6A",
    "addresses": "s4_ip_base_6A",
    "flows": "s3_flow_anchor_with_fraud_6B",
    "campaigns": "s3_campaign_catalogue_6B",
}
_USES = """## Use it for

Trying a platform, a policy or a model end to end; tests that need labels which come late; comparing detectors on campaigns that they
have not met.

## Do not use it for

Limits, prices, decisions about people, or claims about real rates of fraud: nobody in it exists, and no rate in it was measured on
real customers. Do not train on `fraud_flag`, `campaign_id`, truth or roles: no bank has them when it decides. Do not join arrivals
or `s1_arrival_entities_6B` to flows with fraud: they are those of the world without fraud. `s3_arrival_entities_with_fraud_6B`
is the context of these flows, and `arrival_seq` is a key and no feature.

## How it drifts

Arrivals follow the hour, the weekday, the day of the month and slow factors of each merchant. Campaigns begin and end, and choose
other merchants, customers and devices in each window, so a detector of one month meets other crews in the next. Labels come late:
detections in hours, disputes in days, chargebacks in weeks. Customers do not learn from being refused, and nobody moves, dies or
opens an account.
"""


def write_card(store: ObjectStore, view: Publication, identity: WorldIdentity, parameters: Parameters, scale: str) -> None:
    """Write the card of a made world, before its seal. Raises Stop(ENGINE_OUTPUT_CONFLICT)."""
    write_once(store, CARD, world_card(view, identity, parameters, scale).encode())


def world_card(view: Publication, identity: WorldIdentity, parameters: Parameters, scale: str) -> str:
    """The page. The same world has the same card."""
    scenario = parameters.of(Scenario)
    counts = [f"| {name} | {count:,} |" for name, count in counts_of(view).items()]
    facts = {**identity.tokens(), "release": RELEASE, "begins": scenario.start_utc.isoformat(), "days": str(scenario.days)}
    return "\n".join([
        f"# A synthetic bank of scale {scale}, seed {identity.seed}\n",
        *(f"* {name}: `{value}`" for name, value in facts.items()),
        "\n| what | how many |\n|---|---:|",
        *counts,
        "\n## Campaigns\n\n| template | subtype | campaigns | flows | first day | last day |\n|---|---|---:|---:|---|---|",
        *_campaigns(view),
        "",
        _USES,
    ])  # fmt: skip


def counts_of(view: Publication) -> dict[str, int]:
    """How many parties, accounts and so on a world has."""
    return {name: sum(part.rows for part in view.parts(output)) for name, output in _COUNTED.items()}


def _campaigns(view: Publication) -> list[str]:
    """A row per template, in order of names."""
    columns = ("campaign_label", "subtype", "flows", "window_start_utc", "window_end_utc")
    rows = view.read(_COUNTED["campaigns"], None, columns).with_columns(pl.col("campaign_label", "subtype").cast(pl.String))
    grouped = rows.group_by("campaign_label", "subtype").agg(
        pl.len().alias("n"), pl.col("flows").sum(), pl.col("window_start_utc").min(), pl.col("window_end_utc").max()
    )
    return [
        f"| {label} | {subtype} | {n} | {flows:,} | {start:%Y-%m-%d} | {end:%Y-%m-%d} |"
        for label, subtype, n, flows, start, end in grouped.sort("campaign_label").iter_rows()
    ]
