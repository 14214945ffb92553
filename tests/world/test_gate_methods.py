"""The gate of each segment of layers 1 and 2: its files, its method, and what a reader says of a damaged bundle."""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast

import pytest
from engine_worlds import SEGMENTS, EngineWorld, Objects, parameters, small_world

from assay.app.stores.objects import ObjectStore
from assay.app.world.bundles import passed, status_of
from assay.contracts.errors import Stop
from assay.contracts.gates import gate_status
from assay.contracts.reasons import Reason
from assay.engine.places.segment import LAYER_1
from assay.engine.segment import Segment

BY_ID = {segment.segment_id: segment for segment in SEGMENTS}
EACH = pytest.mark.parametrize("segment", SEGMENTS, ids=lambda segment: segment.segment_id)
#: segment → method, index, list of an index that is an object, field of the digest, segments before it (the gate map of the reference)
GATE_MAP = {
    "1A": ("sha256_bundle_digest", "index.json", "", "sha256_hex", ()),
    "1B": ("sha256_bundle_digest", "index.json", "", "sha256_hex", ("1A",)),
    "2A": ("sha256_index_json_ascii_lex_raw_bytes", "index.json", "", "sha256_hex", ("1B",)),
    "2B": ("sha256_index_json_ascii_lex_raw_bytes", "index.json", "", "sha256_hex", ("1B", "2A")),
    "3A": ("sha256_member_digest_concat", "index.json", "members", "sha256_hex", ("1A", "1B", "2A")),
    "3B": ("sha256_index_json_ascii_lex_raw_bytes", "index.json", "members", "sha256_hex", ("1A", "1B", "2A", "2B", "3A")),
    "5A": (
        "sha256_index_json_ascii_lex_raw_bytes",
        "validation_bundle_index_5A.json",
        "entries",
        "bundle_digest_sha256",
        ("1A", "1B", "2A", "2B", "3A", "3B"),
    ),
    "5B": (
        "sha256_index_json_ascii_lex_raw_bytes",
        "index.json",
        "entries",
        "bundle_digest_sha256",
        ("1A", "1B", "2A", "2B", "3A", "3B", "5A"),
    ),
}


def copied(world: EngineWorld) -> Objects:
    """The store of a world, to be damaged."""
    copy = Objects()
    copy.objects.update(world.store.objects)
    return copy


def root_of(segment: Segment) -> str:
    """Where the bundle of a segment lies."""
    return segment.bundle_root(small_world().identity)


def index_of(segment: Segment) -> Any:
    """The index of a segment as JSON."""
    return json.loads(small_world().store.read(f"{root_of(segment)}/{segment.gate.index_name}"))


def members(segment: Segment) -> list[str]:
    """Keys of the files that the index of a segment lists."""
    index = index_of(segment)
    listed = index[segment.gate.list_name] if segment.gate.list_name else index
    return [entry["path"] if segment.gate.pack_paths else f"{root_of(segment)}/{entry['path']}" for entry in listed]


def said(segment: Segment, store: Objects) -> str:
    """The status that a reader finds."""
    return gate_status(segment.gate, store.read, root_of(segment)).status


@EACH
def test_a_gate_is_that_of_the_gate_map(segment: Segment) -> None:
    gate = segment.gate
    assert (gate.name, gate.index_name, gate.list_name, gate.digest_field, segment.upstream) == GATE_MAP[segment.segment_id]
    assert segment.gate_id == f"gate.layer{segment.layer}.{segment.segment_id}.validation"
    assert isinstance(index_of(segment), dict if gate.list_name else list)


@EACH
def test_an_untouched_bundle_passes_and_its_receipt_names_the_digest_of_the_flag(segment: Segment) -> None:
    world = small_world()
    flag = world.store.read(f"{root_of(segment)}/_passed.flag").decode()
    receipt = passed(world.store, segment, world.identity)
    digest = receipt["digest"]["hex"]
    assert (receipt["gate_id"], receipt["status"]) == (segment.gate_id, "PASS")
    if segment.gate.json_flag:
        assert json.loads(flag) == {"manifest_fingerprint": world.identity.manifest_fingerprint, "bundle_digest_sha256": digest}
    else:
        assert flag == f"sha256_hex = {digest}\n"


def test_digests_are_those_of_the_methods_in_their_own_words() -> None:
    store, root = small_world().store, root_of

    def digest_of(segment_id: str) -> str:
        return status_of(store, BY_ID[segment_id], small_world().identity).digest

    whole = sorted([*members(BY_ID["1A"]), f"{root(BY_ID['1A'])}/index.json"])
    assert digest_of("1A") == hashlib.sha256(b"".join(map(store.read, whole))).hexdigest()
    for segment_id in ("2A", "2B", "3B", "5A", "5B"):
        assert digest_of(segment_id) == hashlib.sha256(b"".join(map(store.read, sorted(members(BY_ID[segment_id]))))).hexdigest()
    texts = "".join(entry["sha256_hex"] for entry in index_of(BY_ID["3A"])["members"])
    assert digest_of("3A") == hashlib.sha256(texts.encode()).hexdigest()


def test_indexes_have_the_fields_of_their_shapes() -> None:
    assert {*index_of(BY_ID["1B"])[0]} == {"path", "sha256_hex"}
    assert all(entry["path"].startswith("data/layer1/2B/validation/") for entry in index_of(BY_ID["2B"]))
    of_3a = index_of(BY_ID["3A"])
    assert {"members", "s6_receipt_digest", "s5_manifest_digest"} <= {*of_3a}
    assert {*of_3a["members"][0]} == {"logical_id", "path", "sha256_hex", "role"}
    assert {*index_of(BY_ID["5A"])} == {"segment_id", "s5_spec_version", "entries"}


@EACH
def test_one_changed_bit_in_any_member_fails_the_gate(segment: Segment) -> None:
    for key in members(segment):
        store = copied(small_world())
        store.flip(key)
        assert said(segment, store) == "FAIL", key


@pytest.mark.parametrize("segment_id", ["1A", "1B"])
def test_a_bundle_that_counts_whole_fails_for_another_index(segment_id: str) -> None:
    segment, store = BY_ID[segment_id], copied(small_world())
    store.objects[f"{root_of(segment)}/index.json"] += b"\n"
    assert said(segment, store) == "FAIL"


@EACH
def test_a_digest_in_the_index_that_is_not_that_of_its_file_fails_the_gate(segment: Segment) -> None:
    store, key = copied(small_world()), f"{root_of(segment)}/{segment.gate.index_name}"
    text = store.objects[key].decode()
    at = text.index('"sha256_hex": "') + len('"sha256_hex": "')
    store.objects[key] = f"{text[:at]}{'1' if text[at] == '0' else '0'}{text[at + 1 :]}".encode()
    assert said(segment, store) == "FAIL"


@EACH
def test_a_missing_file_is_missing(segment: Segment) -> None:
    for key in [*members(segment), f"{root_of(segment)}/{segment.gate.index_name}", f"{root_of(segment)}/_passed.flag"]:
        store = copied(small_world())
        del store.objects[key]
        assert said(segment, store) == "missing", key


@EACH
@pytest.mark.parametrize(
    "flag", [b"", b"\n", b"sha256_hex: 0", b"other = " + b"0" * 64, b"{}", b"0" * 64, b"\xff\xfe", b'{"sha256_hex": 1}']
)
def test_a_flag_of_another_form_is_a_conflict(segment: Segment, flag: bytes) -> None:
    store = copied(small_world())
    store.objects[f"{root_of(segment)}/_passed.flag"] = flag
    assert said(segment, store) == "conflict"


@EACH
def test_a_well_formed_flag_of_another_digest_fails(segment: Segment) -> None:
    store, key = copied(small_world()), f"{root_of(segment)}/_passed.flag"
    digest = status_of(small_world().store, segment, small_world().identity).digest
    store.objects[key] = store.objects[key].replace(digest.encode(), b"0" * 64)
    assert said(segment, store) == "FAIL"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [("flip", Reason.GATE_EVIDENCE_MISMATCH), ("remove", Reason.REQUIRED_GATE_RECEIPT_MISSING)],
)
def test_a_segment_does_not_begin_before_the_gates_of_its_inputs_pass(damage: str, reason: Reason) -> None:
    store = copied(small_world())
    key = members(BY_ID["1B"])[0]
    if damage == "flip":
        store.flip(key)
    else:
        del store.objects[key]
    with pytest.raises(Stop) as refusal:
        passed(cast(ObjectStore, store), BY_ID["1B"], small_world().identity)
    assert refusal.value.reason is reason


def test_a_changed_merchant_row_is_refused_where_5a_reads_it_and_5a_leaves_no_flag() -> None:
    world = EngineWorld(parameters(), segments=LAYER_1).made()
    [part] = world.maker.published.parts("outlet_catalogue")
    world.store.flip(part.path)
    with pytest.raises(Stop) as refusal:
        EngineWorld(parameters(), store=world.store).made()
    assert refusal.value.reason is Reason.DIGEST_MISMATCH
    assert refusal.value.where == part.path
    assert status_of(world.store, BY_ID["5A"], world.identity).status == "missing"
