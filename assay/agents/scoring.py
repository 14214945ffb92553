"""Scoring as a step of the lane: the scorer of the policy in force over the rows that a decision is made about."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.agents.batch import Batch, Result, Step, Views
from assay.agents.decision_policy import to_decide
from assay.agents.plans import Plans
from assay.agents.policy_spans import spans
from assay.agents.scorer import Scorer
from assay.codecs.columns import Columns, Ragged, Strings, concat, cut
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

READS = ("kind", "amount_minor", "features.longs", "features.doubles", "policy.seq")
WRITES = ("score", "reasons", "contributions")
_NO_ITEMS = {"feature": Strings.nulls(0), "points": np.zeros(0, np.int64)}


class ScoringStep(Step):
    """Writes score, reasons and contributions; without contributions their lists are empty. No state.

    Raises Stop(COLUMN_UNDECLARED) at the start for a scorer that reads a column which the step does not declare.
    """

    def __init__(self, plans: Plans, views: Views) -> None:
        self._revisions = views["policy"]
        undeclared = sorted(set(plans.scorer.reads) - set(READS))
        if undeclared:
            raise Stop(
                Reason.COLUMN_UNDECLARED,
                f"the scorer reads {', '.join(undeclared)}, step scoring does not",
                where="step scoring",
                remedy="Add the columns to READS in agents/scoring.py.",
            )

    def handle(self, batch: Batch) -> Result:
        apply, revisions = to_decide(batch.columns, batch.live), self._revisions()
        if len(revisions) == 1:  # nearly all batches
            [only] = revisions.values()
            return Result(_scored(only.scorer, batch.columns, apply))
        parts = ((revisions[seq].scorer, cut(batch.columns, start, stop), apply[start:stop]) for seq, start, stop in spans(batch.columns))
        return Result(concat([_scored(*part) for part in parts]))


def _scored(scorer: Scorer, columns: Columns, apply: NDArray[np.bool_]) -> Columns:
    """The columns of this step, made by one scorer."""
    scored = scorer.score({name: columns[name] for name in scorer.reads}, apply)
    contributions = scored.contributions
    if contributions is None:
        contributions = Ragged(np.zeros(len(apply) + 1, np.int64), _NO_ITEMS)
    return {"score": scored.score, "reasons": scored.reasons, "contributions": contributions}
