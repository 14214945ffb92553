"""Figures of a report against the same ones in plain Python over the decisions, one by one."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from assay.app.report.charts import alert_bars, moment
from assay.app.report.findings import Findings, findings_of, placed
from assay.app.report.money import CASES_SHOWN
from assay.app.report.payments import Labels
from assay.app.report.rules_worth import PAIRS_OF
from assay.app.report.spread import ENTITIES_SHOWN, SCORE_BINS, TIME_BINS
from assay.app.stores.segment_journal import segment_key
from assay.contracts import instants

POINTS = {"MANY": 20, "LARGE": 45, "NIGHT": 10, "KNOWN": -15}
POLICY = {
    "rules": [{"code": code, "points": points} for code, points in POINTS.items()],
    "thresholds": {"STEP_UP": 20, "QUEUE_REVIEW": 45, "DECLINE": 65},
}
EXPONENTS = {"EUR": 2, "JPY": 0}
CLAMPED = "ACTION_POSTURE_CLAMPED"
Row = dict[str, Any]


def outcome_of(score: int) -> str:
    return "DECLINE" if score >= 65 else "QUEUE_REVIEW" if score >= 45 else "STEP_UP" if score >= 20 else "ALLOW"


def rows_of(seed: int, n: int = 600) -> list[Row]:
    """Decisions of three currencies, one of them unknown to ISO 4217; some without an amount or an entity, some clamped by a posture."""
    draw = random.Random(seed)
    rows = []
    for at in range(n):
        reasons = [code for code in POINTS if draw.random() < 0.3]
        score = sum(POINTS[code] for code in reasons)
        clamped = outcome_of(score) == "ALLOW" and draw.random() < 0.05
        bare = draw.random() < 0.03
        rows.append({
            "event_id": f"e{draw.randrange(10**9):09}{at}", "source_id": f"P{at}", "kind": "card", "decision_id": f"{at:032x}",
            "ts_us": 1_767_225_600_000_000 + draw.randrange(20 * 86_400_000_000), "score": score,
            "outcome": "STEP_UP" if clamped else outcome_of(score), "reasons": [*reasons, *([CLAMPED] if clamped else [])],
            "fraud": draw.random() < 0.05 + 0.5 * (score >= 45), "amount_minor": None if bare else draw.randrange(1, 50_000),
            "currency": None if bare else draw.choice(["EUR", "EUR", "EUR", "JPY", "XQZ"]),
            "entity.card": f"c{draw.randrange(12)}", "entity.shop": draw.choice([None, "s1", "s2"]),
        })  # fmt: skip
    return rows


def found_of(rows: list[Row], source: str = "file") -> Findings:
    frame = pl.DataFrame(rows, schema_overrides={"reasons": pl.List(pl.String)})
    return findings_of(frame, Labels(source, len(rows), sum(row["fraud"] for row in rows)), POLICY, EXPONENTS)


def alerts(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["outcome"] != "ALLOW"]


def total(rows: list[Row], currency: str, keep: Callable[[Row], bool]) -> int:
    return sum(row["amount_minor"] for row in rows if row["currency"] == currency and keep(row))


seeds = pytest.mark.parametrize("seed", [1, 2, 3])


@seeds
def test_money_is_summed_per_currency_and_outcome_and_never_over_currencies(seed: int) -> None:
    rows, found = rows_of(seed), found_of(rows_of(seed))
    counts = Counter(row["currency"] for row in rows if row["currency"])
    assert [(one.currency, one.payments, one.exponent) for one in found.money] == [
        (currency, count, EXPONENTS.get(currency)) for currency, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    for one in found.money:
        for row in one.outcomes:
            mine = [r for r in rows if r["currency"] == one.currency and r["outcome"] == row.outcome]
            frauds = [r for r in mine if r["fraud"]]
            assert (row.payments, row.minor) == (len(mine), sum(r["amount_minor"] for r in mine))
            assert (row.frauds, row.fraud_minor) == (len(frauds), sum(r["amount_minor"] for r in frauds))
        assert one.fraud_minor("ALLOW") == total(rows, one.currency, lambda r: r["fraud"] and r["outcome"] == "ALLOW")
        assert one.good_minor("DECLINE") == total(rows, one.currency, lambda r: not r["fraud"] and r["outcome"] == "DECLINE")


@seeds
def test_the_costliest_mistakes_are_those_of_the_largest_amounts(seed: int) -> None:
    rows = rows_of(seed)
    for one in found_of(rows).costliest:
        mine = sorted((r for r in rows if r["currency"] == one.currency), key=lambda r: (-r["amount_minor"], r["event_id"]))
        misses = [r["event_id"] for r in mine if r["fraud"] and r["outcome"] == "ALLOW"]
        alarms = [r["event_id"] for r in mine if not r["fraud"] and r["outcome"] != "ALLOW"]
        assert ([case.event_id for case in one.misses], one.missed) == (misses[:CASES_SHOWN], len(misses))
        assert ([case.event_id for case in one.alarms], one.alarmed) == (alarms[:CASES_SHOWN], len(alarms))
    case = found_of(rows).costliest[0].alarms[0]
    row = next(r for r in rows if r["event_id"] == case.event_id)
    assert (case.source_id, case.ts_us, case.reasons) == (row["source_id"], row["ts_us"], tuple(row["reasons"]))
    assert case.entities == {name: row[f"entity.{name}"] for name in ("card", "shop") if row[f"entity.{name}"]}


def needed(row: Row, code: str) -> bool:
    """Whether a payment would have been allowed without a rule's points."""
    return CLAMPED not in row["reasons"] and code in POINTS and outcome_of(row["score"] - POINTS[code]) == "ALLOW"


@seeds
def test_each_rule_has_its_counts_and_its_worth(seed: int) -> None:
    rows, found = rows_of(seed), found_of(rows_of(seed))
    assert {row.code for row in found.rules} == {code for r in rows for code in r["reasons"]}
    for rule in found.rules:
        fired = [r for r in rows if rule.code in r["reasons"]]
        alert = alerts(fired)
        only = [r for r in alert if needed(r, rule.code)]
        assert (rule.fired, rule.alerts, rule.needed) == (len(fired), len(alert), len(only))
        assert rule.alone == (0 if rule.code == CLAMPED else sum([c for c in r["reasons"] if c != CLAMPED] == [rule.code] for r in alert))
        assert (rule.frauds, rule.frauds_needed) == (sum(r["fraud"] for r in alert), sum(r["fraud"] for r in only))
        assert rule.points == POINTS.get(rule.code)
        for money in rule.money:
            stopped = total(alert, money.currency, lambda r: r["fraud"])
            assert (money.stopped_minor, money.good_minor) == (stopped, total(alert, money.currency, lambda r: not r["fraud"]))
            assert money.only_by_it_minor == total(only, money.currency, lambda r: r["fraud"])


@seeds
def test_the_most_valuable_rule_stands_first(seed: int) -> None:
    found = found_of(rows_of(seed))
    worth = [next(((m.only_by_it_minor, m.stopped_minor) for m in row.money if m.currency == "EUR"), (0, 0)) for row in found.rules]
    assert worth == sorted(worth, reverse=True)
    assert len(set(worth)) > 2


@seeds
def test_pairs_count_the_alerts_in_which_both_rules_fired(seed: int) -> None:
    rows, found = rows_of(seed), found_of(rows_of(seed))
    assert len({code for row in rows for code in row["reasons"]}) <= PAIRS_OF
    both: Counter[frozenset[str]] = Counter()
    for row in alerts(rows):
        both.update(frozenset((a, b)) for a in row["reasons"] for b in row["reasons"] if a < b)
    assert {frozenset((pair.first, pair.second)): pair.alerts for pair in found.pairs} == dict(both)


@seeds
@pytest.mark.parametrize("scale", [1, 7, 1_000_003])
def test_every_score_is_in_its_bin(seed: int, scale: int) -> None:
    rows = [{**row, "score": row["score"] * scale} for row in rows_of(seed)]
    scores = found_of(rows).scores
    assert scores is not None
    assert len(scores.counts) <= SCORE_BINS
    for at, count in enumerate(scores.counts):
        low = scores.first + at * scores.width
        mine = [r for r in rows if low <= r["score"] < low + scores.width]
        assert (count, scores.frauds and scores.frauds[at]) == (len(mine), sum(r["fraud"] for r in mine))
    assert sum(scores.counts) == len(rows)
    assert all(scores.first <= score < scores.first + scores.width * len(scores.counts) for score in scores.thresholds.values())


@seeds
@pytest.mark.parametrize("shrink", [1, 1_000, 10**12, 10**-3])
def test_every_alert_is_in_its_bin_of_event_time(seed: int, shrink: float) -> None:
    rows = [{**row, "ts_us": int(row["ts_us"] // Fraction(shrink))} for row in rows_of(seed)]
    found = found_of(rows).alerts
    assert found is not None
    assert found.missed is not None
    assert len(found.missed) <= TIME_BINS + 1
    for at, missed in enumerate(found.missed):
        low = found.start_us + at * found.width_us
        mine = [r for r in rows if low <= r["ts_us"] < low + found.width_us]
        assert missed == sum(r["fraud"] and r["outcome"] == "ALLOW" for r in mine)
        for name, counts in found.outcomes.items():
            assert counts[at] == sum(r["outcome"] == name for r in mine)
    assert sum(map(sum, found.outcomes.values())) == len(alerts(rows))


@pytest.mark.parametrize("first_us", [instants.FIRST_US, instants.LAST_US], ids=["the first instant", "the last instant"])
def test_alerts_of_any_time_are_drawn_and_their_time_is_said(first_us: int) -> None:
    rows = rows_of(1, 40)
    rows[0] |= {"ts_us": first_us, "outcome": "DECLINE"}
    found = found_of(rows).alerts
    assert found is not None
    bars = alert_bars(found)
    assert sum(bar.colour == "DECLINE" for bar in bars) > 0
    ends = [moment(found.start_us + at * found.width_us, found.width_us) for at in (0, len(found.outcomes["DECLINE"]))]
    assert (ends[0] == "0001-01-01") if first_us < 0 else (ends[1] == "9999-12-31")


@seeds
def test_entities_with_most_alerts_stand_first(seed: int) -> None:
    rows, found = rows_of(seed), found_of(rows_of(seed))
    for entity in ("card", "shop"):
        of: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            of[row[f"entity.{entity}"]].append(row)
        of.pop(None, None)  # type: ignore[call-overload]  # of payments without one
        expected = sorted(of.items(), key=lambda item: (-len(alerts(item[1])), len(item[1]), item[0]))[:ENTITIES_SHOWN]
        shown = [row for row in found.entities if row.entity == entity]
        assert [(row.id, row.payments, row.alerts, row.frauds) for row in shown] == [
            (name, len(mine), len(alerts(mine)), sum(r["fraud"] for r in alerts(mine))) for name, mine in expected
        ]


@seeds
def test_without_labels_nothing_is_said_of_fraud(seed: int) -> None:
    found = found_of(rows_of(seed), source="")
    assert (found.caught, found.right, found.costliest) == (None, None, ())
    assert {(row.frauds, row.precision, row.money) for row in found.rules} == {(None, None, ())}
    assert {row.fraud_minor for one in found.money for row in one.outcomes} == {None}
    assert {row.frauds for row in found.entities} == {None}
    assert found.scores is not None
    assert found.scores.frauds is None
    assert found.alerts is not None
    assert found.alerts.missed is None
    assert [row.alerts for row in found.rules] == sorted((row.alerts for row in found.rules), reverse=True)


def test_a_run_without_decisions_has_no_figures() -> None:
    frame = pl.DataFrame(rows_of(1, 1), schema_overrides={"reasons": pl.List(pl.String)}).clear()
    found = findings_of(frame, Labels("", 0, 0), POLICY, EXPONENTS)
    assert (found.money, found.rules, found.pairs, found.scores, found.alerts, found.entities) == ((), (), (), None, None, ())


def test_a_policy_without_points_or_thresholds_still_has_counts() -> None:
    """The run's documents may be of a scorer that is no rules document."""
    frame = pl.DataFrame(rows_of(1), schema_overrides={"reasons": pl.List(pl.String)})
    found = findings_of(frame, Labels("file", 600, int(frame["fraud"].sum())), {}, EXPONENTS)
    assert {(row.points, row.needed) for row in found.rules} == {(None, 0)}
    assert found.scores is not None
    assert found.scores.thresholds == {}


def test_a_listed_payment_knows_the_segment_of_its_decision() -> None:
    rows = rows_of(1)
    found = found_of(rows)
    case = found.costliest[0].misses[0]
    places = pl.DataFrame({"decision_id": [case.decision_id], "segment": [3]})
    at = placed(found, places).costliest[0].misses
    assert at[0].segment == segment_key(3)
    assert at[1].segment == ""
    assert placed(found, None) is found
