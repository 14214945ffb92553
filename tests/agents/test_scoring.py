"""Scoring is a port: any scorer takes the place of the rules in a whole lane, with its own unit, reasons and contributions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from decision_rows import RULES, batch, decided, handled, plans, posture, steps
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import wired
from numpy.typing import NDArray
from records import POSTURE, RTDL, T0_US, TRAFFIC, chunk, payment
from records import posture as posture_record
from simulated_worlds import config

from assay.agents.assembly import Setup, assemble
from assay.agents.batch import Batch, Result, Step, Views
from assay.agents.decision_policy import read_policy
from assay.agents.lane import LaneMachine
from assay.agents.plans import Plans
from assay.agents.rule_scorer import RuleScorer
from assay.agents.scorer import Scored, Scorer
from assay.agents.scoring import READS, ScoringStep
from assay.agents.specs import LaneSpec, StepSpec
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import partition_counts, plans_of
from assay.codecs.columns import Columns, Ragged, Strings, take
from assay.codecs.single_object import unpack
from assay.contracts.errors import Stop
from assay.contracts.outcomes import POSTURE_CLAMPED
from assay.contracts.posture import Mode
from assay.contracts.reasons import Reason

#: scores of a model are probabilities in units of 1e-9
UNIT = 1_000_000_000
MODEL_POLICY = read_policy({"policy_id": "model", "revision": "3", "thresholds": {"STEP_UP": UNIT // 2, "DECLINE": UNIT * 9 // 10}})


class LogisticModel:
    """A model of two inputs: a logistic score, a reason where the amount raises it, and one contribution per input."""

    reads = ("amount_minor", "features.longs")
    names = Strings.of(["amount", "first_feature"])

    def score(self, columns: Columns, apply: NDArray[np.bool_]) -> Scored:
        amount, first = np.asarray(columns["amount_minor"]) / 10_000, np.asarray(columns["features.longs"])[:, 0] / 10
        parts = np.stack([amount - 1, first], axis=1)
        score = np.rint(UNIT / (1 + np.exp(-parts.sum(axis=1)))).astype(np.int64)
        reasons = np.concatenate([[0], np.cumsum(apply & (amount > 1))])
        inputs = np.concatenate([[0], np.cumsum(apply * 2)])
        names = np.tile(np.arange(2), int(apply.sum()))
        return Scored(
            np.where(apply, score, 0),
            Ragged(reasons, {"item": Strings.repeat(b"AMOUNT_RAISES", int(reasons[-1]))}),
            Ragged(inputs, {"feature": self.names.take(names), "points": np.rint(parts[apply] * UNIT).astype(np.int64).reshape(-1)}),
        )


class ReadsCurrency:
    """A scorer that reads a column which the step does not declare."""

    reads = ("amount_minor", "currency", "event_id")

    def score(self, columns: Columns, apply: NDArray[np.bool_]) -> Scored:
        raise AssertionError("it is refused before it scores")


class Explanations(Step):
    """A step behind the scorer that keeps what it reads of every row."""

    def __init__(self, given: Plans, views: Views) -> None:
        self.seen: list[tuple[int, list[str | None], list[tuple[str | None, int]]]] = []

    def handle(self, batch: Batch) -> Result:
        self.seen += scores(batch.columns)
        return Result()


def scores(columns: Columns) -> list[tuple[int, list[str | None], list[tuple[str | None, int]]]]:
    """(score, reasons, contributions) of every row."""
    reasons, contributions = columns["reasons"], columns["contributions"]
    assert isinstance(reasons, Ragged)
    assert isinstance(contributions, Ragged)
    codes = reasons.children["item"].text()
    parts = list(zip(contributions.children["feature"].text(), contributions.children["points"].tolist(), strict=True))
    cuts = zip(reasons.offsets.tolist(), reasons.offsets[1:].tolist(), contributions.offsets.tolist(), contributions.offsets[1:].tolist(),
               strict=False)  # fmt: skip
    totals = np.asarray(columns["score"]).tolist()
    return [(total, codes[a:b], parts[c:d]) for total, (a, b, c, d) in zip(totals, cuts, strict=True)]


def lane(scorer: Scorer, more: Sequence[StepSpec] = ()) -> LaneMachine:
    """The decision lane with another scorer, and with more steps at its end."""
    spec: LaneSpec = replace(TOPOLOGY.lane("rtdl"), steps=(*TOPOLOGY.lane("rtdl").steps, *more))
    counts = partition_counts(1)
    given = replace(plans_of(config(), counts), scorer=scorer, policy=MODEL_POLICY, ordering="arrival")
    machine = assemble(spec, Setup(given, counts, bytes(32)))
    assert isinstance(machine, LaneMachine)
    return machine


def folded(machine: LaneMachine, handle: str, values: list[bytes | None]) -> list[dict[str, Any]]:
    """The decisions of records that arrive now."""
    machine.receive(chunk(handle, values))
    entry = machine.next_entry(T0_US)
    assert entry is not None
    emissions = machine.apply(entry.value).emissions
    return [unpack(value or b"")[1] for emission in emissions if emission.handle == RTDL for value in emission.values.tolist()]


def probability(amount_minor: int, first_feature: int) -> int:
    """The score of the model for one row, in plain Python."""
    return round(UNIT / (1 + math.exp(1 - amount_minor / 10_000 - first_feature / 10)))


def test_a_model_decides_in_a_whole_lane_by_its_own_unit_and_reasons() -> None:
    explained = StepSpec("explanations", key="event", make=Explanations, reads=("score", "reasons", "contributions"))
    machine = lane(LogisticModel(), [explained])
    assert folded(machine, POSTURE, [posture_record()]) == []
    amounts = {"low": 1_000, "even": 11_000, "high": 40_000}
    decisions = folded(machine, TRAFFIC, [payment(name, T0_US, amount) for name, amount in amounts.items()])
    firsts = [decision["features"]["longs"][0] for decision in decisions]
    scored = [probability(amount, first) for amount, first in zip(amounts.values(), firsts, strict=True)]
    assert [(d["score"], d["outcome"], d["reasons"]) for d in decisions] == list(
        zip(scored, ["ALLOW", "STEP_UP", "DECLINE"], [[], ["AMOUNT_RAISES"], ["AMOUNT_RAISES"]], strict=True)
    )
    assert {(d["policy"]["policy_id"], d["policy"]["revision"]) for d in decisions} == {("model", "3")}
    explanations = wired(machine)[-1].step
    assert isinstance(explanations, Explanations)
    parts = [
        [("amount", (a - 10_000) * UNIT // 10_000), ("first_feature", f * UNIT // 10)]
        for a, f in zip(amounts.values(), firsts, strict=True)
    ]
    none: tuple[int, list[str], list[tuple[str, int]]] = (0, [], [])  # of the posture record
    assert explanations.seen == [none, *zip(scored, [d["reasons"] for d in decisions], parts, strict=True)]


def test_the_posture_clamps_a_model_like_rules() -> None:
    machine = lane(LogisticModel())
    folded(machine, POSTURE, [posture_record(mode="DEGRADED_1", action_posture="STEP_UP_ONLY")])
    low, high = folded(machine, TRAFFIC, [payment("low", T0_US, 1_000), payment("high", T0_US, 40_000)])
    assert (low["outcome"], low["reasons"]) == ("STEP_UP", [POSTURE_CLAMPED])
    assert (high["outcome"], high["reasons"]) == ("DECLINE", ["AMOUNT_RAISES"])


def test_the_run_decides_which_scorer_scores() -> None:
    """A run of a rules document has rules; nothing but its Plans says so."""
    given = plans_of(config(), partition_counts(1))
    assert isinstance(given.scorer, RuleScorer)
    rows = [posture(1, Mode.NORMAL), {"count": 5, "amount": 900, "night": 1}]
    (by_rules,) = decided(steps(), rows)
    (by_model,) = decided(steps(replace(plans(), scorer=LogisticModel(), policy=MODEL_POLICY)), rows)
    assert (by_rules["score"], by_rules["reasons"]) == (90, ["MANY", "LARGE", "NIGHT"])
    assert (by_model["score"], by_model["reasons"]) == (probability(900, 5), [])


def test_a_scorer_that_reads_an_undeclared_column_is_refused_at_the_start() -> None:
    with pytest.raises(Stop) as stopped:
        ScoringStep(replace(plans(), scorer=ReadsCurrency()), {})
    assert stopped.value.reason is Reason.COLUMN_UNDECLARED
    assert "the scorer reads currency, event_id, step scoring does not" in stopped.value.what


@pytest.mark.parametrize("scorer", [RuleScorer(RULES), LogisticModel()])
def test_a_scorer_reads_nothing_that_it_does_not_declare(scorer: Scorer) -> None:
    rows = batch([{"count": 5, "amount": 900}, {"live": False}])
    declared = {name: rows.columns[name] for name in scorer.reads}
    alone = scorer.score(declared, rows.live)
    (whole,) = (handled([one], rows)[0] for one in steps(replace(plans(), scorer=scorer)) if one.name == "scoring")
    assert np.asarray(whole["score"]).tolist() == alone.score.tolist()
    assert set(scorer.reads) <= set(READS)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda s: s._replace(score=s.score.astype(np.float64)), "score"),
        (lambda s: s._replace(score=s.score[:-1]), "score"),
        (lambda s: s._replace(reasons=Ragged(s.reasons.offsets[:-1], s.reasons.children)), "reasons"),
        (lambda s: s._replace(reasons=Ragged(s.reasons.offsets, {"item": np.zeros(int(s.reasons.offsets[-1]), np.int64)})), "reasons"),
        (lambda s: s._replace(reasons=Ragged(s.reasons.offsets, {"item": Strings.nulls(99)})), "reasons"),
        (lambda s: s._replace(contributions=s.reasons), "contributions"),
    ],
)
def test_an_answer_of_another_type_stops_the_lane(wrong: Callable[[Scored], Scored], named: str) -> None:
    class Wrong(LogisticModel):
        def score(self, columns: Columns, apply: NDArray[np.bool_]) -> Scored:
            return wrong(super().score(columns, apply))

    with pytest.raises(Stop) as stopped:
        folded(lane(Wrong()), TRAFFIC, [payment("a", T0_US, 40_000)])
    assert stopped.value.reason is Reason.COLUMN_UNDECLARED
    assert f"step scoring writes column {named}" in stopped.value.what


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "count": st.integers(0, 5),
            "amount": st.integers(0, 300).map(lambda amount: amount * 100),
            "mean": st.sampled_from([0.0, 50.0, 120.5]),
            "night": st.integers(0, 1),
            "live": st.booleans(),
        }
    ),
    max_size=12,
)


@pytest.mark.parametrize("scorer", [RuleScorer(RULES), LogisticModel()])
@settings(max_examples=drawn(30), deadline=None)
@given(rows=ROWS, cut=st.integers(0, 12))
def test_any_split_gives_the_same_scores_and_rows_that_are_not_decided_have_none(scorer: Scorer, rows: list[Any], cut: int) -> None:
    given_rows = batch(rows)
    step = ScoringStep(replace(plans(), scorer=scorer), {})
    found = scores(dict(step.handle(given_rows).columns))
    parts = []
    for at in (np.arange(min(cut, len(rows))), np.arange(min(cut, len(rows)), len(rows))):
        part = given_rows._replace(columns=take(given_rows.columns, at), live=given_rows.live[at])
        parts += scores(dict(step.handle(part).columns))
    assert parts == found
    assert all(score == (0, [], []) for score, row in zip(found, rows, strict=True) if not row["live"])
