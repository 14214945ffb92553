"""Labels whose payment is not folded yet: under `arrival` topics have no common order, and a lane that lags may read labels first.

Such a label waits, as a row that a step holds, and folds right behind its payment. One whose payment does not come goes on when its time
has come, or when too many wait, and dedupe refuses it. Under `event_time` the watermarks have ordered labels and payments, and nobody
waits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.agents.batch import Batch, Result
from assay.agents.holding import HoldingStep
from assay.codecs.columns import I64, Strings
from assay.tables.dedupe import SeenIds
from assay.tables.payment_keys import payment_keys
from assay.tables.row_kinds import LABEL, PAYMENT

#: how long a label waits for its payment: much longer than a lane lags
WAIT_US = 3_600_000_000
#: memory of labels that wait, near 90,000 of them
BYTES_MAX = 64 * 1024 * 1024
#: said of a label that waited for no payment: the wait is of the lane's clock, so the payment may come yet
IN_VAIN = (
    f"its payment was not folded while the label waited: at most {WAIT_US // 3_600_000_000} h, and {BYTES_MAX >> 20} MiB of labels wait "
    "at most. The label changed nothing. If its payment was admitted, post the label again, with a later known_at"
)


class EarlyLabels(HoldingStep):
    """The part of dedupe that holds labels. A payment is known by the hashes by which `SeenIds` knows it."""

    def __init__(self) -> None:
        super().__init__("arrival", WAIT_US, BYTES_MAX)
        self._waits: dict[int, bytes] = {}
        self._brings: dict[int, bytes] = {}
        self._here: set[bytes] = set()

    @property
    def holds_any(self) -> bool:
        """Whether a label waits."""
        return len(self._held) > 0

    def going(self, batch: Batch, seen: SeenIds) -> Result | None:
        """The rows that go on, None when they are those of the batch. `seen` knows the payments of all batches before."""
        self._waits, self._brings, self._here = {}, {}, set()
        if batch.rows:
            self._look_at(batch, seen)
        due_us = self.release_us()
        if self._waits or self._brings or (due_us is not None and due_us <= batch.context.wall_us):
            return self.handle(batch)
        return None

    def _look_at(self, batch: Batch, seen: SeenIds) -> None:
        """Which labels may have to wait, and which payments are waited for: by labels held or by one of this batch."""
        kinds = np.asarray(batch.columns["kind"], np.int8)
        if LABEL not in kinds.tobytes() and not self.holds_any:
            return  # nearly every batch: one look at its bytes
        labels = np.flatnonzero((kinds == LABEL) & batch.live)
        if len(labels):
            subjects = _texts(batch, "subject_event_id", labels)
            keys = payment_keys(subjects)
            self._waits = _by_row(labels, keys, ~seen.knows(keys) & (subjects.lengths >= 0))
        wanted = {*self._held.keys(), *self._waits.values()}
        if wanted:
            payments = np.flatnonzero((kinds == PAYMENT) & batch.live)
            keys = payment_keys(_texts(batch, "event_id", payments))
            self._brings = _by_row(payments, keys, np.isin(keys[:, 0], np.frombuffer(b"".join(wanted), np.int64)[::2]))

    def waits_for(self, batch: Batch) -> Sequence[bytes | None]:
        return [self._waits.get(row) for row in range(batch.rows)]

    def brings(self, batch: Batch) -> Sequence[bytes | None]:
        return [self._brings.get(row) for row in range(batch.rows)]

    def knows(self, key: bytes) -> bool:
        return key in self._here

    def learn(self, key: bytes, ts_us: int) -> None:
        self._here.add(key)


def _texts(batch: Batch, name: str, rows: I64) -> Strings:
    texts = batch.columns[name]
    assert isinstance(texts, Strings)
    return texts.take(rows)


def _by_row(rows: I64, keys: I64, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> dict[int, bytes]:
    return {row: key.tobytes() for row, key in zip(rows[chosen].tolist(), keys[chosen], strict=True)}
