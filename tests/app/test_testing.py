"""`assay.testing`: rules and features tried in memory, as users do it."""

from __future__ import annotations

from typing import Any

import pytest

from assay.app.policy.documents import document
from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.reasons import Reason
from assay.testing import Simulation, assay_simulation

__all__ = ["assay_simulation"]

CURRENCIES = ("EUR", "USD", "GBP", "EUR")
BURST: dict[str, Any] = {
    "policy_id": "burst",
    "revision": "1",
    "rules": [{"code": "THIRD_PAYMENT_OF_THE_DAY", "points": 60, "when": [{"feature": "customer_count_1d", "ge": 3}]}],
    "thresholds": {"STEP_UP": 30, "QUEUE_REVIEW": 60, "DECLINE": 90},
}


def test_the_third_payment_of_a_day_is_reviewed(assay_simulation: type[Simulation]) -> None:
    """A rule of one's own, decided by the lane."""
    simulation = assay_simulation(features="handbook", rules=BURST)
    for minute in (1, 2, 3):
        simulation.payment(amount_minor=2_500, at=f"2026-01-01T00:0{minute}:00.000000Z", customer="c1")
    simulation.payment(amount_minor=2_500, at="2026-01-01T00:04:00.000000Z", customer="c2")
    decisions = simulation.run()
    assert [decision.outcome for decision in decisions] == ["ALLOW", "ALLOW", "QUEUE_REVIEW", "ALLOW"]
    assert decisions[2].reasons == ("THIRD_PAYMENT_OF_THE_DAY",)
    assert decisions[2].features["customer_count_1d"] == 3


def test_a_mistyped_entity_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(Quarantine, match="Did you mean 'customer'") as refused:
        Simulation().payment(amount_minor=1_000, costumer="c1")
    assert refused.value.reason is Reason.ENTITY_UNKNOWN


def test_a_currency_that_nobody_knows_is_refused_as_the_gate_refuses_it() -> None:
    with pytest.raises(Quarantine) as refused:
        Simulation().payment(amount_minor=1_000, currency="XXX")
    assert refused.value.reason is Reason.CURRENCY_UNKNOWN


def test_payments_of_one_time_fold_in_the_order_in_which_they_are_posted() -> None:
    """Their ids would order them the other way round."""
    simulation = Simulation()
    for name in ("c", "b", "a"):
        simulation.payment(amount_minor=1_000, event_id=name)
    assert {one.event_id: one.features["customer_count_1d"] for one in simulation.run()} == {"c": 1, "b": 2, "a": 3}


def test_a_label_counts_from_the_time_it_was_known() -> None:
    """And not before."""
    simulation = Simulation()
    fraud = simulation.payment(amount_minor=1_000, at="2026-01-01T00:00:00.000000Z")
    simulation.payment(amount_minor=1_000, at="2026-01-09T00:00:00.000000Z")
    simulation.label(fraud, at="2026-01-10T00:00:00.000000Z")
    simulation.payment(amount_minor=1_000, at="2026-01-11T00:00:00.000000Z")
    rates = [decision.features["terminal_fraud_rate_7d"] for decision in simulation.run()]
    assert rates == [0.0, 0.0, 1.0]


def test_decisions_come_in_event_time_however_payments_are_posted_and_running_again_changes_nothing() -> None:
    """The same world twice."""
    simulation = Simulation()
    late = simulation.payment(amount_minor=100, at="2026-01-02T00:00:00.000000Z")
    early = simulation.payment(amount_minor=100, at="2026-01-01T00:00:00.000000Z", event_id="early")
    assert [decision.event_id for decision in simulation.run()] == [early, late]
    assert simulation.run() == simulation.run()


def test_without_a_posture_decisions_are_fail_safe_and_say_so() -> None:
    """ALLOW becomes STEP_UP."""
    simulation = Simulation(posture=None)
    simulation.payment(amount_minor=100)
    (decision,) = simulation.run()
    assert decision.outcome == "STEP_UP"
    assert "POSTURE_MISSING_FAIL_SAFE" in decision.reasons


def test_a_payment_without_an_entity_reads_what_the_reference_says_of_one() -> None:
    """0 for its features, -1 for the time since the last; and it touches no other payment's merchant."""
    simulation = Simulation(features="transfers", rules="transfers")
    simulation.payment(amount_minor=100, account="a", party="p", merchant=None)
    simulation.payment(amount_minor=100, account="a", party=None, merchant=None, at="2026-01-01T00:01:00.000000Z")
    simulation.payment(amount_minor=100, account="a", at="2026-01-01T00:02:00.000000Z")
    first, second, third = simulation.run()
    assert (first.features["merchant_mean_7d"], first.features["account_distinct_merchant_7d"]) == (0.0, 0)
    assert (second.features["beneficiary_since_last_s"], second.features["account_since_last_s"]) == (-1, 60)
    assert (third.features["merchant_count_1d"], third.features["account_distinct_merchant_7d"]) == (0, 1)
    assert third.features["account_distinct_beneficiary_1d"] == 2


def test_a_payment_in_a_currency_that_the_feature_document_does_not_list_is_in_no_window() -> None:
    """It has no decision."""
    simulation = Simulation(features={**document("transfers", "features"), "currencies": ["EUR", "GBP"]}, rules="transfers")
    given = [simulation.payment(amount_minor=100, at=f"2026-01-01T00:0{n}:00.000000Z", currency=c) for n, c in enumerate(CURRENCIES)]
    decisions = simulation.run()
    assert [decision.event_id for decision in decisions] == [given[0], given[2], given[3]]
    assert decisions[-1].features["account_sum_1d"] == 300


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"features": "no_such_policy"}, Reason.POLICY_MISSING),
        (
            {"rules": {**BURST, "rules": [{"code": "X", "points": 1, "when": [{"feature": "no_such", "ge": 1}]}]}},
            Reason.RULES_DOCUMENT_INVALID,
        ),
    ],
)
def test_a_bad_document_is_refused_by_name(given: dict[str, Any], reason: Reason) -> None:
    """Before anything is run."""
    with pytest.raises(AssayError) as refused:
        Simulation(**given).run()
    assert refused.value.reason is reason
