"""Truth and the bank's view: each follows its document, none depends on the part or on the merchant's id."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from planted_flows import CAMPAIGNS, CLASSES, PARAMETERS, flows_of, scene_of

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.parameters import Parameters, shipped
from assay.engine.truth.document import BankView
from assay.engine.truth.state import BANK, EVENT_LABELS, OPENINGS, TRUTH, labels
from assay.engine.truth.words import SUBTYPES

ROWS = 90_000
DOCUMENT = PARAMETERS.of(BankView)
#: every subtype that a campaign has
OF_CAMPAIGNS = [name for name in SUBTYPES if name not in ("NONE", "FRIENDLY_FRAUD")]


def seen(flows: pl.DataFrame, parameters: Parameters = PARAMETERS) -> pl.DataFrame:
    """Flows with everything that S4 says of each."""
    made = labels(scene_of(flows, parameters=parameters), 0)
    for output in (TRUTH, BANK, OPENINGS):
        flows = flows.join(
            made[output.output_id].drop(["instrument_id", "account_id", "party_id", "merchant_id"], strict=False), on="flow_id", how="left"
        )
    return flows.with_columns(opened=pl.col("opened_us").is_not_null(), ts_us=pl.col("ts_utc").dt.epoch("us"))


def share(truths: pl.Series) -> float:
    """How many of the rows are true; null is not."""
    return float(truths.fill_null(False).to_numpy().mean())


def near(found: float, expected: float, rows: int) -> None:
    """A share within five standard deviations of what it was drawn with."""
    assert abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / rows), (found, expected)


def with_classes(flows: pl.DataFrame) -> pl.DataFrame:
    """Flows with their demand class."""
    return flows.with_columns(demand=pl.col("merchant_id").map_elements(lambda one: CLASSES[(one - 1) % 8], return_dtype=pl.String))


@pytest.mark.parametrize("subtype", OF_CAMPAIGNS)
def test_a_campaigns_flows_have_the_truth_and_the_rates_of_its_subtype(subtype: str) -> None:
    rows = with_classes(seen(flows_of(ROWS, [subtype])))
    label = "ABUSE" if subtype in ("REFUND_ABUSE", "BONUS_ABUSE", "PROMO_FRAUD") else "FRAUD"
    assert {*rows["fraud_label"]} == {label}
    assert rows["is_fraud_truth"].all()
    rates, factors = DOCUMENT.rates[subtype], DOCUMENT.classes
    for demand, group in rows.group_by("demand"):
        factor = factors[str(demand[0])]
        near(share(group["detected_us"] >= 0), min(rates[0] * factor[0], 0.98), len(group))
        near(share(group["disputed_us"] >= 0), min(rates[2] * factor[2], 0.98), len(group))
    found = rows.filter(pl.col("detected_us") >= 0)
    near(share(found["detected_us"] == found["ts_us"] + 2_000_000), rates[1], len(found))
    backed = rows.filter(pl.col("charged_back_us") >= 0)
    losses = backed.filter(pl.col("bank_label") == "CHARGEBACK_WRITTEN_OFF")
    near(len(losses) / len(backed), DOCUMENT.chargebacks[label][0], len(backed))


def test_every_subtype_of_a_campaign_is_seen_by_the_bank() -> None:
    rows = seen(flows_of(ROWS, OF_CAMPAIGNS))
    shares = rows.group_by("campaign_id").agg(pl.col("is_fraud_bank_view").mean())
    assert (shares["is_fraud_bank_view"] > 0.05).all()
    assert len(shares) == len(OF_CAMPAIGNS)


def test_flows_without_a_campaign_are_legitimate_but_for_friendly_fraud() -> None:
    small, large = seen(flows_of(ROWS, ["NONE"], amount=20.0)), seen(flows_of(400_000, ["NONE"], amount=90.0))
    assert {*small["fraud_label"]} == {"LEGIT"}
    assert {*large["fraud_label"]} == {"LEGIT", "ABUSE"}
    friendly = large.filter(pl.col("is_fraud_truth"))
    prone = friendly["party_id"].unique()
    parties = large["party_id"].n_unique()
    near(len(prone) / parties, DOCUMENT.friendly_fraud.prone_share, parties)
    theirs = large.filter(pl.col("party_id").is_in(prone.implode()))
    near(len(friendly) / len(theirs), DOCUMENT.friendly_fraud.rate, len(theirs))


def test_false_positives_and_cases_stay_in_the_corridors_of_the_reference() -> None:
    legit = seen(flows_of(400_000, ["NONE"])).filter(~pl.col("is_fraud_truth"))
    assert 0.0005 < share(legit["bank_label"] == "BANK_CONFIRMED_FRAUD") < 0.02
    assert 0.0005 < share(legit["opened"]) < 0.20
    cheap, dear = (seen(flows_of(400_000, ["NONE"], amount=amount)) for amount in (40.0, 1440.0))
    rates = [share(one.filter(~pl.col("is_fraud_truth"))["is_fraud_bank_view"]) for one in (cheap, dear)]
    assert 4 < rates[1] / rates[0] < 7  # sqrt(1440 / 180) over the least factor, 0.5


def test_truth_does_not_depend_on_the_merchant() -> None:
    flows = flows_of(20_000, ["NONE", *OF_CAMPAIGNS], amount=90.0)
    other = flows.with_columns(pl.Series("merchant_id", flows["merchant_id"].to_numpy()[::-1].copy()))
    assert seen(flows)["fraud_label"].equals(seen(other)["fraud_label"])


def test_a_flows_row_does_not_depend_on_its_part() -> None:
    flows = flows_of(9_000, ["NONE", *OF_CAMPAIGNS])
    halves = [labels(scene_of(flows.filter(chosen)), 0) for chosen in (pl.int_range(9_000) < 4_000, pl.int_range(9_000) >= 4_000)]
    whole = labels(scene_of(flows), 0)
    for name, rows in whole.items():
        assert pl.concat([half[name] for half in halves]).equals(rows), name


def test_times_follow_one_another() -> None:
    rows = seen(flows_of(ROWS, ["NONE", *OF_CAMPAIGNS])).filter(pl.col("opened"))
    for before, after in (
        ("ts_us", "opened_us"),
        ("disputed_us", "charged_back_us"),
        ("charged_back_us", "decided_us"),
        ("opened_us", "disputed_us"),
    ):
        both = rows.filter((pl.col(before) >= 0) & (pl.col(after) >= 0))
        assert (both[before] <= both[after]).all(), (before, after)
    assert (rows.filter(pl.col("charged_back_us") >= 0)["disputed_us"] >= 0).all()
    known = rows.filter(pl.col("known_ts_utc").is_not_null())
    assert (known["known_ts_utc"].dt.epoch("us") > known["ts_us"]).all()  # nobody knows with the payment


def test_delays_have_the_medians_of_their_models() -> None:
    rows = seen(flows_of(400_000, ["ATO"]))
    disputes = (rows.filter(pl.col("disputed_us") >= 0)).select((pl.col("disputed_us") - pl.col("ts_us")) / 1e6).to_series()
    assert disputes.median() == pytest.approx(np.exp(11.7), rel=0.02)
    behind = rows.filter(pl.col("detected_us") > pl.col("ts_us") + 2_000_000)
    later = behind.select((pl.col("detected_us") - pl.col("ts_us")) / 1e6).to_series()
    near(share(later == 300.0), 0.30, len(later))
    assert later.filter(later != 300.0).median() == pytest.approx(np.exp(10.1), rel=0.03)
    decisions = rows.filter(pl.col("decided_us") >= 0).select((pl.col("decided_us") - pl.col("charged_back_us")) / 1e6).to_series()
    assert decisions.mean() == pytest.approx(86_400 + 172_800 * 1.6, rel=0.02)


def test_labels_of_events_are_those_of_their_flows() -> None:
    flows = flows_of(5_000, ["NONE", *OF_CAMPAIGNS])
    made = labels(scene_of(flows), 0)
    events = made[EVENT_LABELS.output_id]
    assert len(events) == 2 * len(flows)
    joined = events.join(made[TRUTH.output_id], on="flow_id").join(made[BANK.output_id], on="flow_id")
    assert (joined["is_fraud_truth"] == joined["is_fraud_truth_right"]).all()
    assert (joined["is_fraud_bank_view"] == joined["is_fraud_bank_view_right"]).all()


def _changed(field: str, **values: Any) -> dict[str, dict[str, Any]]:
    return {"bank_view": {field: {**PARAMETERS.documents["bank_view"][field], **values}}}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        (_changed("rates", NONE=[0, 0, 0]), "bank_view.rates.NONE"),
        (_changed("rates", ATO=[2, 0, 0, 0]), "bank_view.rates.ATO.0"),
        (_changed("rates", OTHER=[0, 0, 0, 0]), "bank_view"),
        (_changed("authorisation", APPROVE=0.5), "bank_view"),
        (_changed("chargebacks", FRAUD=[0.5, 0.5, 0.5]), "bank_view"),
        (_changed("cases", keys=["device_id"]), "bank_view.cases.keys.0"),
        ({"bank_view": {"more": 1}}, "bank_view.more"),
    ],
)
def test_a_document_that_says_something_else_is_refused(changes: dict[str, dict[str, Any]], where: str) -> None:
    with pytest.raises(Stop) as refused:
        shipped("tiny", changes).of(BankView)
    assert refused.value.reason is Reason.ENGINE_PARAMETERS_INVALID
    assert refused.value.where == where


def test_a_scale_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Stop) as refused:
        shipped("huge")
    assert (refused.value.reason, "tiny, small, medium, full" in refused.value.remedy) == (Reason.ENGINE_PARAMETERS_INVALID, True)


def test_campaign_ids_of_the_tests_are_those_of_subtypes() -> None:
    assert list(CAMPAIGNS) == list(SUBTYPES)
