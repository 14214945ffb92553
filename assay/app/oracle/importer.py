"""Imports a file of payments as a sealed world: sorted, checked, with identity from its content and truth kept apart."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from assay.app.oracle.label_columns import label_columns
from assay.app.oracle.live_columns import live_frame, refuse_twins
from assay.app.oracle.mapping import Mapping
from assay.app.oracle.reading import over_file, read_input
from assay.app.oracle.refusing import ROW
from assay.app.oracle.row_faults import all_of, sound_rows
from assay.app.oracle.row_filters import taken_rows
from assay.app.oracle.sealed_world import SealedWorld, open_world, world_root
from assay.app.oracle.set_aside import counts_of, refuse_aside_file, write_aside
from assay.app.oracle.source_order import source_order
from assay.app.oracle.world_claims import ROW_ORDER, claims, ids_of, known_truth
from assay.app.oracle.world_identity import MANIFEST_VERSION
from assay.app.oracle.world_manifest import WorldManifest, WorldPart
from assay.app.oracle.world_pack import write_pack
from assay.app.progress import unseen
from assay.app.stores.below import StoreBelow
from assay.app.stores.objects import ObjectStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

PART_ROWS = 250_000

#: called with (what is being done, steps done, steps in all)
Progress = Callable[[str, int, int], None]


def import_world(
    path: Path, mapping: Mapping, store: ObjectStore, now_us: int, progress: Progress = unseen, aside: Path | None = None
) -> SealedWorld:
    """Seal the file as a world, or give back the world if it is sealed already.

    Nothing is written before every row is checked. `aside` is a file for rows at fault: they are written there before the others are
    sealed. Without it, they refuse the file. Raises Quarantine (see `reading`, `live_columns`; for labels also LABEL_NOT_AFTER_PAYMENT)
    and Stop (see `sealed_world.open_world` and `set_aside.write_aside`).
    """
    progress("read", 0, 5)
    if aside is not None:
        refuse_aside_file(aside)
    mapping = over_file(path, mapping)
    truth = mapping.truth
    frame = read_input(path, [*mapping.live_columns(), *sorted(truth.columns() if truth else ())], mapping.form)
    progress("check", 1, 5)
    checked, faults = sound_rows(frame, lambda rows: _checked(rows, frame, mapping, now_us))
    if faults and aside is None:
        raise all_of(faults)
    progress("sort", 2, 5)
    world = checked.sort(*ROW_ORDER)
    progress("identify", 3, 5)
    claimed = claims(world, mapping, counts_of(faults))
    world = world.with_columns(ids_of(world["source_id"], claimed["manifest_fingerprint"], mapping))
    progress("seal", 4, 5)
    if aside is not None:
        write_aside(aside, path, mapping.form, faults)
    view = world.select("event_id", *(name for name in checked.columns if not name.startswith("truth.")))
    sealed = _seal(store, claimed, view, known_truth(world) if mapping.truth else None, now_us)
    progress("sealed", 5, 5)
    return sealed


def _checked(rows: pl.DataFrame, whole: pl.DataFrame, mapping: Mapping, now_us: int) -> pl.DataFrame:
    """Columns of a live row and of its label, of the rows that the mapping takes. The other rows of the whole file are at fault."""
    frame = taken_rows(rows, mapping.filter or ())
    live = live_frame(frame, mapping, now_us)
    if len(rows) < len(whole):
        refuse_twins(frame, live["source_id"], whole.filter(~whole[ROW].is_in(rows[ROW].implode())), mapping)
    live = live.with_columns(source_order(frame, mapping.order, live["ts_us"]))
    labels = label_columns(frame, mapping.truth, live["ts_us"], now_us) if mapping.truth else live.select()
    return pl.concat([live, labels], how="horizontal")


def _seal(store: ObjectStore, claimed: dict[str, Any], view: pl.DataFrame, truth: pl.DataFrame | None, now_us: int) -> SealedWorld:
    fingerprint = claimed["manifest_fingerprint"]
    try:
        return open_world(store, fingerprint)
    except Stop as stop:
        if stop.reason not in (Reason.PACK_NOT_FOUND, Reason.PACK_NOT_SEALED):
            raise
    root = world_root(fingerprint)
    stream_parts = _write_parts(store, root, "stream_view", view)
    truth_parts = [] if truth is None else _write_parts(store, root, "truth", truth)
    manifest = WorldManifest(version=MANIFEST_VERSION, **claimed, stream_view=stream_parts, truth=truth_parts)
    write_pack(StoreBelow(store, root), manifest, now_us)
    return open_world(store, fingerprint)


def _write_parts(store: ObjectStore, root: str, folder: str, frame: pl.DataFrame) -> list[WorldPart]:
    parts = []
    for number in range((len(frame) + PART_ROWS - 1) // PART_ROWS):
        rows = frame.slice(number * PART_ROWS, PART_ROWS)
        buffer = io.BytesIO()
        rows.write_parquet(buffer, compression="zstd")
        data, key = buffer.getvalue(), f"{folder}/part-{number:06d}.parquet"
        store.replace(f"{root}/{key}", data)
        times = rows["ts_us"]
        digest = hashlib.sha256(data).hexdigest()
        parts.append(WorldPart(key=key, rows=len(rows), sha256=digest, min_ts_us=int(times[0]), max_ts_us=int(times[-1])))
    return parts
