"""Parts of an output without a world around them, and what a sort of them must give."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from assay.app.pack.interface import Interface
from assay.app.pack.sealed_pack import PackIdentity, PackPart, SealedPack
from assay.app.stores.objects import DirectoryStore
from assay.app.stream_view.sorting import Room, RowSorter, Sorted, pool_of
from assay.app.stream_view.statistics import Statistics
from assay.app.stream_view.view_parts import ViewParts, encoded

NOWHERE = PackIdentity("0" * 64, "0" * 32, {}, "engine")


def parts_of(store: DirectoryStore, frames: Sequence[pl.DataFrame]) -> list[PackPart]:
    """Write frames as parts."""
    found = []
    for number, frame in enumerate(frames):
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        path = f"data/part-{number:06d}.parquet"
        store.replace(path, buffer.getvalue())
        found.append(PackPart(path, len(frame), hashlib.sha256(buffer.getbuffer()).hexdigest()))
    return found


def sorted_parts(
    root: Path, frames: Sequence[pl.DataFrame], keys: Sequence[str], memory: int, part_rows: int, workers: int = 1
) -> tuple[list[bytes], Sorted, Statistics]:
    """The bytes of the sorted parts, what the sort said of the raw rows, and the statistics of the sorted ones."""
    store = DirectoryStore(root)
    parts = parts_of(store, frames)
    pack = SealedPack(store, NOWHERE, Interface({}, {}))
    room = Room(memory, root / "spill", workers)
    with pool_of(room) as pool:
        view = ViewParts(store, "view", keys, pool=pool, window=workers, memory=memory, part_rows=part_rows, told=lambda _: None)
        done = RowSorter(pack, parts, frames[0].columns, keys, room, pool).sort(view.add, lambda _: None)
        found = view.end()
    return [store.read(part.path) for part in view.parts], done, found


def plainly_sorted(frames: Sequence[pl.DataFrame], keys: Sequence[str], part_rows: int) -> list[bytes]:
    """The same by polars alone, with all rows in memory."""
    rows = pl.concat(frames).sort(keys, maintain_order=True).rechunk()
    return [encoded(rows[begin : begin + part_rows].rechunk()) for begin in range(0, len(rows), part_rows)]
