"""Laundering units have the shape of their motif, move money in order of time, and keep what they do not take as a fee."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import polars as pl
import pytest
from bank_worlds import bank, made, plan, rows

from assay.engine.behaviour.campaign_document import Campaigns

DOCUMENT = bank().parameters.of(Campaigns)

Edge = dict[str, Any]


def units(kind: str) -> list[list[Edge]]:
    """The flows of each unit in order of time."""
    label = next(label for label, law in DOCUMENT.motifs.items() if law.kind == kind)
    found: dict[tuple[str, int], list[Edge]] = defaultdict(list)
    for row in plan().sort("ts_utc").iter_rows(named=True):
        if row["campaign_label"] == label:
            found[row["campaign_id"], row["episode"]].append(row)
    assert len(found) >= 2
    return [*found.values()]


def degrees(unit: list[Edge]) -> tuple[Counter[int], Counter[int]]:
    """Edges out of and into each account."""
    return Counter(edge["account_id"] for edge in unit), Counter(edge["counterparty_account_id"] for edge in unit)


@pytest.mark.parametrize("kind", ["CYCLE", "FAN_IN", "FAN_OUT", "STACK", "SCATTER_GATHER", "GATHER_SCATTER"])
def test_money_arrives_before_it_goes_on_and_less_a_fee(kind: str) -> None:
    fee = next(law.fee for law in DOCUMENT.motifs.values() if law.kind == kind)
    for unit in units(kind):
        placed = {edge["account_id"] for edge in unit if edge["role"] == "PLACEMENT"}
        for account in {edge["account_id"] for edge in unit} - placed:
            came = [edge for edge in unit if edge["counterparty_account_id"] == account]
            went = [edge for edge in unit if edge["account_id"] == account]
            assert max(edge["ts_utc"] for edge in came) < min(edge["ts_utc"] for edge in went)
            money = sum(edge["amount_minor"] for edge in came)
            assert sum(edge["amount_minor"] for edge in went) == money - int(money * fee)


def test_a_cycle_comes_back_to_its_first_account() -> None:
    for unit in units("CYCLE"):
        out, into = degrees(unit)
        assert out == into
        assert {*out.values()} == {1}
        assert unit[0]["account_id"] == unit[-1]["counterparty_account_id"]


@pytest.mark.parametrize(
    ("kind", "sources", "sinks"), [("FAN_IN", None, 1), ("FAN_OUT", 1, None), ("SCATTER_GATHER", 1, 1), ("GATHER_SCATTER", None, None)]
)
def test_fans_have_one_hub(kind: str, sources: int | None, sinks: int | None) -> None:
    for unit in units(kind):
        out, into = degrees(unit)
        first, last = out.keys() - into.keys(), into.keys() - out.keys()
        assert sources is None or len(first) == sources
        assert sinks is None or len(last) == sinks
        middle = out.keys() & into.keys()
        if kind == "SCATTER_GATHER":
            assert {out[account] for account in middle} == {into[account] for account in middle} == {1}
        if kind == "GATHER_SCATTER":
            assert len(middle) == 1
            assert len(first) == len(last) >= 4


def test_a_stack_passes_through_layers_of_two_to_three_accounts() -> None:
    law = next(law for law in DOCUMENT.motifs.values() if law.kind == "STACK")
    for unit in units("STACK"):
        out, into = degrees(unit)
        width = len(out.keys() - into.keys())
        assert law.width[0] <= width <= law.width[1]
        assert len(unit) == 2 * width * (law.length - 1)
        assert {*out.values()} == {2}


def test_units_run_on_the_arrivals_of_bank_rails() -> None:
    channels = rows("outlet_catalogue").select("merchant_id", "channel").unique()
    laundered = plan().filter(plan()["campaign_label"].str.starts_with("T_LAUNDERING")).join(channels, on="merchant_id")
    assert (laundered["channel"] == "BANK_RAIL").all()
    assert laundered["counterparty_account_id"].null_count() == 0


def test_a_unit_that_lacks_an_arrival_for_one_of_its_edges_is_given_up() -> None:
    def few(counts: pl.DataFrame) -> pl.DataFrame:
        rails = rows("outlet_catalogue").filter(pl.col("channel") == "BANK_RAIL")["merchant_id"].unique()
        return counts.filter(~pl.col("merchant_id").is_in(rails.to_list()) | (pl.col("bucket_index") % 240 < 24))

    made_plan = made("S3A", {"s3_bucket_counts_5B": few})
    planned, catalogue = made_plan["s3_campaign_plan_6B"], made_plan["s3_campaign_catalogue_6B"]
    stacks = planned.join(catalogue.filter(pl.col("campaign_label") == "T_LAUNDERING_STACK"), on="campaign_id")
    whole = stacks.group_by("campaign_id", "episode").len()["len"]
    assert {*whole.to_list()} <= {12, 18}
    usual = plan().filter(pl.col("campaign_label").str.starts_with("T_LAUNDERING"))
    few_left = planned.join(catalogue.filter(pl.col("subtype") == "MULE_ACTIVITY"), on="campaign_id")
    assert len(few_left) < len(usual)
