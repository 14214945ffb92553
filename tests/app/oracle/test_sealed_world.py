"""A sealed world that was touched is refused, naming the object and what is wrong with it."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from small_worlds import ROWS, manifest_key, reseal, reseal_document, small_world

from assay.app.oracle.sealed_world import SealedWorld, open_world
from assay.app.oracle.world_manifest import WorldManifest, WorldPart
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def _flip_a_byte(world: SealedWorld, folder: str) -> None:
    key = next(key for key in world.store.keys(world.root) if folder in key)
    data = bytearray(world.store.read(key))
    data[len(data) // 2] ^= 1
    world.store.replace(key, bytes(data))


def _rewrite(change: Callable[[pl.DataFrame], pl.DataFrame], folder: str = "stream_view") -> Callable[[SealedWorld], None]:
    """Other rows in a world's first part, with the part's own digest, times and number of rows put right."""

    def rewrite(world: SealedWorld) -> None:
        parts: list[WorldPart] = getattr(world.manifest, folder)
        key = f"{world.root}/{parts[0].key}"
        frame, buffer = change(pl.read_parquet(world.store.read(key))), io.BytesIO()
        frame.write_parquet(buffer)
        world.store.replace(key, buffer.getvalue())
        span = {"rows": len(frame), "min_ts_us": frame["ts_us"].min(), "max_ts_us": frame["ts_us"].max()}
        part = parts[0].model_copy(update={**span, "sha256": hashlib.sha256(buffer.getvalue()).hexdigest()})
        reseal(world, world.manifest.model_copy(update={folder: [part, *parts[1:]]}))

    return rewrite


def _claim(**other: object) -> Callable[[SealedWorld], None]:
    """A manifest that says something else."""
    return lambda world: reseal(world, WorldManifest.model_validate({**world.manifest.model_dump(), **other}))


def _claim_other_truth(world: SealedWorld) -> None:
    assert world.manifest.truth_summary is not None
    _claim(truth_summary={**world.manifest.truth_summary.model_dump(), "positives": 2})(world)


def _claim_another_mapping(world: SealedWorld) -> None:
    _claim(mapping={**world.manifest.mapping, "revision": "2"})(world)


#: the last payment, of which nobody knows
LAST = pl.col("ts_us") == pl.col("ts_us").max()
OTHER_ID = pl.when(LAST).then(pl.lit("f" * 64)).otherwise("event_id").alias("event_id")


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


def _of_seed_9(held: dict[str, object]) -> dict[str, object]:
    key = held["world_key"]
    assert isinstance(key, dict)
    return {**held, "world_key": {**key, "seed": 9}}


def _document(world: SealedWorld) -> dict[str, object]:
    document: dict[str, object] = json.loads(world.store.read(manifest_key(world)))
    return document


def _claim_other_times(folder: str) -> Callable[[SealedWorld], None]:
    def claim(world: SealedWorld) -> None:
        parts: list[WorldPart] = getattr(world.manifest, folder)
        _claim(**{folder: [{**parts[0].model_dump(), "max_ts_us": parts[0].max_ts_us + 1}]})(world)

    return claim


def _verify(world: SealedWorld) -> None:
    list(open_world(world.store, world.manifest.manifest_fingerprint).verify())


@pytest.mark.parametrize(
    ("damage", "reason", "where"),
    [
        (lambda world: _flip_a_byte(world, "stream_view"), Reason.DIGEST_MISMATCH, "stream_view/part-000000.parquet"),
        (lambda world: _flip_a_byte(world, "truth"), Reason.DIGEST_MISMATCH, "truth/part-000000.parquet"),
        (_rewrite(pl.DataFrame.reverse), Reason.STREAM_VIEW_UNSORTED, "stream_view/part-000000.parquet"),
        (_rewrite(lambda rows: pl.concat([rows.head(1), rows.head(3)])), Reason.STREAM_VIEW_UNSORTED, "stream_view/part-000000.parquet"),
        (_remove("stream_view"), Reason.OBJECT_MISSING, "stream_view/part-000000.parquet"),
        (_remove("truth"), Reason.OBJECT_MISSING, "truth/part-000000.parquet"),
        (_remove("run_receipt.json"), Reason.PACK_NOT_SEALED, "run_receipt.json"),
        (_remove("_oracle_pack_manifest"), Reason.PACK_NOT_SEALED, "_oracle_pack_manifest.json"),
        (_remove("_SEALED"), Reason.PACK_NOT_SEALED, "_SEALED.json"),
        (_remove("engine_outputs.catalogue"), Reason.OBJECT_MISSING, "interface/engine_outputs.catalogue.yaml"),
        (_remove("engine_gates.map"), Reason.OBJECT_MISSING, "interface/engine_gates.map.yaml"),
        (_remove("_passed.flag"), Reason.REQUIRED_GATE_RECEIPT_MISSING, "validation/"),
        (_remove("world_manifest.json"), Reason.REQUIRED_GATE_RECEIPT_MISSING, "validation/"),
        (lambda world: _flip_a_byte(world, "world_manifest.json"), Reason.GATE_EVIDENCE_MISMATCH, "validation/"),
        (lambda world: _flip_a_byte(world, "outputs.json"), Reason.GATE_EVIDENCE_MISMATCH, "validation/"),
        (lambda world: _flip_a_byte(world, "engine_gates.map"), Reason.DIGEST_MISMATCH, "interface/engine_gates.map.yaml"),
        (_replace("_SEALED.json", lambda seal: {**seal, "seal_status": "SEALED_FAILED"}), Reason.PACK_SEALED_FAILED, "_SEALED.json"),
        (_replace("_SEALED.json", lambda seal: {**seal, "oracle_pack_id": "0" * 64}), Reason.PACK_MANIFEST_INVALID, "_oracle_pack"),
        (_replace("_oracle_pack_manifest.json", _of_seed_9), Reason.MANIFEST_MISMATCH, "world_manifest.json"),
        (lambda world: reseal_document(world, {"rows": 1}), Reason.PACK_MANIFEST_INVALID, "world_manifest.json"),
        (
            lambda world: reseal_document(world, {**_document(world), "version": "v1"}),
            Reason.PACK_MANIFEST_INVALID,
            "world_manifest.json",
        ),
        (lambda world: reseal_document(world, {**_document(world), "stream_view": []}), Reason.MANIFEST_MISMATCH, "world_manifest.json"),
        (_claim(rows=5), Reason.MANIFEST_MISMATCH, "world_manifest.json"),
        (_claim_other_times("stream_view"), Reason.MANIFEST_MISMATCH, "stream_view/part-000000.parquet"),
        (_claim_other_times("truth"), Reason.MANIFEST_MISMATCH, "truth/part-000000.parquet"),
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


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (_rewrite(lambda rows: rows.with_columns(pl.col("amount_minor") + 1)), "column_digests (amount_minor)"),
        (_rewrite(lambda rows: rows.with_columns(pl.col("attribute.channel").reverse())), "column_digests (attribute.channel)"),
        (_rewrite(lambda rows: rows.with_columns(pl.lit("x").alias("attribute.more"))), "manifest's attributes"),
        (_rewrite(lambda rows: rows.with_columns(pl.col("source_id") + "0")), "column_digests (source_id)"),
        (_rewrite(lambda rows: rows.drop("source_id")), 'not of the manifest\'s form: "source_id" not found'),
        (_rewrite(lambda rows: rows.with_columns(pl.col("amount_minor").cast(pl.Float64))), "form: column amount_minor holds Float64"),
        (_rewrite(lambda rows: rows.with_columns(OTHER_ID)), "event ids"),
        (_rewrite(lambda labels: labels.with_columns((1 - pl.col("label")).alias("label")), "truth"), "column_digests (truth.label)"),
        (_rewrite(lambda labels: labels.with_columns(pl.col("event_id").reverse()), "truth"), "column_digests (truth.label, truth.why)"),
        (_rewrite(lambda labels: labels.head(2), "truth"), "the number of labels of its parts"),
        (_claim(kinds={"card": 2, "transfer": 2}), "kinds (card, transfer)"),
        (_claim(entities=["customer"]), "entities"),
        (_claim(min_ts_us=0), "min_ts_us"),
        (_claim(oracle_pack_id="0" * 64), "oracle_pack_id"),
        (_claim(seed=9), "manifest's seed"),
        (_claim(mapping={}), "not of the manifest's form"),
        (_claim_another_mapping, "manifest's parameter_hash"),
        (_claim_other_truth, "truth_summary (positives)"),
    ],
)
def test_a_world_whose_rows_are_not_what_its_manifest_says_is_refused(
    tmp_path: Path, damage: Callable[[SealedWorld], None], named: str
) -> None:
    """Every digest that can be put right by whoever alters a world is put right here."""
    world = small_world(tmp_path)
    damage(world)
    with pytest.raises(Stop, match=re.escape(named)) as refusal:
        _verify(world)
    assert refusal.value.reason is Reason.MANIFEST_MISMATCH
    assert "\n" not in refusal.value.what


@pytest.mark.parametrize("truth", [None, {"column": "fraud", "positive": ["yes"], "delay": "7d", "also": ["why"]}])
def test_a_world_of_which_nobody_knows_anything_is_verified_too(tmp_path: Path, truth: dict[str, object] | None) -> None:
    world = small_world(tmp_path, {**ROWS, "fraud": pl.Series([None] * 4, dtype=pl.String)}, truth=truth)
    assert world.manifest.truth == []
    _verify(world)


def test_the_order_of_entities_is_the_mappings_and_verified(tmp_path: Path) -> None:
    world = small_world(tmp_path, entities={"merchant": "shop", "customer": "who"})
    assert world.manifest.entities == ["merchant", "customer"]
    _verify(world)


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
    reseal(world, backwards)
    with pytest.raises(Stop, match="STREAM_VIEW_UNSORTED"):
        _verify(world)
