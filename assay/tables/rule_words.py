"""A rule in words: which value of the payment it looked at, and what it asks of the value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from assay.contracts.currencies import amount_text
from assay.contracts.instants import UNITS, duration_text
from assay.contracts.outcomes import FALLBACK_REASON, POSTURE_CLAMPED, POSTURE_MISSING
from assay.tables.feature_document import AMOUNT_OPS, Feature

#: an amount of minor units → text
Money = Callable[[float], str]
#: features that are made of several amounts, and are an amount
_OF_SEVERAL = AMOUNT_OPS - {"zscore"}

_ASKS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most", "eq": "exactly", "ne": "other than"}
_UNITS = {"us": "microseconds", "ms": "milliseconds", "s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_YES_OR_NO = frozenset({"night", "weekend"})
AMOUNT = "amount_minor"
#: what `since_last` is for the first payment of an id
NO_PAYMENT_BEFORE = -1


#: reasons that are no rules
WORDS_OF_NO_RULE: Final[Mapping[str, str]] = {
    POSTURE_MISSING: "no posture record was in force, so the fail-safe mode was",
    POSTURE_CLAMPED: "the action posture turned ALLOW into STEP_UP",
    FALLBACK_REASON: "the deadline passed before the decision was there",
}
UNKNOWN_RULE: Final = "not a rule of this run's policy"


def feature_words(feature: Feature) -> str:
    """What a feature counts or measures: `payments of this card within 1h`."""
    span = duration_text(feature.window_buckets * feature.resolution_us)
    ago = f", {duration_text(feature.delay_buckets * feature.resolution_us)} ago" if feature.delay_buckets else ""
    within = f"of this {feature.entity} within {span}{ago}"
    words = {
        "count": f"payments {within}",
        "sum": f"sum of the payments {within}",
        "mean": f"mean payment {within}",
        "zscore": f"distance of this amount from the mean {within}, in standard deviations",
        "distinct": f"different {feature.of} ids {within}",
        "fraud_count": f"frauds {within}",
        "fraud_rate": f"share of frauds in the payments {within}",
        "since_last": f"{_unit(feature.unit_us)} since the payment before of this {feature.entity}",
        "amount": "amount",
        "night": f"at night, to {feature.to_hour:02}:59 UTC",
        "weekend": "on a weekend in UTC",
    }
    return words[feature.op]


def rule_words(
    when: Iterable[Mapping[str, Any]],
    features: Mapping[str, Feature],
    values: Mapping[str, int | float | None],
    money: Money,
    *,
    mixed: bool = False,
) -> list[str]:
    """A line for each comparison of a rule: the value by its meaning, and what is asked of it. `mixed`: see `money_of`."""

    def amount(name: str, minor: float) -> str:
        return money_of(name, features, money, mixed=mixed)(minor)

    return [_line(entry, features, values, amount) for entry in when]


def _line(
    entry: Mapping[str, Any],
    features: Mapping[str, Feature],
    values: Mapping[str, int | float | None],
    amount: Callable[[str, float], str],
) -> str:
    def said(name: str, value: float | None) -> str:
        if value is None:
            return "no longer at hand"
        if value == NO_PAYMENT_BEFORE and name in features and features[name].op == "since_last":
            return "none, it is the first"
        return amount(name, value) if is_amount(name, features) else number(value)

    def asked(operator: str, right: Any) -> str:
        if not isinstance(right, Mapping):
            return f"{_ASKS[operator]} {said(name, right) if 'per' not in entry else number(right)}"
        times, of = right.get("times", 1), right["feature"]
        factor = "" if times == 1 else f"{times} times "
        return f"{_ASKS[operator]} {factor}the {meaning(of, features)}, which is {said(of, values[of])}"

    name = entry["feature"]
    if name in features and features[name].op in _YES_OR_NO and set(entry) == {"feature", "eq"} and entry["eq"] in (0, 1):
        return meaning(name, features) if entry["eq"] else f"not {meaning(name, features)}"
    subject, value = meaning(name, features), said(name, values[name])
    if "per" in entry:
        subject, value = (
            f"{subject} times the {meaning(entry['per'], features)}",
            f"{value} times {said(entry['per'], values[entry['per']])}",
        )
    return f"{subject}: {value} ({', '.join(asked(operator, entry[operator]) for operator in _ASKS if operator in entry)})"


def meaning(name: str, features: Mapping[str, Feature]) -> str:
    """The words of a feature, and of the payment's own amount."""
    return feature_words(features[name]) if name in features else "amount"


def is_amount(name: str, features: Mapping[str, Feature]) -> bool:
    """Whether a value is of minor units."""
    return name == AMOUNT or (name in features and features[name].op in _OF_SEVERAL | {"amount"})


def money_of(name: str, features: Mapping[str, Feature], money: Money, *, mixed: bool) -> Money:
    """How a value of minor units is written. `mixed`: what is made of several amounts adds several currencies, and is no amount of one."""
    return mixed_minor if mixed and name in features and features[name].op in _OF_SEVERAL else money


def mixed_minor(minor: float) -> str:
    """A value to which amounts of several currencies were added as they are."""
    return f"{amount_text(minor, '')} of all currencies"


def number(value: float | None) -> str:
    """A number as people read it: whole ones exactly, others to two decimals, or four digits below one."""
    if value is None:
        return "?"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.4g}"


def _unit(unit_us: int) -> str:
    return next(_UNITS[name] for name, size in UNITS.items() if size == unit_us)
