"""What a run's decisions did to payments and fraud: figures of one frame, for the terminal, the page and `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from assay.app.report.money import Case, Costliest, Money, costliest_of, money_of
from assay.app.report.payments import Labels
from assay.app.report.rules_worth import Pair, RuleRow, rules_of
from assay.app.report.share import Share, share
from assay.app.report.spread import Alerts, EntityAlerts, Scores, alerts_of, entities_with_most_alerts, scores_of
from assay.app.stores.segment_journal import segment_key
from assay.contracts.outcomes import Outcome


@dataclass(frozen=True)
class Findings:
    """`caught`: frauds that were not allowed, of all. `right`: frauds among what was not allowed. None without labels.

    `money` is empty where amounts are not at hand, `costliest` also without labels.
    """

    labels: Labels
    caught: Share | None
    right: Share | None
    money: tuple[Money, ...]
    costliest: tuple[Costliest, ...]
    rules: tuple[RuleRow, ...]
    pairs: tuple[Pair, ...]
    scores: Scores | None
    alerts: Alerts | None
    entities: tuple[EntityAlerts, ...]


NOTHING = Findings(Labels("", 0, 0), None, None, (), (), (), (), None, None, ())


def findings_of(frame: pl.DataFrame, labels: Labels, policy: Mapping[str, Any], exponents: Mapping[str, int]) -> Findings:
    """All figures. `frame` is that of `payments.judged`, `policy` the run's rules document."""
    known = labels.source != ""
    money = money_of(frame, exponents, known=known)
    rules, pairs = rules_of(frame, policy, money, known=known)
    alert = frame["outcome"] != Outcome.ALLOW
    caught = int((alert & frame["fraud"]).sum())
    return Findings(
        labels=labels,
        caught=share(caught, labels.frauds) if known else None,
        right=share(caught, int(alert.sum())) if known else None,
        money=money,
        costliest=costliest_of(frame, money) if known else (),
        rules=rules,
        pairs=pairs,
        scores=scores_of(frame, policy, known=known),
        alerts=alerts_of(frame, known=known),
        entities=entities_with_most_alerts(frame, known=known),
    )


def placed(findings: Findings, places: pl.DataFrame | None) -> Findings:
    """The same with the audit segment of each listed payment. `places` are the columns decision_id and segment of the audit."""
    cases = [case for one in findings.costliest for case in (*one.misses, *one.alarms)]
    if places is None or not cases:
        return findings
    held = places.filter(pl.col("decision_id").is_in([case.decision_id for case in cases]))
    keys = {decision: segment_key(segment) for decision, segment in held.iter_rows()}

    def at(cases: tuple[Case, ...]) -> tuple[Case, ...]:
        return tuple(replace(case, segment=keys.get(case.decision_id, "")) for case in cases)

    return replace(findings, costliest=tuple(replace(one, misses=at(one.misses), alarms=at(one.alarms)) for one in findings.costliest))
