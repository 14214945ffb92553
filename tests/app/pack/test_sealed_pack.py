"""A pack is read by its interface documents alone: seal, manifest, documents and gates are verified first."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from planted_worlds import made
from small_graph import IDENTITY, TEXT_GATE

from assay.app.pack.interface import CATALOGUE, GATE_MAP
from assay.app.pack.sealed_pack import MANIFEST, OUTPUTS, RECEIPT, SEAL, PackPart, open_pack
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Stop
from assay.contracts.gates import FLAG, GateMethod, flag_files, method_of
from assay.contracts.reasons import Reason
from assay.engine.interface import gate_map

FLOWS = "s2_flow_anchor_baseline_6B"
METHODS = [
    GateMethod("sha256_bundle_digest", whole=True),
    GateMethod("sha256_index_json_ascii_lex_raw_bytes", pack_paths=True),
    GateMethod("sha256_member_digest_concat", list_name="members", members=True, lexical=False),
    GateMethod("index_json_ascii_lex_raw_bytes", "bundle_index.json", "entries", "bundle_digest_sha256", json_flag=True),
    GateMethod("sha256_index_json_ascii_lex_raw_bytes", "bundle_index.json", list_name="items", lexical=False),
]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed world of a few rows, to be copied."""
    folder = tmp_path_factory.mktemp("sealed") / "world"
    made(DirectoryStore(folder))
    return folder


@pytest.fixture
def store(sealed: Path, tmp_path: Path) -> DirectoryStore:
    """A copy of the sealed world."""
    shutil.copytree(sealed, tmp_path / "world")
    return DirectoryStore(tmp_path / "world")


def test_parts_of_an_output_are_those_that_its_gate_lists(store: DirectoryStore) -> None:
    pack, parts = open_pack(store), parts_of_flows(store)
    assert [part.rows for part in parts] == [4, 2]
    assert [part.path.rpartition("/")[2] for part in parts] == ["part-000000.parquet", "part-000001.parquet"]
    assert pack.read(parts[0]) == store.read(parts[0].path)
    assert pack.identity.world_key == {**IDENTITY.tokens(), "seed": IDENTITY.seed}
    assert pack.identity.run_id == IDENTITY.run_id


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_gate_of_the_map_is_verified_by_the_method_that_made_it(tmp_path: Path, method: GateMethod) -> None:
    store = DirectoryStore(tmp_path)
    segments = made(store)
    assert method_of(gate_map([replace(segments[0], gate=method)])["gates"][0]) == method


def parts_of_flows(store: DirectoryStore) -> list[PackPart]:
    """The parts of an output of a pack that is opened."""
    pack = open_pack(store)
    return pack.parts(pack.output(FLOWS))


def _bundle(store: DirectoryStore) -> Path:
    return next((store.root / "data").rglob(FLAG)).parent


def _uncovered(store: DirectoryStore) -> None:
    """A gate that passes without its list of outputs."""
    index, flag = flag_files(TEXT_GATE, {"more.json": b"[]"}, IDENTITY.manifest_fingerprint, "6B")
    for name, data in {"more.json": b"[]", "index.json": index, FLAG: flag}.items():
        (_bundle(store) / name).write_bytes(data)


def _changed(name: str, **fields: object) -> Callable[[DirectoryStore], None]:
    return lambda store: store.replace(name, json.dumps({**json.loads(store.read(name)), **fields}).encode())


def _other_upstream(store: DirectoryStore) -> None:
    """A gate map, sealed as it is, that names a gate which it does not have."""
    entries = yaml.safe_load(store.read(GATE_MAP))
    entries["gates"][0]["upstream_gate_dependencies"] = ["gate.layer9.9A.validation"]
    data = yaml.safe_dump(entries).encode()
    store.replace(GATE_MAP, data)
    _changed(MANIFEST, gate_map_digest=hashlib.sha256(data).hexdigest())(store)


DAMAGED: list[tuple[str, Callable[[DirectoryStore], object], Reason]] = [
    ("no receipt", lambda store: store.remove(RECEIPT), Reason.PACK_NOT_FOUND),
    ("no seal", lambda store: store.remove(SEAL), Reason.PACK_NOT_SEALED),
    ("no manifest", lambda store: store.remove(MANIFEST), Reason.PACK_NOT_SEALED),
    ("a seal that cannot be read", lambda store: store.replace(SEAL, b"[1]"), Reason.PACK_MANIFEST_INVALID),
    ("a failed seal", _changed(SEAL, seal_status="SEALED_FAILED"), Reason.PACK_SEALED_FAILED),
    ("a seal of another pack", _changed(SEAL, oracle_pack_id="0" * 64), Reason.PACK_MANIFEST_INVALID),
    ("a manifest that is none", lambda store: store.replace(MANIFEST, b"{"), Reason.PACK_MANIFEST_INVALID),
    ("no catalogue", lambda store: store.remove(CATALOGUE), Reason.OBJECT_MISSING),
    ("a changed gate map", lambda store: store.replace(GATE_MAP, store.read(GATE_MAP) + b" "), Reason.DIGEST_MISMATCH),
    ("an unknown upstream gate", _other_upstream, Reason.PACK_MANIFEST_INVALID),
    ("no flag", lambda store: (_bundle(store) / FLAG).unlink(), Reason.REQUIRED_GATE_RECEIPT_MISSING),
    ("a changed flag", lambda store: (_bundle(store) / FLAG).write_bytes(b"sha256_hex = 1"), Reason.GATE_EVIDENCE_MISMATCH),
    ("a changed list", lambda store: (_bundle(store) / OUTPUTS).write_bytes(b"[]"), Reason.GATE_EVIDENCE_MISMATCH),
    ("a list that no gate covers", _uncovered, Reason.GATE_EVIDENCE_MISMATCH),
]


@pytest.mark.parametrize(("name", "damage", "reason"), DAMAGED, ids=[row[0] for row in DAMAGED])
def test_a_pack_that_is_not_whole_is_not_read(
    store: DirectoryStore, name: str, damage: Callable[[DirectoryStore], object], reason: Reason
) -> None:
    damage(store)
    with pytest.raises(Stop) as refused:
        parts_of_flows(store)
    assert refused.value.reason is reason, name
    assert refused.value.remedy


def test_an_output_without_a_file_is_missing(store: DirectoryStore) -> None:
    pack = open_pack(store)
    with pytest.raises(Stop) as refused:
        pack.parts(replace(pack.output(FLOWS), output_id="s9_nothing"))
    assert refused.value.reason is Reason.OUTPUT_MISSING
