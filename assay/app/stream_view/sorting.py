"""Sorts the rows of an output in bounded memory: parts are read one after another, rows wait in buckets of a key range, and a bucket goes
out as soon as no later part can reach into it. An output whose parts follow one another in time needs no more than a few of them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from assay.app.pack.sealed_pack import PackPart, SealedPack
from assay.app.stream_view.ahead import ahead
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
#: of the memory for rows, one part in so many: a bucket that is ordered, a stretch that is read (some of each at once, each held twice
#: for a while), all parts that are published, all rows that wait
BUCKET_SHARE, STRETCH_SHARE, PUBLISH_SHARE, HELD_SHARE = 48, 24, 4, 3


@dataclass(frozen=True)
class Room:
    """What a sort may use. `memory`: bytes for rows; `spill`: the folder of what does not fit."""

    memory: int
    spill: Path
    workers: int = max(1, min(4, os.cpu_count() or 1))
    steps: Steps = field(default_factory=Steps)


@contextmanager
def pool_of(room: Room) -> Iterator[Executor]:
    """The threads of a sort; what they have not begun is dropped when the block ends."""
    pool = ThreadPoolExecutor(room.workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Sorted:
    """What the sort did: statistics of the rows as they were read, and bytes that did not fit into memory."""

    raw: Statistics
    spilled_bytes: int


class RowSorter:
    """Sorts one output of a pack. `told` is called with the rows of each part that was read.

    Threads of the pool verify, decode and part what is read next, and order what is complete, while the caller takes rows.
    """

    def __init__(
        self, pack: SealedPack, parts: Sequence[PackPart], columns: Sequence[str], keys: Sequence[str], room: Room, pool: Executor
    ) -> None:
        self._pack, self._parts, self._columns, self._keys, self._room, self._pool = pack, parts, list(columns), list(keys), room, pool
        self._timed: str | None = None
        self._raw = Statistics()

    def sort(self, emit: Callable[[pl.DataFrame], None], told: Callable[[int], object]) -> Sorted:
        """Give all rows to `emit` in their order.

        Raises Stop(OBJECT_MISSING, DIGEST_MISMATCH, MANIFEST_MISMATCH, MISSING_SORT_KEY).
        """
        with self._room.steps.of("survey"):
            extents = list(ahead(self._pool, (partial(self._surveyed, part) for part in self._parts), self._room.workers))
            width = self._row_bytes()
        plan = plan_of(extents, max(1, min(BUCKET_ROWS, self._room.memory // BUCKET_SHARE // width)))
        stretch = max(1, self._room.memory // STRETCH_SHARE // width)
        with Buckets(plan.buckets, self._room.memory // HELD_SHARE, self._room.spill) as buckets:
            for rows in ahead(self._pool, self._complete(plan, buckets, stretch, told), self._room.workers):
                emit(rows)
            return Sorted(self._raw, buckets.spilled_bytes)

    def _surveyed(self, part: PackPart) -> Extent:
        data = io.BytesIO(self._pack.read(part))
        if missing := [name for name in [*self._columns, *self._keys] if name not in pl.read_parquet_schema(data)]:
            raise _no_key(part, f"it has no column {missing[0]}")
        return extent_of(_keys(pl.read_parquet(data, columns=self._keys[:1]), self._keys[:1], part)[0])

    def _row_bytes(self) -> int:
        """Bytes of a row in memory."""
        schema = pl.read_parquet_schema(io.BytesIO(self._pack.read(self._parts[0])))
        self._timed = self._keys[0] if schema[self._keys[0]].is_temporal() else None
        return sum(_TEXT_BYTES if isinstance(schema[name], pl.String) else 8 for name in self._columns)

    def _complete(self, plan: Plan, buckets: Buckets, stretch: int, told: Callable[[int], object]) -> Iterator[Callable[[], pl.DataFrame]]:
        """Read part after part; the ordering of each bucket that has all its rows then."""
        done = 0
        for read in ahead(self._pool, self._stretches(plan, stretch), self._room.workers):
            self._raw += read.raw
            for bucket, rows in read.parted:
                buckets.add(bucket, rows)
            if not read.last:
                continue
            told(self._parts[read.part].rows)
            while done < plan.complete_after(read.part):
                if pieces := buckets.take(done):
                    yield partial(self._ordered, pieces)
                done += 1

    def _stretches(self, plan: Plan, stretch: int) -> Iterator[Callable[[], _Read]]:
        """The reading of each part, in stretches of so many rows."""
        for number, part in enumerate(self._parts):
            with self._room.steps.of("verify"):
                data = self._pack.read(part)
            rows = pl.scan_parquet(io.BytesIO(data)).select(pl.len()).collect().item()
            if rows != part.rows:
                what = f"the part has {rows:,} rows, its gate lists {part.rows:,}"
                raise Stop(Reason.MANIFEST_MISMATCH, what, where=part.path, remedy="Make the world again in another folder.")
            for begin in range(0, max(1, rows), stretch):
                yield partial(self._read, data, number, begin, stretch, begin + stretch >= rows, plan)

    def _read(self, data: bytes, number: int, begin: int, stretch: int, last: bool, plan: Plan) -> _Read:  # noqa: FBT001 - a fact of the stretch
        """Decode a stretch of a part: its statistics, and its rows by bucket."""
        steps = self._room.steps
        with steps.of("decode"):
            rows = pl.scan_parquet(io.BytesIO(data)).select(self._columns).slice(begin, stretch).collect()
        with steps.of("raw statistics"):
            raw = statistics_of(rows, self._timed)
        with steps.of("part"):
            first = _keys(rows, self._keys, self._parts[number])[0]
            return _Read(number, last, raw, list(_parted(rows, plan.bucket_of(first))))

    def _ordered(self, pieces: Sequence[pl.DataFrame]) -> pl.DataFrame:
        """The rows of a bucket in their order."""
        with self._room.steps.of("order"):
            rows = pl.concat(pieces, rechunk=True)
            order = stable_order([rows[key].to_physical().to_numpy() for key in self._keys])
        with self._room.steps.of("gather"):
            return rows if order is None else rows.select(pl.all().gather(pl.Series(order)))


@dataclass(frozen=True)
class _Read:
    """A stretch of a part: the number of the part, whether it is its last one, and its rows by bucket."""

    part: int
    last: bool
    raw: Statistics
    parted: list[tuple[int, pl.DataFrame]]


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
