"""Sorted rows become the parts of a view: files of a fixed number of rows, each read back and counted before it is published."""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import polars as pl

from assay.app.stores.objects import ObjectStore
from assay.app.stores.published import publish
from assay.app.stream_view.ordering import in_order
from assay.app.stream_view.statistics import Statistics, statistics_of
from assay.app.stream_view.steps import Steps
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

PART_ROWS, ROW_GROUP, ZSTD_LEVEL = 1_048_576, 262_144, 1
#: a part that is published stands in memory as pieces, as a whole, as bytes, and as it was read back; not all at once
COPIES = 3


@dataclass(frozen=True)
class ViewPart:
    """A published file of a view. `first`, `last`: the keys of its first and last row."""

    path: str
    rows: int
    sha256: str
    first: tuple[int, ...]
    last: tuple[int, ...]
    statistics: Statistics

    def locator(self) -> dict[str, Any]:
        """As it stands in a receipt."""
        return {"path": self.path, "rows": self.rows, "content_digest": {"algo": "sha256", "hex": self.sha256}}


def encoded(rows: pl.DataFrame) -> bytes:
    """The bytes of a part."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", compression_level=ZSTD_LEVEL, row_group_size=ROW_GROUP)
    return buffer.getvalue()


class ViewParts:
    """Cuts sorted rows into parts and publishes up to `window` of them at once, fewer where they would take more than `memory` bytes.

    `told` is called with the rows of each published part.
    """

    def __init__(
        self,
        store: ObjectStore,
        root: str,
        keys: Sequence[str],
        *,
        pool: Executor,
        window: int,
        memory: int,
        part_rows: int = PART_ROWS,
        encode: Callable[[pl.DataFrame], bytes] = encoded,
        told: Callable[[int], object],
        steps: Steps | None = None,
    ) -> None:
        self._store, self._root, self._keys, self._part_rows, self._encode, self._told = store, root, keys, part_rows, encode, told
        self._steps = steps or Steps()
        self._pool, self._window, self._memory = pool, window, memory
        self._jobs: deque[Future[ViewPart]] = deque()
        self._waiting: list[pl.DataFrame] = []
        self._rows = self._begun = 0
        self.parts: list[ViewPart] = []

    def add(self, rows: pl.DataFrame) -> None:
        """The next rows of the view. Raises Stop as `end` does."""
        self._waiting.append(rows)
        self._rows += len(rows)
        while self._rows >= self._part_rows:
            self._begin(self._part_rows)

    def end(self) -> Statistics:
        """Publish the rest; the statistics of all parts.

        Raises Stop: STREAM_SORT_VALIDATION_FAILED (rows do not ascend), STREAM_VIEW_PARTIAL_EXISTS (other bytes are published already).
        """
        if self._rows:
            self._begin(self._rows)
        while self._jobs:
            self._finish()
        return sum((part.statistics for part in self.parts), Statistics())

    def _begin(self, rows: int) -> None:
        taken = 0
        pieces = []
        while taken < rows:
            piece = self._waiting.pop(0)
            pieces.append(piece[: rows - taken])
            if len(piece) > rows - taken:
                self._waiting.insert(0, piece[rows - taken :])
            taken += len(pieces[-1])
        self._rows -= rows
        size = sum(int(piece.estimated_size()) for piece in pieces)
        while len(self._jobs) >= max(1, min(self._window, self._memory // (size * COPIES + 1))):
            self._finish()
        self._jobs.append(self._pool.submit(self._publish, self._begun, pieces))
        self._begun += 1

    def _finish(self) -> None:
        part = self._jobs.popleft().result()
        if self.parts and part.first < self.parts[-1].last:
            raise _unsorted(part.path, "its first row is before the last of the part before it")
        self.parts.append(part)
        self._told(part.rows)

    def _publish(self, number: int, pieces: list[pl.DataFrame]) -> ViewPart:
        path = f"{self._root}/part-{number:06d}.parquet"
        with self._steps.of("encode"):
            rows = pl.concat(pieces, rechunk=True)
            pieces.clear()
            data = self._encode(rows)
        with self._steps.of("read back"):
            rows = pl.read_parquet(io.BytesIO(data))
        keys = [rows[key].to_physical().to_numpy() for key in self._keys]
        if not len(rows) or not in_order(keys):
            raise _unsorted(path, "its rows do not ascend")
        with self._steps.of("write"):
            _write_once(self._store, path, data)
        first, last = (tuple(int(key[at]) for key in keys) for at in (0, -1))
        timed = self._keys[0] if rows.schema[self._keys[0]].is_temporal() else None
        with self._steps.of("sorted statistics"):
            statistics, sha256 = statistics_of(rows, timed), hashlib.sha256(data).hexdigest()
        return ViewPart(path, len(rows), sha256, first, last, statistics)


def _write_once(store: ObjectStore, path: str, data: bytes) -> None:
    if not publish(store, path, data):
        what = "the part that is here is not of this view"
        remedy = "Remove the folder of the view, and sort the output again."
        raise Stop(Reason.STREAM_VIEW_PARTIAL_EXISTS, what, where=path, remedy=remedy)


def _unsorted(path: str, what: str) -> Stop:
    remedy = "This is a fault of the sort; nothing was sealed. Report it with the output's name."
    return Stop(Reason.STREAM_SORT_VALIDATION_FAILED, what, where=path, remedy=remedy)
