"""A world is made, sealed and proven in a bucket as in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from assay_command import assay
from planted_worlds import NOW_US, made
from small_graph import IDENTITY

from assay.app.pack.checking import ARTEFACT, check_pack, settle
from assay.app.pack.sync import sync_pack
from assay.app.stores.objects import DirectoryStore
from assay.app.stores.places import store_of
from assay.app.world.proof import proofs
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def test_a_world_in_a_bucket_has_the_bytes_of_one_in_a_folder(s3: str, tmp_path: Path) -> None:
    bucket, folder = store_of(f"s3://{s3}/worlds/tiny"), DirectoryStore(tmp_path)
    segments = made(bucket)
    made(folder)
    assert {key: bucket.read(key) for key in bucket.keys("")} == {key: folder.read(key) for key in folder.keys("")}
    assert all(proof.holds for proof in proofs(bucket, segments, IDENTITY))
    made(bucket)  # a call that was cut off goes on
    part = next(key for key in bucket.keys("data") if key.endswith("part-000001.parquet"))
    bucket.replace(part, b"another")
    with pytest.raises(Stop) as refused:
        list(proofs(bucket, segments, IDENTITY))
    assert refused.value.reason is Reason.DIGEST_MISMATCH


def test_commands_take_a_bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = assay("world", "check", f"s3://{s3}/nothing")
    assert (ended.code, "PACK_NOT_FOUND" in ended.err) == (66, True), ended.text
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-from-all")
    ended = assay("world", "check", f"s3://{s3}/nothing")
    assert (ended.code, "ACCESS_DENIED" in ended.err) == (73, True), ended.text
    assert "hidden" not in ended.text


def test_packs_of_a_bucket_are_pruned_by_seed(s3: str, tmp_path: Path) -> None:
    root = f"s3://{s3}/worlds"
    made(store_of(f"{root}/mine"))
    fingerprint = IDENTITY.manifest_fingerprint
    for seed in (8, 9):
        store = store_of(f"{root}/{seed}")
        store.create("run_receipt.json", json.dumps({"manifest_fingerprint": fingerprint, "seed": seed}).encode())
        store.create("data/part-000000.parquet", b"rows")
    store_of(root).create("notes/mine.txt", b"no pack")
    kept = ("--keep", f"{fingerprint}:{IDENTITY.seed}", "--runs", tmp_path / "runs", "--yes", "--json")
    begin_run(tmp_path / "runs" / "r", fingerprint, 9)
    before = list(store_of(root).keys(""))
    ended = assay("world", "prune", root, *kept)
    assert (ended.code, "PACK_IN_USE" in ended.err, f"--keep {fingerprint}:9" in ended.err) == (70, True, True), ended.text
    assert list(store_of(root).keys("")) == before
    ended = assay("world", "prune", root, "--keep", f"{fingerprint}:9", *kept)
    found = json.loads(ended.out)
    assert ([one["folder"] for one in found["removed"]], [one["folder"] for one in found["kept"]]) == (["8"], ["9", "mine"])
    assert (found["removed"][0]["objects"], found["freed_bytes"]) == (2, found["removed"][0]["size_bytes"])
    assert list(store_of(root).keys("")) == [key for key in before if not key.startswith("8/")]


def begin_run(directory: Path, fingerprint: str, seed: int) -> None:
    """A run that refers to a world."""
    directory.mkdir(parents=True)
    config = {"manifest_fingerprint": fingerprint, "seed": seed}
    (directory / "run.json").write_text(json.dumps({"layout": 1, "config": config}))


def test_a_pack_is_copied_between_folders_and_buckets_and_checked_there(s3: str, tmp_path: Path) -> None:
    folder, bucket, back = tmp_path / "world", f"s3://{s3}/copies/1", f"s3://{s3}/copies/2"
    made(DirectoryStore(folder))
    for source, target in ((folder, bucket), (bucket, back), (back, tmp_path / "back")):
        done = sync_pack(store_of(source), store_of(target))
        assert done.copied == done.objects
        assert sync_pack(store_of(source), store_of(target)).copied == 0
    for place in (bucket, back, tmp_path / "back"):
        store = store_of(place)
        assert settle(store, check_pack(store), NOW_US)
        assert ARTEFACT in list(store.keys(""))
    store_of(bucket).replace("interface/engine_gates.map.yaml", b"gates: []")
    ended = assay("oracle", "check", bucket)
    assert (ended.code, "error DIGEST_MISMATCH" in ended.out) == (1, True), ended.text
    assert ARTEFACT not in list(store_of(bucket).keys(""))
