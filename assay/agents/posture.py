"""The posture in force as a step of the lane: each row gets the posture that stands when it is processed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from assay.agents.batch import Batch, Result, Rows, Step, Views
from assay.agents.plans import Plans
from assay.codecs.columns import Columns, Strings
from assay.codecs.kernel import frozen
from assay.codecs.single_object import field_body
from assay.codecs.table_state import TableState
from assay.tables.posture import FAIL_SAFE_POSTURE, Posture
from assay.tables.row_kinds import POSTURE

READS = ("kind", "document")
WRITES = ("posture.stamp", "posture.clamps", "posture.missing")


class PostureStep(Step):
    """Folds posture records in row order; a record counts for its own row and the rows after it.

    State: the posture in force. It is the fail-safe of the ladder until the first record.
    """

    def __init__(self, plans: Plans, views: Views) -> None:
        self._run = plans.pins.platform_run_id
        self._posture = FAIL_SAFE_POSTURE

    def handle(self, batch: Batch) -> Result:
        kinds, document = np.asarray(batch.columns["kind"]), batch.columns["document"]
        if POSTURE not in kinds.tobytes():
            return Result(_columns((self._posture,), (batch.rows,)))
        assert isinstance(document, Strings)
        changes = np.flatnonzero(kinds == POSTURE).tolist()
        postures = [self._posture]
        for row in changes:
            record = document.row(row)
            assert record is not None
            postures.append(postures[-1].folded(record))
        self._posture = postures[-1]
        counts = (end - first for first, end in pairwise([0, *changes, batch.rows]))
        return Result(_columns(tuple(postures), tuple(counts)))

    def tables(self) -> Mapping[str, Rows]:
        return {"posture": _InForce(self._run, self._posture)}

    def state(self) -> TableState:
        return self._posture.state()

    def restore(self, state: TableState) -> None:
        self._posture = Posture.from_state(state)


class _InForce(NamedTuple):
    """The table `posture` for people: one row, by the id of the run."""

    run: str
    posture: Posture

    def row(self, key: str) -> dict[str, Any] | None:
        """Mode, sequence, policy revision, mask and trust; None for another run."""
        return {**self.posture._asdict(), "mask": self.posture.mask.as_json()} if key == self.run else None


@lru_cache(16)
def _columns(postures: tuple[Posture, ...], counts: tuple[int, ...]) -> Columns:
    """The columns of a batch in which each posture stands for so many rows, one posture after another.

    Nearly all batches have one posture and one of a few sizes. They share these columns, which nobody may write to.
    """
    stamps = Strings.of(_stamp(posture) for posture in postures)
    starts, lengths, clamps, missing = (
        frozen(column.repeat(counts), column.dtype)
        for column in (
            stamps.starts,
            stamps.lengths,
            np.array([posture.clamps for posture in postures]),
            np.array([posture.missing for posture in postures]),
        )
    )
    return {"posture.stamp": Strings(stamps.data, starts, lengths), "posture.clamps": clamps, "posture.missing": missing}


def _stamp(posture: Posture) -> bytes:
    """The Avro body of the posture in a decision. The same few postures are in force for thousands of batches."""
    stamp = {"mode": posture.mode, "posture_seq": posture.posture_seq, "policy_rev": posture.policy_rev, "trust": posture.trust}
    return field_body("decision_response", "posture", stamp)
