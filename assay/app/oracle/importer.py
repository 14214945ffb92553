"""Imports a file of payments as a sealed world: sorted, checked, with identity from its content and truth kept apart."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import polars as pl

from assay.app.oracle.label_columns import label_columns
from assay.app.oracle.live_columns import live_frame
from assay.app.oracle.mapping import Mapping, Truth
from assay.app.oracle.reading import read_input
from assay.app.oracle.sealed_world import Manifest, Part, SealedWorld, TruthSummary, open_world, seal_document, world_root
from assay.app.oracle.world_identity import MANIFEST_VERSION, column_digests, event_ids, manifest_fingerprint, oracle_pack_id
from assay.app.progress import unseen
from assay.app.stores.objects import ObjectStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

PART_ROWS = 250_000

#: called with (what is being done, steps done, steps in all)
Progress = Callable[[str, int, int], None]


def import_world(path: Path, mapping: Mapping, store: ObjectStore, now_us: int, progress: Progress = unseen) -> SealedWorld:
    """Seal the file as a world, or give back the world if it is sealed already.

    Nothing is written before every row is checked. Raises Quarantine (see `reading`, `live_columns`; for labels also
    LABEL_NOT_AFTER_PAYMENT) and Stop (see `sealed_world.open_world`).
    """
    progress("read", 0, 5)
    frame = read_input(path, [*mapping.live_columns(), *sorted(mapping.truth.columns() if mapping.truth else ())])
    progress("check", 1, 5)
    live = live_frame(frame, mapping, now_us)
    labels = label_columns(frame, mapping.truth, live["ts_us"], now_us) if mapping.truth else live.select()
    progress("sort", 2, 5)
    world = pl.concat([live, labels], how="horizontal").sort("ts_us", "source_id")
    progress("identify", 3, 5)
    digests = column_digests(world)
    fingerprint = manifest_fingerprint(len(world), digests, mapping.digest)
    ids = event_ids(mapping.output_id, world["source_id"], fingerprint, mapping.digest, mapping.seed, mapping.scenario_id)
    world = world.with_columns(pl.Series("event_id", ids, pl.String)).sort("ts_us", "event_id")
    progress("seal", 4, 5)
    sealed = _seal(store, mapping, fingerprint, world, list(live.columns), digests)
    progress("sealed", 5, 5)
    return sealed


def _seal(
    store: ObjectStore, mapping: Mapping, fingerprint: str, world: pl.DataFrame, live: list[str], digests: dict[str, str]
) -> SealedWorld:
    try:
        return open_world(store, fingerprint)
    except Stop as stop:
        if stop.reason not in (Reason.PACK_NOT_FOUND, Reason.PACK_NOT_SEALED):
            raise
    root = world_root(fingerprint)
    view = world.select("event_id", *(name for name in live if name != "source_id"))
    stream_parts = _write_parts(store, root, "stream_view", view)
    truth_parts = _write_parts(store, root, "truth", _truth_rows(world)) if mapping.truth else []
    manifest = Manifest(
        version=MANIFEST_VERSION,
        oracle_pack_id=oracle_pack_id(fingerprint, mapping.digest, mapping.scenario_id, mapping.seed),
        manifest_fingerprint=fingerprint,
        parameter_hash=mapping.digest,
        scenario_id=mapping.scenario_id,
        seed=mapping.seed,
        output_id=mapping.output_id,
        mapping=mapping.document(),
        rows=len(world),
        min_ts_us=int(world["ts_us"][0]),
        max_ts_us=int(world["ts_us"][-1]),
        entities=list(mapping.entities),
        attributes=list(mapping.attributes),
        kinds=dict(sorted(world["kind"].value_counts().iter_rows())),
        column_digests=digests,
        stream_view=stream_parts,
        truth=truth_parts,
        truth_summary=_summary(world, mapping.truth),
    )
    store.replace(f"{root}/_oracle_pack_manifest.json", manifest.to_bytes())
    store.replace(f"{root}/_SEALED.json", seal_document(manifest))  # a seal that cannot be read is no seal: it is written again
    return SealedWorld(store, manifest)


def _truth_rows(world: pl.DataFrame) -> pl.DataFrame:
    known = world.filter(pl.col("truth.label").is_not_null())
    others = [name for name in world.columns if name.startswith("truth.") and name not in ("truth.label", "truth.observed_ts_us")]
    return known.select(
        "event_id", "ts_us", pl.col("truth.label").alias("label"), pl.col("truth.observed_ts_us").alias("observed_ts_us"), *others
    )


def _summary(world: pl.DataFrame, truth: Truth | None) -> TruthSummary | None:
    if truth is None:
        return None
    rows, positives = world["truth.label"].count(), int(world["truth.label"].sum())
    emitted = positives if truth.emit == "positive" else rows
    return TruthSummary(rows=rows, positives=positives, emitted=emitted, emit=truth.emit, source=truth.source, delay_us=truth.delay_us)


def _write_parts(store: ObjectStore, root: str, folder: str, frame: pl.DataFrame) -> list[Part]:
    parts = []
    for number in range((len(frame) + PART_ROWS - 1) // PART_ROWS):
        rows = frame.slice(number * PART_ROWS, PART_ROWS)
        buffer = io.BytesIO()
        rows.write_parquet(buffer, compression="zstd")
        data, key = buffer.getvalue(), f"{folder}/part-{number:06d}.parquet"
        store.replace(f"{root}/{key}", data)
        times = rows["ts_us"]
        digest = hashlib.sha256(data).hexdigest()
        parts.append(Part(key=key, rows=len(rows), sha256=digest, min_ts_us=int(times[0]), max_ts_us=int(times[-1])))
    return parts
