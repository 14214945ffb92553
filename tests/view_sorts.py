"""Sorts of outputs of a small sealed world, and what they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
from planted_worlds import NOW_US, Frames

from assay.app.pack.sealed_pack import open_pack
from assay.app.stores.objects import DirectoryStore
from assay.app.stream_view.naming import view_root
from assay.app.stream_view.sorting import Room
from assay.app.stream_view.view import SortedView, ViewSorter
from assay.app.stream_view.view_parts import encoded

EVENTS, TRUTH, ARRIVALS = "s3_event_stream_with_fraud_6B", "s4_flow_truth_labels_6B", "arrival_events_5B"
ROOT = view_root(EVENTS)


class Cut(Exception):
    """The process ended here."""


class CutStore(DirectoryStore):
    """A store whose process ends before a key of some name is written."""

    cut_at = ""

    def create(self, key: str, data: bytes) -> None:
        if self.cut_at and key.startswith("stream_view") and key.endswith(self.cut_at):
            raise Cut(key)
        super().create(key, data)


def mixed(frames: Frames) -> Frames:
    """Times that neither files nor rows follow, and the truth beside the events."""
    events = frames[EVENTS]
    times = (pl.int_range(pl.len()) * 7 % 5 * 1_000_000).cast(pl.Datetime("us", "UTC"))
    arrivals = frames[ARRIVALS].with_columns(ts_utc=times)
    entities = {ARRIVALS: arrivals, "s1_arrival_entities_6B": arrivals}
    return {**frames, **entities, EVENTS: events.with_columns(ts_utc=times, fraud_flag=pl.lit(1), campaign_id=pl.col("flow_id"))}


def sort(
    store: DirectoryStore, output_id: str = EVENTS, encode: Callable[[pl.DataFrame], bytes] = encoded, now_us: int = NOW_US
) -> SortedView:
    """Sort an output into parts of five rows."""
    room = Room(2**20, store.root / "spill", 2)
    sorter = ViewSorter(open_pack(store), store, room, lambda: now_us, lambda _: None, part_rows=5, encode=encode)
    return sorter.sort(output_id)


def files(store: DirectoryStore, root: str = "stream_view") -> dict[str, bytes]:
    """Every object below a key."""
    return {key: store.read(key) for key in store.keys(root)}


def rows(store: DirectoryStore, receipt: Mapping[str, Any]) -> pl.DataFrame:
    """The rows that a receipt lists."""
    return pl.concat([pl.read_parquet(store.root / part["path"], hive_partitioning=False) for part in receipt["parts"]])


def raw(store: DirectoryStore, output_id: str) -> pl.DataFrame:
    """The rows of an output with the file and the row in it that they come from."""
    found = sorted((store.root / "data").rglob(f"{output_id}/**/part-*.parquet"))
    frames = [pl.read_parquet(path, hive_partitioning=False).with_row_index("at").with_columns(file=pl.lit(str(path))) for path in found]
    return pl.concat(frames)
