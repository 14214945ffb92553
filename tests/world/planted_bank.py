"""A small planted bank: inputs of segment 6B with the columns of 1A, 5A, 5B and 6A, and states that run on them in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from assay.engine.identity import identity_of
from assay.engine.parameters import Parameters, shipped
from assay.engine.scenario import DAY_US, HOUR_US, Scale, Scenario, days_of, time_parts
from assay.engine.segment import Scene, Segment, State

COUNTRIES = ("DE", "FR", "GB", "US")
ZONES = {"DE": "Europe/Berlin", "FR": "Europe/Paris", "GB": "Europe/London", "US": "America/New_York"}
CHANNELS = ("ECOM", "POS", "HYBRID", "ATM", "BANK_RAIL")
DEMAND = ("consumer_daytime", "evening_weekend", "online_24h", "travel_hospitality")
Tables = dict[tuple[str, "int | None"], pl.DataFrame]


def parameters_of(flows: int = 20_000, parties: int = 600, merchants: int = 40, part_flows: int = 7_000, **changes: Any) -> Parameters:
    """Shipped documents at a scale smaller than tiny."""
    scale = {"flows": flows, "parties": parties, "merchants": merchants, "part_flows": part_flows}
    return shipped("tiny", {"scale": scale, **changes})


def planted(parameters: Parameters) -> Tables:
    """The inputs, by output id and part."""
    scale, scenario = parameters.of(Scale), parameters.of(Scenario)
    rng = np.random.default_rng(11)
    tables = {(name, None): frame for name, frame in {**_shops(rng, scale), **_people(rng, scale)}.items()}
    return tables | _arrivals(rng, parameters, scale, scenario, tables[("merchant_zone_profile_5A", None)])


def _shops(rng: np.random.Generator, scale: Scale) -> dict[str, pl.DataFrame]:
    n = scale.merchants
    ids = np.sort(rng.choice(2**62, n, replace=False).astype(np.uint64) * np.uint64(2) + np.uint64(1))
    country = [COUNTRIES[i % len(COUNTRIES)] for i in range(n)]
    channel = [CHANNELS[i % len(CHANNELS)] for i in range(n)]
    rows = pl.DataFrame({"merchant_id": ids, "demand_class": [DEMAND[i % len(DEMAND)] for i in range(n)], "channel": channel})
    outlets = rows.with_columns(home_country_iso=pl.Series(country), country_iso=pl.Series(country))
    weight = rng.lognormal(0, 1, n)
    profile = pl.DataFrame({"merchant_id": ids, "country_iso": country, "tzid": [ZONES[c] for c in country], "weekly_volume": weight})
    volume = pl.col("weekly_volume") / pl.col("weekly_volume").sum() * scale.flows * 7 / 90
    merchants = outlets.select("merchant_id").with_columns(fraud_role_merchant=pl.lit("NORMAL"), risk_tier=pl.lit("LOW"))
    begin = pl.lit(0).cast(pl.Datetime("us", "UTC"))
    timetable = pl.DataFrame({"tzid": list(ZONES.values()), "offset_s": [3600, 3600, 0, -18000]}).with_columns(from_utc=begin)
    return {
        "outlet_catalogue": outlets.sample(fraction=1, shuffle=True, seed=3),
        "merchant_zone_profile_5A": profile.with_columns(volume),
        "s5_merchant_fraud_roles_6A": merchants,
        "tz_timetable_cache": timetable,
    }


def _people(rng: np.random.Generator, scale: Scale) -> dict[str, pl.DataFrame]:
    n = scale.parties
    party = np.arange(1, n + 1)
    country = pl.Series([COUNTRIES[i] for i in rng.integers(0, len(COUNTRIES), n)])
    kind = pl.Series(np.where(rng.random(n) < 0.9, "RETAIL", "BUSINESS"))
    accounts, instruments, devices = rng.integers(1, 4, n), rng.integers(0, 4, n), rng.integers(1, 4, n)
    account_owner, device_owner = np.repeat(party, accounts), np.repeat(party, devices)
    first_account = np.concatenate([[0], np.cumsum(accounts)[:-1]]) + 1
    instrument_owner = np.repeat(party, instruments)
    chosen = first_account[instrument_owner - 1] + rng.integers(0, accounts[instrument_owner - 1])
    ip_degree = rng.integers(1, 4, len(device_owner))
    device = np.arange(1, len(device_owner) + 1)
    ips = max(2, len(device) // 3)
    account_type = np.where(np.isin(np.arange(1, len(account_owner) + 1), first_account), "RETAIL_CURRENT_BASIC", "RETAIL_SAVINGS_INSTANT")
    types = np.array(["RETAIL_DEBIT_CARD_PHYSICAL", "RETAIL_CREDIT_CARD_VIRTUAL", "PARTY_BANK_ACCOUNT_DOMESTIC"])
    shared = pl.DataFrame({"device_id": rng.choice(device, n // 10, replace=False), "party_id": rng.choice(party, n // 10, replace=False)})
    links = pl.concat([pl.DataFrame({"device_id": device, "party_id": device_owner}), shared.with_columns(pl.all().cast(pl.Int64))])
    role = np.where(rng.random(n) < 0.05, "MULE", np.where(rng.random(n) < 0.05, "SYNTHETIC_ID", "CLEAN"))
    mule = np.where(role[account_owner - 1] == "MULE", "MULE_ACCOUNT", "CLEAN_ACCOUNT")
    device_role = np.where(rng.random(len(device)) < 0.05, "HIGH_RISK_DEVICE", "CLEAN_DEVICE")
    return {
        "s1_party_base_6A": pl.DataFrame({"party_id": party, "party_type": kind, "country_iso": country}),
        "s2_account_base_6A": pl.DataFrame(
            {"account_id": np.arange(1, len(account_owner) + 1), "owner_party_id": account_owner, "account_type": account_type}
        ),
        "s3_instrument_base_6A": pl.DataFrame(
            {
                "instrument_id": np.arange(1, len(instrument_owner) + 1),
                "account_id": chosen,
                "owner_party_id": instrument_owner,
                "instrument_type": types[rng.integers(0, 3, len(instrument_owner))],
            }
        ),
        "s4_device_base_6A": pl.DataFrame(
            {
                "device_id": device,
                "device_type": np.array(["MOBILE_PHONE", "LAPTOP", "IOT"])[rng.integers(0, 3, len(device))],
                "primary_party_id": device_owner,
            }
        ),
        "s4_ip_base_6A": pl.DataFrame(
            {"ip_id": np.arange(1, ips + 1), "ip_type": np.array(["RESIDENTIAL", "MOBILE", "VPN_PROXY"])[np.arange(ips) % 3]}
        ),
        "s4_device_links_6A": links,
        "s4_ip_links_6A": pl.DataFrame(
            {"ip_id": rng.integers(1, ips + 1, int(ip_degree.sum())), "device_id": np.repeat(device, ip_degree)}
        ),
        "s5_party_fraud_roles_6A": pl.DataFrame({"party_id": party, "fraud_role_party": role}),
        "s5_account_fraud_roles_6A": pl.DataFrame({"account_id": np.arange(1, len(account_owner) + 1), "fraud_role_account": mule}),
        "s5_device_fraud_roles_6A": pl.DataFrame({"device_id": device, "fraud_role_device": device_role}),
    }


def _arrivals(rng: np.random.Generator, parameters: Parameters, scale: Scale, scenario: Scenario, profile: pl.DataFrame) -> Tables:
    volume = profile["weekly_volume"].to_numpy()
    merchant = np.sort(rng.choice(len(volume), scale.flows, p=volume / volume.sum()))
    day = rng.integers(0, scenario.days, scale.flows)
    hour = np.clip(rng.normal(13, 4, scale.flows), 0, 23).astype(np.int64)
    ts = scenario.start_us + day * DAY_US + hour * HOUR_US + rng.integers(0, HOUR_US, scale.flows)
    order = np.lexsort((ts, merchant))
    merchant, ts = merchant[order], ts[order]
    first = np.searchsorted(merchant, np.arange(len(volume)))
    bucket = (ts - scenario.start_us) // HOUR_US
    rows = pl.DataFrame(
        {"merchant_id": profile["merchant_id"].to_numpy()[merchant], "arrival_seq": np.arange(len(ts)) - first[merchant] + 1}
    )
    rows = rows.with_columns(
        ts_utc=pl.Series(ts).cast(pl.Datetime("us", "UTC")),
        zone_representation=profile["tzid"].gather(merchant),
        is_virtual=pl.Series(rng.random(len(ts)) < 0.02),
        channel_group=pl.Series([CHANNELS[m % len(CHANNELS)] for m in merchant]),
        bucket_index=pl.Series(bucket),
    )
    counts = rows.group_by("merchant_id", "zone_representation", "bucket_index").agg(count=pl.len().cast(pl.Int64))
    tables: Tables = {("s3_bucket_counts_5B", None): counts.sort("merchant_id", "zone_representation", "bucket_index")}
    for part in range(time_parts(parameters)):
        low, high = days_of(parameters, part)
        tables["arrival_events_5B", part] = rows.filter((pl.col("bucket_index") >= low * 24) & (pl.col("bucket_index") < high * 24))
    return tables


@dataclass
class Memory:
    """Runs states on tables in memory, as the maker of worlds does on files."""

    parameters: Parameters
    tables: Tables
    seed: int = 7
    identity: Any = field(init=False)

    def __post_init__(self) -> None:
        self.identity = identity_of(self.seed, "baseline_v1", self.parameters.hash, {})

    def read(self, output_id: str, part: int | None, columns: Sequence[str] | None) -> pl.DataFrame:
        """Rows of a table, of all its parts for None."""
        if part is None and (output_id, None) not in self.tables:
            parts = sorted(number for name, number in self.tables if name == output_id and number is not None)
            frame = pl.concat([self.tables[output_id, number] for number in parts])
        else:
            frame = self.tables[output_id, part]
        return frame if columns is None else frame.select(columns)

    def scene(self, segment: Segment, place: str, inputs: tuple[str, ...]) -> Scene:
        """What a state or a check sees."""
        return Scene(self.identity, self.parameters, segment, place, inputs, self.read)

    def run(self, segment: Segment, state: State) -> Mapping[str, pl.DataFrame]:
        """Make all parts of a state; their rows together by output."""
        scene = self.scene(segment, state.name, state.inputs)
        if state.prepare is not None:
            scene = replace(scene, prepared=state.prepare(scene))
        for part in range(state.parts(self.parameters)):
            made = state.make(scene, part)
            for output in state.outputs:
                self.tables[output.output_id, part] = output.conformed(made[output.output_id], self.identity)
        return {output.output_id: self.read(output.output_id, None, None) for output in state.outputs}


@cache
def small_bank() -> Memory:
    """A bank whose states S1 to S3 ran."""
    from assay.engine.behaviour.segment import SEGMENT_6B

    parameters = parameters_of()
    memory = Memory(parameters, planted(parameters))
    for state in SEGMENT_6B.states:
        memory.run(SEGMENT_6B, state)
    return memory
