"""Set aside: every refused record becomes a dead letter with its place and reason; nothing is dropped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.agents.batch import Batch
from assay.agents.plans import Plans
from assay.agents.step import Emission
from assay.codecs.columns import Columns, Strings
from assay.codecs.quarantine import quarantine_value
from assay.codecs.table_state import TableState
from assay.contracts.reasons import Reason

QUARANTINE = "FP_BUS_QUARANTINE_V1"


class DeadLetterStep:
    """The last step of a lane: publishes what intake and the steps before it have refused."""

    name = "dead_letter"
    takes_no_rows = True

    def __init__(self, plans: Plans) -> None:
        self._handles = list(plans.input_handles)

    def handle(self, batch: Batch) -> Sequence[Emission]:
        letters = [*self._from_intake(batch.dead_letters), *self._from_steps(batch)]
        if not letters:
            return ()
        keys = Strings.of([f"{handle}:{partition}:{offset}" for handle, partition, offset, *_ in letters])
        wall_us = batch.context.wall_us
        values = Strings.of([quarantine_value(h, p, o, r, d, wall_us, raw) for h, p, o, r, d, raw in letters])
        return (Emission(QUARANTINE, np.zeros(len(letters), np.int32), keys, values),)

    def state(self) -> TableState:
        return TableState({})

    def restore(self, state: TableState) -> None:
        """Nothing is remembered."""

    def _from_intake(self, refused: Columns) -> list[tuple[str, int, int, Reason, str, bytes]]:
        if not refused:
            return []
        places = [np.asarray(refused[name]).tolist() for name in ("topic", "partition", "offset")]
        texts = [refused[name] for name in ("reason", "detail", "raw")]
        reason, detail, raw = (column.tolist() for column in texts if isinstance(column, Strings))
        return [
            (self._handles[t], p, o, Reason((why or b"").decode()), (text or b"").decode(), value or b"")
            for t, p, o, why, text, value in zip(*places, reason, detail, raw, strict=True)
        ]

    def _from_steps(self, batch: Batch) -> list[tuple[str, int, int, Reason, str, bytes]]:
        if not batch.refused:
            return []
        topic, partition, offset = (np.asarray(batch.columns[n]) for n in ("topic", "partition", "offset"))
        return [
            (self._handles[int(topic[row])], int(partition[row]), int(offset[row]), reason, detail, b"")
            for row, reason, detail in sorted(batch.refused)
        ]
