"""Dedupe: an event id counts once within the idempotency horizon, whatever its offset."""

from __future__ import annotations

import numpy as np

from assay.agents.batch import Batch, Result, Step, Views
from assay.agents.early_labels import IN_VAIN, EarlyLabels
from assay.agents.holding import TIMED_OUT
from assay.agents.plans import Plans
from assay.codecs.columns import Column, Columns, settled_columns
from assay.codecs.table_state import TableState, joined, part
from assay.contracts.reasons import Reason
from assay.tables.dedupe import MISMATCH, NEW, RESENT_ROWS_MAX, SeenIds

READS = ("kind", "event_id", "payload_hash", "subject_event_id", "ts_us")
WRITES = ("seen.ordinal", "seen.subject", "seen.oldest")
_MISMATCH = "another payload was admitted under this event id before"
#: parts of the state while labels wait
_SEEN, _EARLY = "seen", "early"


class DedupeStep(Step):
    """The first step of the decision lane: rows that are not new are no longer live, and labels wait for their payments.

    The same payload again is folded nowhere; another payload under a known id is refused and the first one stands. So is a label that
    waited in vain.
    """

    def __init__(self, plans: Plans, views: Views) -> None:
        self._seen = SeenIds(plans.horizon_us, plans.horizon_rows, RESENT_ROWS_MAX)
        self._early = EarlyLabels() if plans.ordering == "arrival" else None

    def handle(self, batch: Batch) -> Result:
        going = None if self._early is None else self._early.going(batch, self._seen)
        if going is not None and going.rows is not None and going.live is not None:
            rows = settled_columns(going.rows)
            folded = self._fold(batch._replace(columns=rows, live=going.live), going.columns.get(TIMED_OUT))
            return folded._replace(rows=rows, live=going.live if folded.live is None else folded.live)
        return self._fold(batch) if batch.rows else Result()

    def _fold(self, batch: Batch, timed_out: Column | None = None) -> Result:
        """`timed_out` are the labels that go on without their payment."""
        seen = self._seen.fold(batch.columns)
        columns: Columns = {"seen.ordinal": seen.ordinals, "seen.subject": seen.subjects, "seen.oldest": seen.oldest}
        in_vain = [] if timed_out is None else np.flatnonzero((seen.verdicts == NEW) & np.asarray(timed_out)).tolist()
        if not seen.known and not in_vain:
            return Result(columns)
        live = batch.live & (seen.verdicts == NEW)
        live[in_vain] = False
        refused = [(row, Reason.PAYLOAD_HASH_MISMATCH, _MISMATCH) for row in np.flatnonzero(seen.verdicts == MISMATCH).tolist()]
        return Result(columns, live=live, refused=[*refused, *((row, Reason.LABEL_WAITED_IN_VAIN, IN_VAIN) for row in in_vain)])

    def release_us(self) -> int | None:
        return None if self._early is None else self._early.release_us()

    def state(self) -> TableState:
        if self._early is None or not self._early.holds_any:
            return self._seen.state()
        return joined({_SEEN: self._seen.state(), _EARLY: self._early.state()})

    def restore(self, state: TableState) -> None:
        early, waiting = EarlyLabels(), _EARLY in state.header
        if waiting:
            early.restore(part(state, _EARLY))
        self._seen = SeenIds.from_state(part(state, _SEEN) if waiting else state)
        self._early = None if self._early is None else early
