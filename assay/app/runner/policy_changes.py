"""What another rules document changes, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assay.agents.decision_policy import fallback_of
from assay.contracts.outcomes import OUTCOMES


def fields_that_differ(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The fields of two documents that differ, by name."""
    return sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """One line for each threshold and each rule that differs: `threshold DECLINE 90 -> 80`, `rule MANY points 30 -> 40`."""
    return (
        *_thresholds(before["thresholds"], after["thresholds"]),
        *_fallback(before, after),
        *_rules(_by_code(before), _by_code(after)),
        *_order(before, after),
    )


def _thresholds(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    for name in OUTCOMES:
        if before.get(name) != after.get(name):
            yield f"threshold {name} {before.get(name, 'none')} -> {after.get(name, 'none')}"


def _fallback(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    ours, theirs = fallback_of(before), fallback_of(after)
    if ours != theirs:
        yield f"fallback {ours} -> {theirs}"


def _rules(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"rule {code} is left out, {rule['points']:+d} points" for code, rule in before.items() if code not in after)
    for code, rule in after.items():
        known = before.get(code)
        if known is None:
            yield f"rule {code} is new, {rule['points']:+d} points"
            continue
        if known["points"] != rule["points"]:
            yield f"rule {code} points {known['points']} -> {rule['points']}"
        if known["when"] != rule["when"]:
            yield f"rule {code} has other conditions"


def _order(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    ours, theirs = ([rule["code"] for rule in document["rules"]] for document in (before, after))
    if ours != theirs and sorted(ours) == sorted(theirs):
        yield "rules stand in another order, and so do reasons"


def _by_code(document: Mapping[str, Any]) -> dict[str, Any]:
    return {rule["code"]: rule for rule in document["rules"]}
