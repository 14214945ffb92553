"""6B S3: campaigns are planned before the overlay, behave as their templates say, and change nothing else."""

from __future__ import annotations

import hashlib

import polars as pl
import pytest
from bank_worlds import bank, plan, rows

from assay.engine.behaviour.campaign_document import Campaigns
from assay.engine.behaviour.campaign_statistics import FIGURES, campaign_statistics
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.outputs import ENTITY_KINDS
from assay.engine.scenario import DAY_US, Scenario

DOCUMENT, SCENARIO = bank().parameters.of(Campaigns), bank().parameters.of(Scenario)
BEHAVIOUR = bank().parameters.of(Behaviour)
ENTITIES = ["party_id", "account_id", "instrument_id", "device_id", "ip_id"]
ARRIVAL = ["merchant_id", "arrival_seq"]


def test_every_template_and_motif_runs_several_times_in_windows_spread_over_the_horizon() -> None:
    catalogue = rows("s3_campaign_catalogue_6B")
    instances = dict(catalogue["campaign_label"].value_counts().iter_rows())
    assert instances.keys() == {*DOCUMENT.templates, *DOCUMENT.motifs}
    assert min(instances.values()) >= 2
    assert catalogue["campaign_id"].n_unique() == len(catalogue)
    days = plan().select((pl.col("ts_utc").dt.epoch("us") - SCENARIO.start_us) // DAY_US).to_series()
    thirds = (days * 3 // SCENARIO.days).value_counts()
    assert len(thirds) == 3
    assert thirds["count"].min() > 0.15 * len(days)


def test_the_name_of_a_campaign_is_the_digest_of_its_identity() -> None:
    one, world = rows("s3_campaign_catalogue_6B").row(0, named=True), bank().identity
    tokens = (world.manifest_fingerprint, world.parameter_hash, str(world.seed), world.scenario_id, one["campaign_label"], "0")
    assert one["campaign_id"] == hashlib.sha256(":".join(tokens).encode()).hexdigest()


def test_shares_of_flows_are_those_of_the_document() -> None:
    flows = dict(plan()["campaign_label"].value_counts().iter_rows())
    total = len(rows("arrival_events_5B"))
    shares = {label: law.share for label, law in DOCUMENT.laws.items()}
    for label, share in shares.items():
        wanted = share * total
        # each instance ends with a whole episode or unit
        assert wanted * 0.9 - 5 <= flows[label] <= wanted + 6 * 36, label


def test_the_overlay_changes_planned_arrivals_and_no_others() -> None:
    base, fraud, planned = rows("s2_flow_anchor_baseline_6B"), rows("s3_flow_anchor_with_fraud_6B"), rows("s3_campaign_plan_6B")
    assert fraud["flow_id"].to_list() == base["flow_id"].to_list()
    assert planned.select(ARRIVAL).n_unique() == len(planned) == fraud["fraud_flag"].sum()
    assert (fraud["fraud_flag"] == fraud["campaign_id"].is_not_null()).all()
    kept = ~fraud["fraud_flag"]
    assert fraud.filter(kept).select(base.columns).equals(base.filter(kept))
    joined = fraud.filter(~kept).join(planned, on=ARRIVAL, suffix="_planned")
    assert len(joined) == len(planned)
    for name in (*ENTITIES, "campaign_id", "ts_utc"):
        assert (joined[name] == joined[f"{name}_planned"]).all(), name
    assert ((joined["amount"] * 100).round() == joined["amount_minor"]).all()
    given = joined.filter(pl.col("counterparty_account_id_planned").is_not_null())
    assert (given["counterparty_account_id"] == given["counterparty_account_id_planned"]).all()


def test_fraud_events_follow_their_flows_with_the_latency_of_the_baseline() -> None:
    events = rows("s3_event_stream_with_fraud_6B").sort("flow_id", "event_seq")
    base = rows("s2_event_stream_baseline_6B").sort("flow_id", "event_seq")
    flows = rows("s3_flow_anchor_with_fraud_6B").sort("flow_id")
    request, response = events.gather_every(2), events.gather_every(2, 1)
    for name in ("ts_utc", "amount", "fraud_flag"):
        assert (request[name] == flows[name]).all(), name
    assert request["campaign_id"].equals(flows["campaign_id"])
    wait = response["ts_utc"] - request["ts_utc"]
    last = response["ts_utc"].dt.epoch("us") == SCENARIO.end_us - 1
    assert ((wait == base.gather_every(2, 1)["ts_utc"] - base.gather_every(2)["ts_utc"]) | last).all()
    assert (wait.dt.total_microseconds() >= 0).all()


def test_a_campaign_flow_keeps_its_day_its_merchant_and_its_number() -> None:
    arrivals = rows("arrival_events_5B").select(*ARRIVAL, came="ts_utc")
    joined = plan().join(arrivals, on=ARRIVAL)
    assert (joined["came"].dt.date() == joined["ts_utc"].dt.date()).all()
    assert (joined["came"] != joined["ts_utc"]).mean() > 0.99


def test_planned_entities_belong_together() -> None:
    instruments = rows("s3_instrument_base_6A").select("instrument_id", own_account="account_id", owner="owner_party_id")
    joined = plan().join(instruments, on="instrument_id")
    assert (joined["owner"] == joined["party_id"]).all()
    cards = joined.filter(~pl.col("campaign_label").str.starts_with("T_LAUNDERING"))
    assert (cards["own_account"] == cards["account_id"]).all()
    accounts = rows("s2_account_base_6A").select("account_id", "owner_party_id")
    assert (plan().join(accounts, on="account_id").select(pl.col("owner_party_id") == pl.col("party_id"))).to_series().all()


def test_card_tests_use_many_instruments_on_few_devices_seconds_apart() -> None:
    tests = plan().filter(pl.col("campaign_label") == "T_CARD_TESTING_BURST")
    episodes = tests.group_by("campaign_id", "episode").agg(
        pl.len(),
        pl.col("instrument_id").n_unique(),
        devices=pl.col("device_id").n_unique(),
        span=pl.col("ts_utc").max() - pl.col("ts_utc").min(),
    )
    long = episodes.filter(pl.col("len") >= 8)
    assert len(long) >= 5
    assert (long["instrument_id"] / long["len"]).mean() > 0.85
    assert (long["devices"] / long["len"]).mean() < 0.35
    assert long["span"].dt.total_minutes().median() < 20
    assert (tests["amount_minor"] < 1000).mean() > 0.9


def test_takeovers_drain_one_account_from_a_new_device_for_more_than_it_paid_before() -> None:
    taken = plan().filter(pl.col("campaign_label") == "T_ATO_ACCOUNT_SWEEP")
    assert (taken.group_by("campaign_id", "episode").agg(pl.col("account_id").n_unique())["account_id"] == 1).all()
    known = rows("s4_device_links_6A").select("device_id", "party_id").drop_nulls().unique()
    foreign = taken.join(known, on=["device_id", "party_id"], how="anti")
    assert len(foreign) / len(taken) > 0.7
    assert taken["amount_minor"].median() / 100 > 3 * rows("s2_flow_anchor_baseline_6B")["amount"].median()


@pytest.mark.parametrize("label", ["T_REFUND_ABUSE", "T_PROMO_FRAUD_EVENTS", "T_BONUS_ABUSE_FLOW"])
def test_rings_share_devices_and_repeat_amounts(label: str) -> None:
    ring = plan().filter(pl.col("campaign_label") == label)
    devices = ring.group_by("campaign_id", "device_id").agg(pl.col("party_id").n_unique(), pl.len())
    assert (devices["party_id"] * devices["len"]).sum() / devices["len"].sum() > 2
    again = ring.group_by("campaign_id", "amount_minor").len()
    assert again.filter(pl.col("len") > 1)["len"].sum() / len(ring) > 0.5
    assert ring["merchant_id"].n_unique() > 5


def test_colluding_merchants_change_between_windows_and_sell_high_round_amounts() -> None:
    sold = plan().filter(pl.col("campaign_label") == "T_MERCHANT_COLLUSION")
    assert sold["merchant_id"].n_unique() >= 3
    assert (sold["amount_minor"] % 1000 == 0).mean() > 0.4
    assert sold["amount_minor"].median() / 100 > 3 * rows("s2_flow_anchor_baseline_6B")["amount"].median()
    assert sold["party_id"].n_unique() > 10


def test_campaigns_are_spread_over_merchants() -> None:
    counts = plan()["merchant_id"].value_counts()["count"]
    flows = rows("s2_flow_anchor_baseline_6B")["merchant_id"].value_counts()
    assert counts.max() / counts.sum() < max(0.2, 3 * flows["count"].max() / flows["count"].sum())


def test_figures_of_campaigns_lie_near_their_targets() -> None:
    found = campaign_statistics(plan())
    aims = rows("s3_campaign_catalogue_6B").unique("campaign_label").select("campaign_label", *(f"target_{name}" for name in FIGURES))
    for row in found.join(aims, on="campaign_label").iter_rows(named=True):
        for name in FIGURES:
            assert 0.4 < row[name] / row[f"target_{name}"] < 2.5, (row["campaign_label"], name)


def test_targets_name_each_planned_entity_of_a_campaign_once() -> None:
    targets, planned = rows("s3_campaign_targets_6B"), rows("s3_campaign_plan_6B")
    assert targets.n_unique() == len(targets)
    assert targets.equals(targets.sort("campaign_id", pl.col("entity_kind").cast(pl.Enum(ENTITY_KINDS)), "entity_id"))
    columns = {
        "ACCOUNT": ["account_id", "counterparty_account_id"],
        **{kind: [f"{kind.lower()}_id"] for kind in ("DEVICE", "MERCHANT", "IP")},
    }
    for kind, names in columns.items():
        ids = [planned.select("campaign_id", entity_id=pl.col(name).cast(pl.UInt64)) for name in names]
        wanted = pl.concat(ids).drop_nulls().unique()
        found = targets.filter(pl.col("entity_kind") == kind)
        assert len(wanted.join(found, on=["campaign_id", "entity_id"])) == len(wanted) == len(found), kind


def test_the_truth_graph_has_one_edge_for_each_campaign_flow() -> None:
    graph = rows("s3_campaign_subgraph_6B")
    fraud = rows("s3_flow_anchor_with_fraud_6B").filter(pl.col("fraud_flag")).select("flow_id", "campaign_id", "account_id", "device_id")
    joined = graph.join(fraud, on=["flow_id", "campaign_id"])
    assert len(joined) == len(graph) == len(fraud)
    from_account = joined.filter(pl.col("from_kind") == "ACCOUNT")
    assert (from_account["from_id"] == from_account["account_id"]).all()
    from_device = joined.filter(pl.col("from_kind") == "DEVICE")
    assert (from_device["from_id"] == from_device["device_id"]).all()


def test_campaigns_leave_most_arrivals_of_a_merchants_day_alone() -> None:
    day = pl.col("ts_utc").dt.date().alias("day")
    came = rows("arrival_events_5B").group_by("merchant_id", day).agg(came=pl.len())
    taken = plan().group_by("merchant_id", day).agg(taken=pl.len()).join(came, on=["merchant_id", "day"])
    most = (taken["came"] * DOCUMENT.merchant_day_share).floor().clip(1)
    beyond = (taken["taken"] - most).clip(0).sum()
    assert (taken["taken"] <= taken["came"]).all()
    assert beyond / taken["taken"].sum() < 0.05


def test_campaigns_ask_cash_in_notes() -> None:
    channels = rows("outlet_catalogue").select("merchant_id", "channel").unique()
    cash = plan().join(channels.filter(pl.col("channel") == "ATM"), on="merchant_id")
    assert (cash["amount_minor"] % BEHAVIOUR.cash.step == 0).all()


def test_takeovers_start_at_night_more_often_than_refunds() -> None:
    country = rows("s1_party_base_6A").select("party_id", "country_iso")
    profile = rows("merchant_zone_profile_5A").select("country_iso", "tzid").unique("country_iso", keep="first", maintain_order=True)
    zones = rows("tz_timetable_cache").sort("from_utc").unique("tzid", keep="first", maintain_order=True).select("tzid", "offset_s")
    firsts = plan().sort("ts_utc").unique(["campaign_id", "episode"], keep="first").join(country, on="party_id")
    local = firsts.join(profile, on="country_iso").join(zones, on="tzid")
    hour = (pl.col("ts_utc") + pl.duration(seconds=pl.col("offset_s"))).dt.hour()
    night = dict(local.group_by("campaign_label").agg((hour < 5).mean()).iter_rows())
    assert night["T_ATO_ACCOUNT_SWEEP"] > 0.4
    assert night["T_REFUND_ABUSE"] < 0.3
    assert night["T_ATO_ACCOUNT_SWEEP"] > 2 * night["T_REFUND_ABUSE"]


def test_a_colluding_merchant_sells_to_all_episodes_of_its_window() -> None:
    crew = pl.col("episode") // DOCUMENT.templates["T_MERCHANT_COLLUSION"].crew.episodes
    sold = plan().filter(pl.col("campaign_label") == "T_MERCHANT_COLLUSION").with_columns(crew=crew)
    most = sold.group_by("campaign_id", "crew", "merchant_id").len().group_by("campaign_id", "crew").agg(pl.col("len").max())
    # a merchant without enough arrivals on a day is helped out by another
    assert most["len"].sum() / len(sold) > 0.6
