"""Guards of 6B: a planted row trips each, and names the place."""

from __future__ import annotations

import polars as pl
import pytest
from bank_worlds import Changes, made, verdict

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ARRIVALS, ENTITIES, PLAN = "arrival_events_5B", "s1_arrival_entities_6B", "s3_campaign_plan_6B"


def planted(column: str, value: int) -> pl.Expr:
    """Another id in the first row."""
    return pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value, pl.Int64)).otherwise(pl.col(column)).alias(column)


def stranger(rows: pl.DataFrame) -> pl.DataFrame:
    """The first row is of a merchant that is not in the catalogue."""
    return rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(3, pl.UInt64)).otherwise(pl.col("merchant_id")).alias("merchant_id")
    )


CASES: list[tuple[str, Changes, str, str]] = [
    ("S1", {ARRIVALS: stranger}, "merchant of the catalogue", ARRIVALS),
    ("S1", {ARRIVALS: lambda rows: rows.with_columns(pl.col("ts_utc").dt.offset_by("60d"))}, "time within its bounds", ARRIVALS),
    (
        "S1",
        {"s3_instrument_base_6A": lambda rows: rows.with_columns(planted("owner_party_id", 0))},
        "missing owner",
        "s3_instrument_base_6A",
    ),
    (
        "S1",
        {"s2_account_base_6A": lambda rows: rows.with_columns(planted("owner_party_id", 99_999))},
        "missing owner",
        "s2_account_base_6A",
    ),
    ("S1", {"s4_device_links_6A": lambda rows: rows.head(0)}, "party that can pay", "s1_party_base_6A"),
    (
        "S1",
        {"s4_device_links_6A": lambda rows: rows.with_columns(planted("device_id", 1))},
        "links of a device lie in one part",
        "s4_device_links_6A",
    ),
    ("S1", {"s3_instrument_base_6A": lambda rows: rows.with_columns(account_id=pl.lit(0, pl.Int64))}, "entities of an arrival", ENTITIES),
    ("S2", {ENTITIES: lambda rows: rows.with_columns(planted("party_id", 0))}, "entities of an arrival", ENTITIES),
    ("S2", {ENTITIES: lambda rows: rows.reverse()}, "entities of the same arrivals", ENTITIES),
    ("S3A", {"s3_bucket_counts_5B": stranger}, "merchant of the catalogue", ARRIVALS),
    ("S3B", {PLAN: lambda rows: pl.concat([rows, rows.head(1)])}, "one campaign for an arrival", PLAN),
    (
        "S3B",
        {PLAN: lambda rows: rows.with_columns(planted("arrival_seq", 2**39), ts_utc=pl.col("ts_utc").min())},
        "planned arrivals exist",
        PLAN,
    ),
    ("S3B", {PLAN: lambda rows: rows.with_columns(pl.col("ts_utc").min())}, "planned arrivals exist", PLAN),
]


@pytest.mark.parametrize(("state", "changes", "guard", "where"), CASES, ids=[f"{case[0]}-{case[2]}-{case[3]}" for case in CASES])
def test_a_planted_row_trips_the_guard(state: str, changes: Changes, guard: str, where: str) -> None:
    with pytest.raises(Stop) as stopped:
        made(state, changes)
    assert stopped.value.reason is Reason.ENGINE_GUARD_TRIPPED
    assert f"guard '{guard}'" in str(stopped.value)
    assert stopped.value.where == where


def test_unchanged_inputs_trip_none() -> None:
    for state in ("S1", "S2", "S3A", "S3B"):
        assert made(state, {})


CATALOGUE, SESSIONS = "s3_campaign_catalogue_6B", "s1_session_index_6B"
CHECKED: list[tuple[str, Changes]] = [
    ("prevalence of campaigns", {CATALOGUE: lambda rows: rows.with_columns(pl.col("flows") * 20)}),
    ("prevalence of campaigns", {CATALOGUE: lambda rows: rows.filter(pl.col("subtype") != "ATO")}),
    ("campaigns found their arrivals", {CATALOGUE: lambda rows: rows.filter(pl.col("campaign_label") != "T_LAUNDERING_CYCLE")}),
    ("sessions with one arrival", {SESSIONS: lambda rows: rows.with_columns(arrival_count=pl.lit(1))}),
]


@pytest.mark.parametrize(("name", "changes"), CHECKED, ids=[f"{name} {number}" for number, (name, _) in enumerate(CHECKED)])
def test_a_check_passes_on_the_bank_and_fails_on_a_planted_breach(name: str, changes: Changes) -> None:
    assert verdict(name, {}).passed
    assert not verdict(name, changes).passed
