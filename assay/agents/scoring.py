"""Scoring as a step of the lane: the scorer of the run over the rows that a decision is made about."""

from __future__ import annotations

import numpy as np

from assay.agents.batch import Batch, Result, Step, Views
from assay.agents.decision_policy import to_decide
from assay.agents.plans import Plans
from assay.codecs.columns import Ragged, Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

READS = ("kind", "amount_minor", "features.longs", "features.doubles")
WRITES = ("score", "reasons", "contributions")
_NO_ITEMS = {"feature": Strings.nulls(0), "points": np.zeros(0, np.int64)}


class ScoringStep(Step):
    """Writes score, reasons and contributions; without contributions their lists are empty. No state.

    Raises Stop(COLUMN_UNDECLARED) at the start for a scorer that reads a column which the step does not declare.
    """

    def __init__(self, plans: Plans, views: Views) -> None:
        self._scorer = plans.scorer
        undeclared = sorted(set(self._scorer.reads) - set(READS))
        if undeclared:
            raise Stop(
                Reason.COLUMN_UNDECLARED,
                f"the scorer reads {', '.join(undeclared)}, step scoring does not",
                where="step scoring",
                remedy="Add the columns to READS in agents/scoring.py.",
            )

    def handle(self, batch: Batch) -> Result:
        columns = {name: batch.columns[name] for name in self._scorer.reads}
        scored = self._scorer.score(columns, to_decide(batch.columns, batch.live))
        contributions = scored.contributions
        if contributions is None:
            contributions = Ragged(np.zeros(batch.rows + 1, np.int64), _NO_ITEMS)
        return Result({"score": scored.score, "reasons": scored.reasons, "contributions": contributions})
