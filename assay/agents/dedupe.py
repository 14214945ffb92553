"""Dedupe: an event id counts once within the idempotency horizon, whatever its offset."""

from __future__ import annotations

import numpy as np

from assay.agents.batch import Batch, Result, Step, Views
from assay.agents.plans import Plans
from assay.codecs.columns import Columns
from assay.codecs.table_state import TableState
from assay.contracts.reasons import Reason
from assay.tables.dedupe import MISMATCH, NEW, RESENT_ROWS_MAX, SeenIds

READS = ("kind", "event_id", "payload_hash", "subject_event_id", "ts_us")
WRITES = ("seen.ordinal", "seen.subject", "seen.oldest")
_MISMATCH = "another payload was admitted under this event id before"


class DedupeStep(Step):
    """The first step of the decision lane: rows that are not new are no longer live.

    The same payload again is folded nowhere; another payload under a known id is refused and the first one stands.
    """

    def __init__(self, plans: Plans, views: Views) -> None:
        self._seen = SeenIds(plans.horizon_us, plans.horizon_rows, RESENT_ROWS_MAX)

    def handle(self, batch: Batch) -> Result:
        seen = self._seen.fold(batch.columns)
        columns: Columns = {"seen.ordinal": seen.ordinals, "seen.subject": seen.subjects, "seen.oldest": seen.oldest}
        if not seen.known:
            return Result(columns)
        return Result(
            columns,
            live=batch.live & (seen.verdicts == NEW),
            refused=[(row, Reason.PAYLOAD_HASH_MISMATCH, _MISMATCH) for row in np.flatnonzero(seen.verdicts == MISMATCH).tolist()],
        )

    def state(self) -> TableState:
        return self._seen.state()

    def restore(self, state: TableState) -> None:
        self._seen = SeenIds.from_state(state)
