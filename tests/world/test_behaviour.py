"""6B S1 and S2: who stands behind an arrival, sessions, amounts, payees and events."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from bank_worlds import bank, made, rows

from assay.engine.behaviour.channels import mixed
from assay.engine.behaviour.document import Behaviour
from assay.engine.philox import stream_key

ENTITIES, FLOWS = "s1_arrival_entities_6B", "s2_flow_anchor_baseline_6B"
BEHAVIOUR = bank().parameters.of(Behaviour)


def with_channel() -> Any:
    """Baseline flows with the channel of their arrival's place and their arrival's zone."""
    arrivals = rows("arrival_events_5B").select("merchant_id", "arrival_seq", "channel_group", "is_virtual", "zone_representation")
    return rows(FLOWS).join(arrivals, on=["merchant_id", "arrival_seq"])


def test_every_arrival_has_entities_that_belong_together() -> None:
    found = rows(ENTITIES)
    assert len(found) == len(rows("arrival_events_5B"))
    instruments = rows("s3_instrument_base_6A").select("instrument_id", own_account="account_id", owner="owner_party_id")
    joined = found.join(instruments, on="instrument_id")
    assert len(joined) == len(found)
    assert (joined["own_account"] == joined["account_id"]).all()
    assert (joined["owner"] == joined["party_id"]).all()
    links = rows("s4_device_links_6A").select("device_id", "party_id").drop_nulls().unique()
    # sessions through somebody else's device or address
    for keys, linked, share in (
        (["device_id", "party_id"], links, BEHAVIOUR.habits.strange_device),
        (["device_id", "ip_id"], rows("s4_ip_links_6A"), BEHAVIOUR.habits.strange_ip),
    ):
        strange = found.join(linked, on=keys, how="anti").unique("session_id")
        sessions = found["session_id"].n_unique()
        assert abs(len(strange) / sessions - share) < 5 * (share / sessions) ** 0.5 + 0.1 * share, keys


def test_a_session_ends_after_a_gap_longer_than_the_time_out() -> None:
    timeout_us = BEHAVIOUR.trips.timeout_s * 1_000_000
    for part in range(4):
        found = bank().table(ENTITIES, part).sort("party_id", "ts_utc")
        gap = found["ts_utc"].diff().dt.total_microseconds()
        same_party = found["party_id"] == found["party_id"].shift()
        same_session = found["session_id"] == found["session_id"].shift()
        assert ((same_party & (gap <= timeout_us)) == same_session)[1:].all()


def test_the_session_index_counts_its_arrivals_and_names_each_session_once() -> None:
    index, found = rows("s1_session_index_6B"), rows(ENTITIES)
    assert index["session_id"].n_unique() == len(index)
    counted = found.group_by("session_id").agg(
        pl.len().cast(pl.Int64), start=pl.col("ts_utc").min(), end=pl.col("ts_utc").max(), devices=pl.col("device_id").n_unique()
    )
    joined = index.join(counted, on="session_id")
    assert len(joined) == len(index) == len(counted)
    assert (joined["len"] == joined["arrival_count"]).all()
    assert (joined["start"] == joined["session_start_utc"]).all()
    assert (joined["end"] == joined["session_end_utc"]).all()
    assert (joined["devices"] == 1).all()


def test_trips_leave_fewer_than_sixty_percent_of_sessions_with_one_arrival() -> None:
    assert (rows("s1_session_index_6B")["arrival_count"] == 1).mean() <= 0.60


def test_customers_live_where_they_buy_and_come_back() -> None:
    profile = rows("merchant_zone_profile_5A").select("merchant_id", "tzid", zone_country="country_iso").unique(["merchant_id", "tzid"])
    flows = with_channel().join(profile, left_on=["merchant_id", "zone_representation"], right_on=["merchant_id", "tzid"])
    parties = rows("s1_party_base_6A").select("party_id", "country_iso")
    home = (flows.join(parties, on="party_id").select(pl.col("country_iso") == pl.col("zone_country"))).to_series().mean()
    assert 0.90 <= home <= 0.995
    again = ~flows.sort("ts_utc").select(pl.struct("party_id", "merchant_id").is_first_distinct()).to_series()
    assert again.mean() > 0.3


def test_activity_of_parties_has_a_heavy_tail() -> None:
    counts = rows(ENTITIES)["party_id"].value_counts()["count"].sort(descending=True)
    assert counts[: len(counts) // 10].sum() / counts.sum() > 0.25
    assert counts[: len(counts) // 10].sum() / counts.sum() < 0.75


def test_cards_pay_price_points_as_often_as_the_document_says() -> None:
    card = with_channel().filter(pl.col("channel_group").is_in(["ECOM", "POS", "HYBRID"]))
    share = (card["amount"] * 100).round().cast(pl.Int64).is_in(list(BEHAVIOUR.purchases.price_points)).mean()
    wanted = BEHAVIOUR.purchases.price_point_share
    error = 4 * (wanted * (1 - wanted) / len(card)) ** 0.5
    # other laws may give an amount of a price point too
    assert wanted - error <= share <= wanted + error + 0.04


def test_cash_is_paid_in_notes() -> None:
    cash = made("S2", {"arrival_events_5B": lambda came: came.with_columns(channel_group=pl.lit("ATM"))})[FLOWS]
    minor = (cash["amount"] * 100).round().cast(pl.Int64)
    assert (minor.is_in(list(BEHAVIOUR.cash.points)) | (minor % BEHAVIOUR.cash.step == 0)).all()


def test_only_transfers_have_a_payee_and_parties_keep_to_a_short_list() -> None:
    flows = with_channel()
    transfers = flows.filter(pl.col("channel_group") == "BANK_RAIL")
    assert flows.filter(pl.col("channel_group") != "BANK_RAIL")["counterparty_account_id"].null_count() == len(flows) - len(transfers)
    assert transfers["counterparty_account_id"].null_count() < 0.02 * len(transfers)
    paid = transfers.drop_nulls("counterparty_account_id")
    assert (paid["counterparty_account_id"] != paid["account_id"]).all()
    payees = paid.group_by("party_id").agg(pl.col("counterparty_account_id").n_unique(), pl.len())
    # a payee that is the paying account itself is replaced, so that a slot may have a second account
    assert payees["counterparty_account_id"].max() <= 2 * BEHAVIOUR.transfers.payees
    assert payees.filter(pl.col("len") >= 20).select((pl.col("counterparty_account_id") / pl.col("len")).mean()).item() < 0.5


def test_flow_ids_name_flows_and_amounts_are_whole_cents() -> None:
    flows = rows(FLOWS)
    assert flows["flow_id"].n_unique() == len(flows)
    assert flows["flow_id"].min() >= 0
    for name in (FLOWS, "s3_flow_anchor_with_fraud_6B"):
        amount = rows(name)["amount"].to_numpy()
        minor = np.rint(amount * 100)
        assert (minor / 100 == amount).all(), name
    assert minor.min() >= 1


def test_the_bank_answers_after_the_latency_of_its_law() -> None:
    events = rows("s2_event_stream_baseline_6B").sort("flow_id", "event_seq")
    assert len(events) == 2 * len(rows(FLOWS))
    request, response = events.gather_every(2), events.gather_every(2, 1)
    assert (request["event_type"] == "AUTH_REQUEST").all()
    assert (response["event_type"] == "AUTH_RESPONSE").all()
    assert (request["amount"] == response["amount"]).all()
    seconds = (response["ts_utc"] - request["ts_utc"]).dt.total_microseconds().to_numpy() / 1e6
    assert seconds.max() <= 180
    # e^1.10 = 3.004; the error of a median is about 1.25 · sigma / sqrt(n)
    assert np.median(seconds) == pytest.approx(3.004, rel=4 * 1.25 * 1.2 / len(seconds) ** 0.5)


def test_numbers_of_arrivals_are_mixed_without_collision() -> None:
    key = stream_key("test")
    mixes = {int(mixed(merchant << 40 | seq, key)) for merchant in range(40) for seq in range(1, 500)}
    assert len(mixes) == 40 * 499
    assert 0 <= min(mixes) < max(mixes) < 2**63


def test_instruments_and_devices_fit_their_channel() -> None:
    flows = with_channel().filter(pl.col("channel_group").is_in(["ECOM", "POS", "BANK_RAIL"]))
    typed = flows.join(rows("s3_instrument_base_6A").select("instrument_id", "instrument_type"), on="instrument_id")
    owned = rows("s3_instrument_base_6A").select("owner_party_id", "instrument_type")
    for channel in ("ECOM", "POS", "BANK_RAIL"):
        usual = list(BEHAVIOUR.usual[channel].instruments)
        able = owned.filter(pl.col("instrument_type").is_in(usual))["owner_party_id"].unique()
        here = typed.filter((pl.col("channel_group") == channel) & pl.col("party_id").is_in(able.to_list()))
        assert here["instrument_type"].is_in(usual).mean() > 0.8, channel


def test_a_party_has_a_device_and_an_instrument_that_it_prefers() -> None:
    found = rows(ENTITIES)
    for column, least in (("device_id", 0.6), ("instrument_id", 0.6)):
        used = found.group_by("party_id", column).len().group_by("party_id").agg(pl.col("len").max(), pl.col("len").sum().alias("all"))
        often = used.filter(pl.col("all") >= 20)
        assert least < often["len"].sum() / often["all"].sum() < 0.98, column


def test_tills_end_amounts_as_the_document_says() -> None:
    laws = BEHAVIOUR.purchases
    card = with_channel().filter(pl.col("channel_group").is_in(["ECOM", "POS", "HYBRID"]))
    minor = (card["amount"] * 100).round().cast(pl.Int64)
    other = minor.filter(~minor.is_in(list(laws.price_points)))
    # a free amount ends in .00, .99 or .50 by chance too, and small amounts below a unit are whole units
    for ending, share in ((0, laws.round_share), (99, laws.ending_share), (50, laws.half_share)):
        assert share - 0.02 < (other % 100 == ending).mean() < share + 0.05, ending


def test_payees_are_paid_their_standing_amount_again() -> None:
    paid = with_channel().filter(pl.col("channel_group") == "BANK_RAIL").drop_nulls("counterparty_account_id")
    again = paid.group_by("party_id", "counterparty_account_id", "amount").len()
    repeated = again.filter(pl.col("len") > 1)["len"].sum() / len(paid)
    # the first payment of a standing amount, and those made once, do not repeat
    assert BEHAVIOUR.transfers.standing_share * 0.3 < repeated < BEHAVIOUR.transfers.standing_share + 0.15


def test_businesses_are_paid_by_more_accounts_than_people_are() -> None:
    paid = with_channel().drop_nulls("counterparty_account_id")
    kinds = rows("s2_account_base_6A").select("account_id", "party_type")
    payers = paid.group_by("counterparty_account_id").agg(payers=pl.col("account_id").n_unique())
    typed = payers.join(kinds, left_on="counterparty_account_id", right_on="account_id")
    means = dict(typed.group_by(pl.col("party_type") == "BUSINESS").agg(pl.col("payers").mean()).iter_rows())
    assert means[True] > 2 * means[False]


def test_payees_are_paid_on_current_accounts() -> None:
    paid = rows(FLOWS).drop_nulls("counterparty_account_id").select(account_id="counterparty_account_id")
    types = paid.join(rows("s2_account_base_6A").select("account_id", "account_type"), on="account_id")["account_type"]
    assert len(types) == len(paid)
    assert types.is_in(list(BEHAVIOUR.transfers.payable)).all()
