"""Sorts the rows of an output in bounded memory: parts are read one after another, rows wait in buckets of a key range, and a bucket goes
out as soon as no later part can reach into it. An output whose parts follow one another in time needs no more than a few of them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from assay.app.pack.sealed_pack import PackPart, SealedPack
from assay.app.stream_view.buckets import Buckets
from assay.app.stream_view.ordering import stable_order
from assay.app.stream_view.plan import Extent, Plan, extent_of, plan_of
from assay.app.stream_view.statistics import Statistics, statistics_of
from assay.app.stream_view.steps import Steps
from assay.codecs.columns import I64
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: bytes of a value of a column whose values have no fixed size
_TEXT_BYTES = 32
#: columns of so many rows fit into a processor's own cache, where rows are put in order some three times as fast
BUCKET_ROWS = 262_144
#: of the memory for rows: a bucket that is sorted, a stretch of a part that is read
BUCKET_SHARE, STRETCH_SHARE = 12, 12
#: the other rows in memory are being read, sorted and written
HELD_SHARE = 2


@dataclass(frozen=True)
class Room:
    """What a sort may use. `memory`: bytes for rows; `spill`: the folder of what does not fit."""

    memory: int
    spill: Path
    workers: int = max(1, min(4, os.cpu_count() or 1))
    steps: Steps = field(default_factory=Steps)


@dataclass(frozen=True)
class Sorted:
    """What the sort did: statistics of the rows as they were read, and bytes that did not fit into memory."""

    raw: Statistics
    spilled_bytes: int


class RowSorter:
    """Sorts one output of a pack. `told` is called with the rows of each part that was read."""

    def __init__(self, pack: SealedPack, parts: Sequence[PackPart], columns: Sequence[str], keys: Sequence[str], room: Room) -> None:
        self._pack, self._parts, self._columns, self._keys, self._room = pack, parts, list(columns), list(keys), room
        self._timed: str | None = None

    def sort(self, emit: Callable[[pl.DataFrame], None], told: Callable[[int], object]) -> Sorted:
        """Give all rows to `emit` in their order.

        Raises Stop(OBJECT_MISSING, DIGEST_MISMATCH, MANIFEST_MISMATCH, MISSING_SORT_KEY).
        """
        with self._room.steps.of("survey"), ThreadPoolExecutor(self._room.workers) as pool:
            extents = list(pool.map(self._surveyed, self._parts))
        width = self._row_bytes()
        bucket_rows = max(1, min(BUCKET_ROWS, self._room.memory // BUCKET_SHARE // width))
        plan = plan_of(extents, bucket_rows)
        raw, done = Statistics(), 0
        with Buckets(plan.buckets, self._room.memory // HELD_SHARE, self._room.spill) as buckets:
            for number, part in enumerate(self._parts):
                stretch = max(1, self._room.memory // STRETCH_SHARE // width)
                raw += self._read(part, stretch, plan, buckets)
                told(part.rows)
                while done < plan.complete_after(number):
                    self._emit(buckets.take(done), emit)
                    done += 1
            return Sorted(raw, buckets.spilled_bytes)

    def _surveyed(self, part: PackPart) -> Extent:
        data = io.BytesIO(self._pack.read(part))
        if missing := [name for name in [*self._columns, *self._keys] if name not in pl.read_parquet_schema(data)]:
            raise _no_key(part, f"it has no column {missing[0]}")
        return extent_of(_keys(pl.read_parquet(data, columns=self._keys[:1]), self._keys[:1], part)[0])

    def _row_bytes(self) -> int:
        """Bytes of a row in memory."""
        if not self._parts:
            return 1
        schema = pl.read_parquet_schema(io.BytesIO(self._pack.read(self._parts[0])))
        self._timed = self._keys[0] if schema[self._keys[0]].is_temporal() else None
        return sum(_TEXT_BYTES if isinstance(schema[name], pl.String) else 8 for name in self._columns)

    def _read(self, part: PackPart, stretch: int, plan: Plan, buckets: Buckets) -> Statistics:
        """Verify a part and put its rows into their buckets."""
        steps, raw = self._room.steps, Statistics()
        with steps.of("verify"):
            data = self._pack.read(part)
        for rows in _stretches(data, self._columns, stretch, steps):
            with steps.of("raw statistics"):
                raw += statistics_of(rows, self._timed)
            first = _keys(rows, self._keys, part)[0]
            with steps.of("part"):
                for bucket, held in _parted(rows, plan.bucket_of(first)):
                    buckets.add(bucket, held)
        if raw.rows != part.rows:
            what = f"the part has {raw.rows:,} rows, its gate lists {part.rows:,}"
            raise Stop(Reason.MANIFEST_MISMATCH, what, where=part.path, remedy="Make the world again in another folder.")
        return raw

    def _emit(self, pieces: Sequence[pl.DataFrame], emit: Callable[[pl.DataFrame], None]) -> None:
        if pieces:
            with self._room.steps.of("order"):
                rows = pl.concat(pieces, rechunk=True)
                order = stable_order([rows[key].to_physical().to_numpy() for key in self._keys])
            with self._room.steps.of("gather"):
                rows = rows if order is None else rows.select(pl.all().gather(pl.Series(order)))
            with self._room.steps.of("wait for parts"):
                emit(rows)


def _stretches(data: bytes, columns: list[str], rows: int, steps: Steps) -> Iterator[pl.DataFrame]:
    """The rows of a file, so many at a time."""
    scan = pl.scan_parquet(io.BytesIO(data)).select(columns)
    total = scan.select(pl.len()).collect().item()
    for begin in range(0, total, rows):
        with steps.of("decode"):
            stretch = scan.slice(begin, rows).collect()
        yield stretch


def _keys(rows: pl.DataFrame, names: Sequence[str], part: PackPart) -> list[I64]:
    """Key columns as int64. Raises Stop(MISSING_SORT_KEY) for another type, or where a row has none."""
    found = []
    for name in names:
        column = rows[name].to_physical()
        if column.dtype != pl.Int64 or column.null_count():
            raise _no_key(part, f"column {name} is of type {rows[name].dtype} and has {column.null_count():,} nulls")
        found.append(column.to_numpy())
    return found


def _parted(rows: pl.DataFrame, buckets: np.ndarray[tuple[int], np.dtype[np.uint16]]) -> Iterator[tuple[int, pl.DataFrame]]:
    """Rows by bucket, those of a bucket in their order and in memory of their own."""
    if not len(buckets):
        return
    low = int(buckets.min())
    if low == int(buckets.max()):
        yield low, rows
        return
    order, counts = np.argsort(buckets, kind="stable").astype(np.uint32), np.bincount(buckets)
    ends = np.cumsum(counts)
    for bucket in np.flatnonzero(counts).tolist():
        chosen = pl.Series(order[ends[bucket] - counts[bucket] : ends[bucket]])
        yield bucket, rows.select(pl.all().gather(chosen))


def _no_key(part: PackPart, what: str) -> Stop:
    remedy = "A view is sorted by whole numbers or times that every row has; make the world again in another folder."
    return Stop(Reason.MISSING_SORT_KEY, what, where=part.path, remedy=remedy)
