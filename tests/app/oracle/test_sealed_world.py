"""A sealed world that was touched is refused, naming the object and what is wrong with it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from small_worlds import small_world

from assay.app.oracle.sealed_world import Manifest, SealedWorld, open_world, seal_document
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def _reseal(world: SealedWorld, manifest: Manifest) -> None:
    """What somebody would do who alters a world and its digests too."""
    world.store.replace(f"{world.root}/_oracle_pack_manifest.json", manifest.to_bytes())
    world.store.replace(f"{world.root}/_SEALED.json", seal_document(manifest))


def _flip_a_byte(world: SealedWorld, folder: str) -> None:
    key = next(key for key in world.store.keys(world.root) if folder in key)
    data = bytearray(world.store.read(key))
    data[len(data) // 2] ^= 1
    world.store.replace(key, bytes(data))


def _unsort(world: SealedWorld) -> None:
    part = world.manifest.stream_view[0]
    buffer = io.BytesIO()
    world.stream_part(part).reverse().write_parquet(buffer)
    world.store.replace(f"{world.root}/{part.key}", buffer.getvalue())
    resealed = part.model_copy(update={"sha256": hashlib.sha256(buffer.getvalue()).hexdigest()})
    _reseal(world, world.manifest.model_copy(update={"stream_view": [resealed]}))


def _repeat_a_row(world: SealedWorld) -> None:
    part = world.manifest.stream_view[0]
    frame = world.stream_part(part)
    buffer = io.BytesIO()
    pl.concat([frame.head(1), frame.head(len(frame) - 1)]).write_parquet(buffer)
    world.store.replace(f"{world.root}/{part.key}", buffer.getvalue())
    times = {"max_ts_us": int(frame["ts_us"][-2]), "sha256": hashlib.sha256(buffer.getvalue()).hexdigest()}
    _reseal(world, world.manifest.model_copy(update={"stream_view": [part.model_copy(update=times)]}))


def _remove(name: str) -> Callable[[SealedWorld], None]:
    def remove(world: SealedWorld) -> None:
        key = next(key for key in world.store.keys(world.root) if name in key)
        (Path(str(getattr(world.store, "root"))) / key).unlink()

    return remove


def _replace(name: str, change: Callable[[dict[str, object]], dict[str, object]]) -> Callable[[SealedWorld], None]:
    def replace(world: SealedWorld) -> None:
        key = f"{world.root}/{name}"
        world.store.replace(key, json.dumps(change(json.loads(world.store.read(key)))).encode())

    return replace


def _claim_more_rows(world: SealedWorld) -> None:
    _reseal(world, world.manifest.model_copy(update={"rows": world.manifest.rows + 1}))


def _claim_other_times(world: SealedWorld) -> None:
    part = world.manifest.stream_view[0]
    _reseal(world, world.manifest.model_copy(update={"stream_view": [part.model_copy(update={"max_ts_us": part.max_ts_us + 1})]}))


def _verify(world: SealedWorld) -> None:
    list(open_world(world.store, world.manifest.manifest_fingerprint).verify())


@pytest.mark.parametrize(
    ("damage", "reason", "where"),
    [
        (lambda world: _flip_a_byte(world, "stream_view"), Reason.DIGEST_MISMATCH, "stream_view/part-000000.parquet"),
        (lambda world: _flip_a_byte(world, "truth"), Reason.DIGEST_MISMATCH, "truth/part-000000.parquet"),
        (_unsort, Reason.STREAM_VIEW_UNSORTED, "stream_view/part-000000.parquet"),
        (_repeat_a_row, Reason.STREAM_VIEW_UNSORTED, "stream_view/part-000000.parquet"),
        (_remove("stream_view"), Reason.OBJECT_MISSING, "stream_view/part-000000.parquet"),
        (_remove("truth"), Reason.OBJECT_MISSING, "truth/part-000000.parquet"),
        (_remove("_oracle_pack_manifest"), Reason.OBJECT_MISSING, "_oracle_pack_manifest.json"),
        (_remove("_SEALED"), Reason.PACK_NOT_SEALED, "_SEALED.json"),
        (_replace("_SEALED.json", lambda seal: {**seal, "seal_status": "SEALED_FAILED"}), Reason.PACK_NOT_SEALED, "_SEALED.json"),
        (_replace("_SEALED.json", lambda seal: {**seal, "manifest_sha256": "0" * 64}), Reason.MANIFEST_MISMATCH, "_oracle_pack_manifest"),
        (_replace("_oracle_pack_manifest.json", lambda held: {**held, "seed": 9}), Reason.MANIFEST_MISMATCH, "_oracle_pack_manifest"),
        (_replace("_oracle_pack_manifest.json", lambda held: {"rows": 1}), Reason.PACK_MANIFEST_INVALID, "_oracle_pack_manifest"),
        (_claim_more_rows, Reason.MANIFEST_MISMATCH, "_oracle_pack_manifest"),
        (_claim_other_times, Reason.MANIFEST_MISMATCH, "stream_view/part-000000.parquet"),
    ],
)
def test_a_touched_world_is_refused(tmp_path: Path, damage: Callable[[SealedWorld], None], reason: Reason, where: str) -> None:
    world = small_world(tmp_path)
    _verify(world)
    damage(world)
    with pytest.raises(Stop) as refusal:
        _verify(world)
    assert refusal.value.reason == reason
    assert where in refusal.value.where
    assert refusal.value.remedy


def test_an_unknown_world_is_refused(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    with pytest.raises(Stop, match="PACK_NOT_FOUND"):
        open_world(world.store, "0" * 64)


def test_order_is_checked_across_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.app.oracle.importer.PART_ROWS", 1)
    world = small_world(tmp_path)
    assert len(world.manifest.stream_view) == 4
    assert [part.rows for part in open_world(world.store, world.manifest.manifest_fingerprint).verify()] == [1] * 7
    backwards = world.manifest.model_copy(update={"stream_view": world.manifest.stream_view[::-1]})
    _reseal(world, backwards)
    with pytest.raises(Stop, match="STREAM_VIEW_UNSORTED"):
        _verify(world)
