"""The words of the report: names of measures, templates and figures as an analyst says them, with units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from assay.app.world.corridors import Measure


class Words(NamedTuple):
    """How a measure is shown: its name, the factor of its values, and the unit behind them."""

    text: str
    factor: float = 1.0
    unit: str = ""


def _percent(text: str) -> Words:
    return Words(text, 100.0, " %")


GROUPS: Mapping[str, str] = {
    "prevalence": "Fraud of each kind, of all payments",
    "shape": "Payments and their customers",
    "bank": "What the bank saw",
    "difficulty": "How hard the fraud is to find",
    "campaigns": "Distance of campaigns to their targets, in distances between two seeds",
}
#: group → measure → words
MEASURES: Mapping[str, Mapping[str, Words]] = {
    "shape": {
        "fraud_share": _percent("payments that are fraud"),
        "singleton_sessions": _percent("sessions with only one payment"),
        "weekend_share": _percent("payments on Saturdays and Sundays"),
        "peak_hour": Words("busiest hour of the day", unit=" h"),
        "night_share": _percent("payments before 6 o'clock"),
        "amount_tail": Words("amount that 1 % of payments exceed, against the median", unit=" times"),
        "flows_per_party_gini": Words("inequality of customers by payments (Gini: 0 equal, 1 one has all)"),
        "flows_per_merchant_gini": Words("inequality of merchants by payments (Gini)"),
        "repeat_merchant": _percent("payments at a merchant where the customer paid before"),
        "first_device_share": _percent("payments through the account's usual device"),
        "behaviour_v": Words("how far amount, night and new device tell fraud (Cramér's V: 0 nothing, 1 all)"),
    },
    "bank": {
        "precision": _percent("fraud among what the bank calls fraud (precision)"),
        "recall": _percent("fraud that the bank calls so (recall)"),
        "detection_median_h": Words("until a fraud is detected, if not at once (median)", unit=" h"),
        "dispute_median_d": Words("until a customer disputes a payment (median)", unit=" days"),
        "case_share": _percent("payments that open a case"),
    },
    "difficulty": {
        "stump_recall": _percent("fraud that two yes-or-no questions to raw columns find, at 0.1 % false alarms"),
        "merchant_hash_lift": Words("what the merchant alone tells: 1 is chance (average precision over share of fraud)", unit=" times"),
        "features_lift": Words("what boosted trees on the lane's features tell", unit=" times"),
        "shuffled_lift": Words("the same trees, taught with shuffled labels", unit=" times"),
    },
}
FIGURES: Mapping[str, str] = {
    "gap_s": "seconds between payments of an episode (median)",
    "burst_flows": "payments of an episode (mean)",
    "parties_per_device": "customers of a device (mean)",
    "device_hour_flows": "payments of a device in an hour (mean)",
    "amount": "amount (median)",
}
_KINDS: Mapping[str, str] = {
    "ATO": "account takeover",
    "ATO_ACCOUNT_SWEEP": "account takeover",
    "CARD_TESTING_BURST": "card testing",
    "BONUS_ABUSE_FLOW": "bonus abuse",
    "PROMO_FRAUD_EVENTS": "promo fraud",
    "MULE_ACTIVITY": "laundering",
    "FRIENDLY_FRAUD": "friendly fraud: customers dispute what they bought",
}


def kind(code: str) -> str:
    """A template or a subtype of fraud: T_LAUNDERING_FAN_IN is "laundering, fan in"."""
    name = code.removeprefix("T_")
    plain = _KINDS.get(name, name.replace("_", " ").lower())
    return plain.replace("laundering ", "laundering, ", 1)


def words_of(measure: Measure) -> Words:
    """How a measure is shown."""
    if measure.group == "prevalence":
        return _percent(kind(measure.name))
    return Words(kind(measure.name), unit=" times") if measure.group == "campaigns" else MEASURES[measure.group][measure.name]
