"""What is allowed in a policy and cannot be meant: rules that never or always fire, points of nothing, outcomes that are never reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from assay.agents.rule_plan import OPERATORS
from assay.app.policy.documents import Policy
from assay.app.policy.ranges import Range, ranges_of
from assay.contracts.instants import duration_text
from assay.tables.feature_document import FeatureDocument


class Doubt(NamedTuple):
    """`about` is the code of a rule, the name of a feature, or `thresholds`."""

    about: str
    text: str


class _Judged(NamedTuple):
    """A rule with what was found: it fires never, always, or (both None) now and then."""

    code: str
    points: int
    never: str | None
    always: bool


def doubts_of(policy: Policy, grain_us: int = 1) -> list[Doubt]:
    """Doubts in the order of the documents; `grain_us` is the step of the times that the policy is for.

    They refuse nothing: the ranges of features are known, the payments are not.
    """
    ranges = ranges_of(policy.feature_plan.document)
    judged = [_judged(rule, ranges) for rule in policy.rules["rules"]]
    return [
        *_of_windows(policy.feature_plan.document, grain_us),
        *(Doubt(one.code, text) for one in judged for text in _of_rule(one)),
        *_of_thresholds(policy.rules["thresholds"], judged),
    ]


def _of_windows(document: FeatureDocument, grain_us: int) -> Iterator[Doubt]:
    for feature in document.features:
        span_us = feature.window_buckets * feature.resolution_us
        if feature.window_buckets and span_us < grain_us:
            step = f"times of the mapping are {duration_text(grain_us)} apart"
            yield Doubt(
                feature.name, f"looks back {duration_text(span_us)}, {step}: it counts payments of one time, however far apart they were"
            )


def _of_rule(rule: _Judged) -> Iterator[str]:
    if rule.never is not None:
        yield f"can never fire: {rule.never}"
    elif rule.always:
        yield "fires on every payment: its conditions always hold"
    if rule.points == 0:
        yield "has no points: it is shown as a reason and decides nothing"


def _of_thresholds(thresholds: Mapping[str, int], judged: list[_Judged]) -> Iterator[Doubt]:
    able = [rule for rule in judged if rule.never is None]
    most = sum(rule.points for rule in able if rule.points > 0 or rule.always)
    for outcome, score in thresholds.items():
        if score > most:
            yield Doubt("thresholds", f"{outcome} from {score} is never reached: all rules that can fire give {most} points together")
        if score <= 0:
            yield Doubt("thresholds", f"{outcome} from {score} is reached without any reason: such a payment has 0 points")


def _judged(rule: Mapping[str, Any], ranges: Mapping[str, Range]) -> _Judged:
    left_over, always = dict(ranges), True
    for condition in rule["when"]:
        name, subject = condition["feature"], _left(condition, ranges)
        for sign in OPERATORS:
            if sign not in condition:
                continue
            right = _right(condition[sign], ranges)
            if _never(sign, subject, right):
                return _Judged(
                    rule["code"], rule["points"], f"{_subject(condition)} {subject.text}, asked is {_asked(sign, condition)}", always=False
                )
            always = always and _always(sign, subject, right)
            if "per" not in condition and right.low == right.high:
                left_over[name] = left_over[name].within(_allowed(sign, right.low))
                if left_over[name].empty:
                    return _Judged(rule["code"], rule["points"], f"no value of {name} meets all that is asked of it", always=False)
    return _Judged(rule["code"], rule["points"], None, always)


def _left(condition: Mapping[str, Any], ranges: Mapping[str, Range]) -> Range:
    left = ranges[condition["feature"]]
    return left.times(ranges[condition["per"]]) if "per" in condition else left


def _right(value: Any, ranges: Mapping[str, Range]) -> Range:
    if not isinstance(value, Mapping):
        return Range(value, value)
    times = value.get("times", 1)
    return ranges[value["feature"]].times(Range(times, times))


def _never(sign: str, left: Range, right: Range) -> bool:
    match sign:
        case "gt":
            return left.high <= right.low
        case "ge":
            return left.high < right.low
        case "lt":
            return left.low >= right.high
        case "le":
            return left.low > right.high
        case "eq":
            return left.within(right).empty
        case _:
            return left.low == left.high == right.low == right.high


def _always(sign: str, left: Range, right: Range) -> bool:
    opposite = {"gt": "le", "ge": "lt", "lt": "ge", "le": "gt", "eq": "ne", "ne": "eq"}
    return _never(opposite[sign], left, right)


def _allowed(sign: str, value: float) -> Range:
    """The numbers that a comparison with a number leaves."""
    infinite = float("inf")
    return {
        "gt": Range(value, infinite, low_open=True),
        "ge": Range(value, infinite),
        "lt": Range(-infinite, value, high_open=True),
        "le": Range(-infinite, value),
        "eq": Range(value, value),
        "ne": Range(-infinite, infinite),
    }[sign]


def _subject(condition: Mapping[str, Any]) -> str:
    return f"{condition['feature']} * {condition['per']}" if "per" in condition else str(condition["feature"])


def _asked(sign: str, condition: Mapping[str, Any]) -> str:
    words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most", "eq": "exactly", "ne": "other than"}
    value = condition[sign]
    if isinstance(value, Mapping):
        value = f"{value['times']} * {value['feature']}" if "times" in value else value["feature"]
    return f"{words[sign]} {value}"
