"""Each feature and each form of a condition in words."""

from __future__ import annotations

from typing import Any

import pytest

from assay.app.report.paid import Paid
from assay.contracts.currencies import amount_text
from assay.tables.feature_document import parse_document
from assay.tables.rule_words import number, rule_words

WINDOW = {"entity": "card", "window": "7d", "resolution": "1d"}
DOCUMENT: dict[str, Any] = {
    "feature_set": "words", "revision": "1", "entities": ["card", "shop"], "label_entities": ["card"],
    "features": [
        {"name": "count", "op": "count", **WINDOW},
        {"name": "sum", "op": "sum", "value": "amount_minor", **WINDOW},
        {"name": "mean", "op": "mean", "value": "amount_minor", **WINDOW, "delay": "7d"},
        {"name": "zscore", "op": "zscore", "value": "amount_minor", **WINDOW},
        {"name": "distinct", "op": "distinct", "of": "shop", **WINDOW},
        {"name": "frauds", "op": "fraud_count", **WINDOW},
        {"name": "rate", "op": "fraud_rate", **WINDOW},
        {"name": "since", "op": "since_last", "entity": "card", "unit": "min"},
        {"name": "own", "op": "amount"},
        {"name": "night", "op": "night", "to_hour": 5},
        {"name": "weekend", "op": "weekend"},
    ],
}  # fmt: skip
FEATURES = {feature.name: feature for feature in parse_document(DOCUMENT).features}
VALUES = {
    "count": 4, "sum": 1_234_567, "mean": 3714.285714285714, "zscore": 2.345678, "distinct": 3, "frauds": 1, "rate": 0.123456,
    "since": -1, "own": 31_000, "night": 1, "weekend": 0, "amount_minor": 31_000,
}  # fmt: skip


OF = "of this card within 7d"
FAR = f"distance of this amount from the mean {OF}, in standard deviations: 2.35 (at least 2, less than 2.50)"
SUM = f"sum of the payments {OF}, which is 12,345.67 EUR"


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"feature": "count", "ge": 3}, f"payments {OF}: 4 (at least 3)"),
        ({"feature": "sum", "gt": 100_000}, f"sum of the payments {OF}: 12,345.67 EUR (more than 1,000.00 EUR)"),
        ({"feature": "mean", "lt": 5_000}, f"mean payment {OF}, 7d ago: 37.14 EUR (less than 50.00 EUR)"),
        ({"feature": "zscore", "ge": 2, "lt": 2.5}, FAR),
        ({"feature": "distinct", "le": 3}, f"different shop ids {OF}: 3 (at most 3)"),
        ({"feature": "frauds", "ne": 0}, f"frauds {OF}: 1 (other than 0)"),
        ({"feature": "rate", "ge": 0.1}, f"share of frauds in the payments {OF}: 0.1235 (at least 0.1)"),
        ({"feature": "since", "lt": 5}, "minutes since the payment before of this card: none, it is the first (less than 5)"),
        ({"feature": "own", "eq": 31_000}, "amount: 310.00 EUR (exactly 310.00 EUR)"),
        ({"feature": "night", "eq": 1}, "at night, to 05:59 UTC"),
        ({"feature": "weekend", "eq": 0}, "not on a weekend in UTC"),
        (
            {"feature": "amount_minor", "gt": {"times": 5, "feature": "mean"}},
            f"amount: 310.00 EUR (more than 5 times the mean payment {OF}, 7d ago, which is 37.14 EUR)",
        ),
        ({"feature": "amount_minor", "ge": {"feature": "sum"}}, f"amount: 310.00 EUR (at least the {SUM})"),
        (
            {"feature": "amount_minor", "per": "count", "gt": {"times": 2, "feature": "sum"}},
            f"amount times the payments {OF}: 310.00 EUR times 4 (more than 2 times the {SUM})",
        ),
    ],
    ids=str,
)
def test_a_condition_in_words(condition: dict[str, Any], words: str) -> None:
    assert rule_words([condition], FEATURES, VALUES, Paid(31_000, "EUR").money) == [words]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            {"feature": "sum", "gt": 100_000},
            f"sum of the payments {OF}: 1,234,567 minor units of all currencies (more than 100,000 minor units of all currencies)",
        ),
        (
            {"feature": "amount_minor", "gt": {"times": 5, "feature": "mean"}},
            f"amount: 310.00 EUR (more than 5 times the mean payment {OF}, 7d ago, which is 3,714 minor units of all currencies)",
        ),
        ({"feature": "own", "ge": 100}, "amount: 310.00 EUR (at least 1.00 EUR)"),
        ({"feature": "zscore", "ge": 2, "lt": 2.5}, FAR),
    ],
    ids=str,
)
def test_a_sum_of_several_currencies_is_an_amount_of_none_of_them(condition: dict[str, Any], words: str) -> None:
    assert rule_words([condition], FEATURES, VALUES, Paid(31_000, "EUR").money, mixed=True) == [words]


@pytest.mark.parametrize(("currencies", "mixes"), [("one", False), (["EUR"], False), ("any", True), (["EUR", "JPY"], True)], ids=str)
def test_a_document_says_whether_one_value_has_amounts_of_several_currencies(currencies: Any, mixes: bool) -> None:
    assert parse_document({**DOCUMENT, "currencies": currencies}).mixes_currencies is mixes


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "?"), (0, "0"), (1_234, "1,234"), (3714.285714285714, "3,714.29"), (0.333333333, "0.3333"), (0.0, "0"), (-2.5, "-2.50")],
)
def test_a_number_is_rounded_sensibly(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("minor", "code", "exponent", "text"),
    [
        (31_000, "EUR", None, "310.00 EUR"),
        (31_000, "JPY", None, "31,000 JPY"),
        (31_000, "KWD", None, "31.000 KWD"),
        (1, "EUR", None, "0.01 EUR"),
        (0, "EUR", None, "0.00 EUR"),
        (99_999_999_999, "EUR", None, "999,999,999.99 EUR"),
        (3714.285714285714, "EUR", None, "37.14 EUR"),
        (150_000_000, "XBT", 8, "1.50000000 XBT"),
        (31_000, "XBT", None, "31,000 minor units of XBT"),
        (31_000, "", None, "31,000 minor units"),
    ],
)  # fmt: skip
def test_an_amount_has_the_decimals_of_its_currency(minor: float, code: str, exponent: int | None, text: str) -> None:
    assert amount_text(minor, code, exponent) == text
