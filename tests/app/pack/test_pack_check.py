"""`assay oracle check` of a generated pack: a code for whatever is missing or changed, and an artefact only where nothing is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from assay_command import assay
from planted_worlds import NOW_US, made
from small_graph import FIRST, GRAPH, IDENTITY, PARAMETERS, maker

from assay.app.pack.checking import ARTEFACT, check_pack, settle
from assay.app.pack.interface import CATALOGUE, GATE_MAP
from assay.app.pack.report import PackReport
from assay.app.pack.sealed_pack import MANIFEST, OUTPUTS, RECEIPT, SEAL
from assay.app.stores.objects import DirectoryStore
from assay.app.world.making import WorldMaker
from assay.app.world.pack import seal, write_receipt
from assay.contracts.errors import Stop
from assay.contracts.gates import FLAG
from assay.contracts.reasons import Reason
from assay.engine.graph import SEGMENTS

Damage = Callable[[DirectoryStore], None]


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """A sealed world of two segments."""
    found = DirectoryStore(tmp_path / "world")
    write_receipt(found, IDENTITY, "tiny", NOW_US)
    maker(found).make()
    seal(found, GRAPH, IDENTITY, NOW_US)
    return found


def codes(report: PackReport) -> list[str]:
    """Severity and code of each issue."""
    return [f"{issue.severity} {issue.reason.name}" for issue in report.issues]


def test_a_sound_pack_passes_and_the_artefact_names_gates_and_outputs(store: DirectoryStore) -> None:
    report = check_pack(store)
    assert (report.status, report.issues) == ("OK", ())
    assert [tuple(one) for one in report.outputs] == [("numbers", 4, 200, ()), ("squares", 4, 200, ())]
    assert settle(store, report, NOW_US)
    written = json.loads(store.read(ARTEFACT))
    assert written["oracle_pack_id"] == json.loads(store.read(SEAL))["oracle_pack_id"] == report.pack_id
    assert sorted(written["gates"]) == [segment.gate_id for segment in GRAPH]
    assert [one["verdict"] for one in written["outputs"]] == ["PASS", "PASS"]


def gone(key: str) -> Damage:
    """Without the first object of this name."""
    return lambda store: next(store.root.rglob(key)).unlink()


def of(key: str, change: Callable[[bytes], bytes]) -> Damage:
    """With other bytes in the first object of this name."""

    def damage(store: DirectoryStore) -> None:
        path = next(store.root.rglob(key.rpartition("/")[2]))
        path.write_bytes(change(path.read_bytes()))

    return damage


def field(key: str, name: str, value: Any) -> Damage:
    """With another value of a field of a JSON document; None takes it out."""

    def change(data: bytes) -> bytes:
        found = {**json.loads(data), name: value}
        return json.dumps({name: one for name, one in found.items() if one is not None}).encode()

    return of(key, change)


def entry(key: str, name: str, value: Any) -> Damage:
    """With another value in the first entry of an interface document, whose digest the manifest does not have any longer."""

    def change(data: bytes) -> bytes:
        found = yaml.safe_load(data)
        next(iter(value for value in found.values() if isinstance(value, list)))[0][name] = value
        return yaml.safe_dump(found).encode()

    return of(key, change)


def put(pattern: str, data: bytes) -> Damage:
    """With these bytes in the first object of such a name."""

    def damage(store: DirectoryStore) -> None:
        next(store.root.rglob(pattern)).write_bytes(data)

    return damage


OTHER = "0" * 64
CHANGED = ["ERROR DIGEST_MISMATCH", "ERROR MANIFEST_MISMATCH", "ERROR MANIFEST_MISMATCH"]
ELSEWHERE = ["ERROR MANIFEST_MISMATCH"] * 4
DAMAGES: list[tuple[str, Damage, list[str], list[str]]] = [
    ("no receipt", gone(RECEIPT), ["ERROR RUN_RECEIPT_UNREADABLE"], []),
    ("a receipt that is no JSON", of(RECEIPT, lambda _: b"{"), ["ERROR RUN_RECEIPT_UNREADABLE"], []),
    ("a receipt without a seed", field(RECEIPT, "seed", None), ["ERROR RUN_RECEIPT_INVALID"], []),
    ("a receipt whose fingerprint is none", field(RECEIPT, "manifest_fingerprint", "12"), ["ERROR RUN_RECEIPT_INVALID"], []),
    ("a receipt without a scenario", field(RECEIPT, "scenario_id", None), ["ERROR SCENARIO_ID_MISSING"], []),
    ("no manifest", gone(MANIFEST), ["WARN PACK_MANIFEST_MISSING"], []),
    ("a manifest that is no JSON", of(MANIFEST, lambda _: b"[]"), ["ERROR PACK_MANIFEST_INVALID"], []),
    ("a manifest of another pack", field(MANIFEST, "oracle_pack_id", OTHER), ["ERROR MANIFEST_MISMATCH"], []),
    ("a manifest of another world", field(MANIFEST, "world_key", {"seed": 8}), ["ERROR MANIFEST_MISMATCH"], []),
    ("no seal", gone(SEAL), ["ERROR PACK_NOT_SEALED"], []),
    ("a seal that failed", field(SEAL, "seal_status", "SEALED_FAILED"), ["ERROR PACK_SEALED_FAILED"], []),
    ("a seal of another pack", field(SEAL, "oracle_pack_id", OTHER), ["ERROR MANIFEST_MISMATCH"], []),
    ("no catalogue", gone("engine_outputs.catalogue.yaml"), ["ERROR OBJECT_MISSING"], []),
    ("a changed gate map", of(GATE_MAP, lambda data: data + b"\n"), CHANGED, []),
    ("a catalogue that is none", of(CATALOGUE, lambda _: b"- 1"), [*CHANGED, "ERROR PACK_MANIFEST_INVALID"], []),
    ("an output without a place", entry(CATALOGUE, "path_template", " "), [*CHANGED, "ERROR OUTPUT_TEMPLATE_MISSING"], ["numbers"]),
    (
        "an output whose place needs a token that worlds do not have",
        entry(CATALOGUE, "path_template", "data/{run_id}/part-*.parquet"),
        [*CHANGED, "ERROR TEMPLATE_TOKEN_MISSING"],
        ["numbers"],
    ),
    ("an output at another place", entry(CATALOGUE, "path_template", "data/part-*.parquet"), [*CHANGED, *ELSEWHERE], ["numbers"]),
    ("an output that nobody makes", entry(CATALOGUE, "output_id", "cubes"), [*CHANGED, "ERROR OUTPUT_MISSING"], ["cubes"]),
    (
        "an output of a gate that is not in the map",
        entry(CATALOGUE, "read_requires_gates", ["gate.layer9"]),
        [*CHANGED, "ERROR REQUIRED_GATE_RECEIPT_MISSING"],
        ["numbers"],
    ),
    (
        "a gate whose place needs a token that worlds do not have",
        entry(GATE_MAP, "validation_bundle_root", "data/{run_id}"),
        [*CHANGED, "ERROR TEMPLATE_TOKEN_MISSING"],
        ["numbers", "squares"],
    ),
    ("a gate without its flag", gone(f"1A/validation/*/{FLAG}"), ["ERROR REQUIRED_GATE_RECEIPT_MISSING"], ["numbers", "squares"]),
    ("a flag that is none", put(f"1B/validation/*/{FLAG}", b"sha256_hex = 1"), ["ERROR GATE_EVIDENCE_MISMATCH"], ["squares"]),
    ("a changed bundle", put("1B/validation/*/validation_report.json", b"{}"), ["ERROR GATE_EVIDENCE_MISMATCH"], ["squares"]),
    ("no part", gone("numbers/**/part-000002.parquet"), ["ERROR OBJECT_MISSING"], ["numbers"]),
    ("a changed part", put("powers/**/part-000002.parquet", b"1"), ["ERROR DIGEST_MISMATCH"], ["squares"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "damage", "found", "failed"), DAMAGES, ids=[row[0] for row in DAMAGES])
def test_each_damage_has_its_code_and_its_outputs_and_leaves_no_artefact(
    store: DirectoryStore, name: str, damage: Damage, found: list[str], failed: list[str]
) -> None:
    assert settle(store, check_pack(store), NOW_US)
    damage(store)
    report = check_pack(store)
    assert codes(report) == found, name
    assert [one.output_id for one in report.outputs if not one.passes] == failed
    assert report.status == ("WARN" if found[0].startswith("WARN") else "FAIL")
    assert not settle(store, report, NOW_US)
    assert not (store.root / ARTEFACT).exists(), "an artefact of before was left"
    assert json.dumps(report.as_json())


def test_a_missing_seal_may_be_a_warning_and_a_failed_one_may_not(store: DirectoryStore) -> None:
    gone(SEAL)(store)
    report = check_pack(store, strict=False)
    assert (codes(report), report.status) == (["WARN PACK_NOT_SEALED"], "WARN")
    assert not settle(store, report, NOW_US)
    store.create(SEAL, b'{"seal_status": "SEALED_FAILED"}')
    assert check_pack(store, strict=False).status == "FAIL"


def test_a_check_of_some_outputs_looks_at_these_and_writes_nothing(store: DirectoryStore) -> None:
    put("powers/**/part-000002.parquet", b"1")(store)
    report = check_pack(store, ["numbers"])
    assert (report.status, [one.output_id for one in report.outputs]) == ("OK", ["numbers"])
    assert not settle(store, report, NOW_US)
    assert not (store.root / ARTEFACT).exists()
    assert codes(check_pack(store, ["cubes"])) == ["ERROR OUTPUT_UNKNOWN"]


def test_a_bundle_that_covers_no_outputs_opens_none(store: DirectoryStore) -> None:
    """As of a flag over a bundle from which the list of outputs was taken before."""
    root = next(store.root.rglob(f"1B/validation/*/{FLAG}")).parent
    index = [one for one in json.loads((root / "index.json").read_bytes()) if one["path"] != OUTPUTS]
    (root / "index.json").write_text(json.dumps(index))
    covered = b"".join((root / one["path"]).read_bytes() for one in sorted(index, key=lambda one: str(one["path"])))
    (root / FLAG).write_text(f"sha256_hex = {hashlib.sha256(covered).hexdigest()}\n")
    assert codes(check_pack(store)) == ["ERROR GATE_EVIDENCE_MISMATCH", "ERROR OUTPUT_MISSING"]


@pytest.mark.parametrize("number", range(len(SEGMENTS)), ids=[segment.segment_id for segment in SEGMENTS])
def test_every_gate_of_the_engine_is_computed_again(tmp_path: Path, number: int) -> None:
    store = DirectoryStore(tmp_path)
    segments = tuple(_with_gate_of(index) for index in range(len(SEGMENTS)))
    write_receipt(store, IDENTITY, "tiny", NOW_US)
    WorldMaker(store, IDENTITY, PARAMETERS, segments).make()
    seal(store, segments, IDENTITY, NOW_US)
    assert check_pack(store).status == "OK"
    path = store.root / segments[number].bundle_root(IDENTITY) / "validation_report.json"
    path.write_bytes(path.read_bytes().replace(b"checks", b"Checks"))
    report = check_pack(store)
    closed = [gate_id for gate_id, (status, _) in report.gates.items() if status != "PASS"]
    assert (closed, codes(report)) == ([SEGMENTS[number].gate_id], ["ERROR GATE_EVIDENCE_MISMATCH"])


def _with_gate_of(number: int) -> Any:
    """A segment with a small output behind the gate of a segment of the engine."""
    segment = SEGMENTS[number]
    output = replace(FIRST.outputs[0], output_id=f"numbers_{segment.segment_id}", segment_id=segment.segment_id, layer=segment.layer)
    state = replace(
        FIRST.states[0],
        outputs=(output,),
        parts=lambda _: 1,
        make=lambda scene, part: {output.output_id: FIRST.states[0].make(scene, part)["numbers"]},
    )
    return replace(FIRST, segment_id=segment.segment_id, layer=segment.layer, states=(state,), gate=segment.gate)


def test_an_empty_place_holds_no_pack(tmp_path: Path) -> None:
    with pytest.raises(Stop) as refused:
        check_pack(DirectoryStore(tmp_path))
    assert refused.value.reason is Reason.PACK_NOT_FOUND


def test_the_command_says_what_it_found_and_ends_with_its_code(tmp_path: Path) -> None:
    world = tmp_path / "world"
    made(DirectoryStore(world))
    ended = assay("oracle", "check", world)
    assert ended.code == 0, ended.text
    assert "1 of 1 gates pass" in ended.out and f"OK: {ARTEFACT} is written" in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines()), ended.out
    (world / SEAL).unlink()
    ended = assay("oracle", "check", world, "--output", "arrival_events_5B", "--allow-unsealed", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["status"], found["reason_codes"], found["warnings"]) == (0, "WARN", ["PACK_NOT_SEALED"], 1)
    assert [(one["output_id"], one["verdict"]) for one in found["outputs"]] == [("arrival_events_5B", "PASS")]
    ended = assay("oracle", "check", world)
    assert ended.code == 1 and "error PACK_NOT_SEALED: the world has no valid seal (at _SEALED.json)" in ended.out
    assert not (world / ARTEFACT).exists()
    assert assay("oracle", "check", tmp_path / "nowhere").code == 66
    assert assay("oracle", "check", "0" * 64, "--store", tmp_path, "--allow-unsealed").code == 2
