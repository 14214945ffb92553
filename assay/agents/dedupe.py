"""Dedupe: an event id counts once within the idempotency horizon, whatever its offset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.agents.batch import Batch
from assay.agents.plans import Plans
from assay.agents.step import Emission
from assay.codecs.table_state import TableState
from assay.contracts.reasons import Reason
from assay.tables.dedupe import MISMATCH, NEW, RESENT_ROWS_MAX, SeenIds


class DedupeStep:
    """The first step of the lane. Leaves `results["seen"]`; rows that are not new are no longer live.

    The same payload again is folded nowhere; another payload under a known id is set aside and the first one stands.
    """

    name = "dedupe"

    def __init__(self, plans: Plans) -> None:
        self._seen = SeenIds(plans.horizon_us, plans.horizon_rows, RESENT_ROWS_MAX)

    def handle(self, batch: Batch) -> Sequence[Emission]:
        seen = self._seen.fold(batch.columns)
        batch.results["seen"] = seen
        batch.live &= seen.verdicts == NEW
        for row in np.flatnonzero(seen.verdicts == MISMATCH).tolist():
            batch.refused.append((row, Reason.PAYLOAD_HASH_MISMATCH, "another payload was admitted under this event id before"))
        return ()

    def state(self) -> TableState:
        return self._seen.state()

    def restore(self, state: TableState) -> None:
        self._seen = SeenIds.from_state(state)
