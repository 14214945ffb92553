"""`assay world check` holds for a sound world, and each planted breach is found by the claim that it breaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from planted_worlds import NOW_US, Frames, made
from small_graph import IDENTITY

from assay.app.pack.sealed_pack import MANIFEST, RECEIPT, SEAL, sealed_as
from assay.app.stores.objects import DirectoryStore
from assay.app.world.pack import identity_in, seal, write_receipt
from assay.app.world.proof import Proof, proofs
from assay.contracts.errors import Stop
from assay.contracts.gates import FLAG
from assay.contracts.reasons import Reason

FLOWS, EVENTS, TRUTH = "s3_flow_anchor_with_fraud_6B", "s3_event_stream_with_fraud_6B", "s4_flow_truth_labels_6B"
CONTEXT, BASELINE = "s3_arrival_entities_with_fraud_6B", "s1_arrival_entities_6B"


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """An empty folder."""
    return DirectoryStore(tmp_path / "world")


def broken(store: DirectoryStore, change: Callable[[Frames], Frames]) -> list[Proof]:
    """The claims that do not hold after a change of the rows."""
    return [proof for proof in proofs(store, made(store, change), IDENTITY) if not proof.holds]


def test_a_sound_world_has_no_breach(store: DirectoryStore) -> None:
    assert broken(store, lambda frames: frames) == []


def without(name: str, rows: pl.Expr) -> Callable[[Frames], Frames]:
    """Without these rows of an output."""
    return lambda frames: {**frames, name: frames[name].filter(~rows)}


def twice(name: str) -> Callable[[Frames], Frames]:
    """With the first row of an output a second time."""
    return lambda frames: {**frames, name: pl.concat([frames[name], frames[name].head(1)])}


def changed(name: str, **columns: pl.Expr) -> Callable[[Frames], Frames]:
    """With other values in an output."""
    return lambda frames: {**frames, name: frames[name].with_columns(**columns)}


FIRST = pl.col("flow_id") == 100
BREACHES: list[tuple[str, Callable[[Frames], Frames], str]] = [
    ("a merchant's arrival number twice", twice("arrival_events_5B"), "arrival_events_5B: merchant_id, arrival_seq name one row"),
    ("a flow twice", twice(FLOWS), f"{FLOWS}: flow_id names one row"),
    ("a case's event twice", twice("s4_case_timeline_6B"), "s4_case_timeline_6B: case_id, case_event_seq name one row"),
    ("an arrival without entities", without("s1_arrival_entities_6B", pl.col("arrival_seq") == 6), "every arrival has entities"),
    ("an arrival without a flow", without("s2_flow_anchor_baseline_6B", FIRST), "every arrival is one flow"),
    ("a flow of another arrival", changed("s2_flow_anchor_baseline_6B", arrival_seq=pl.col("arrival_seq") + 1), "every arrival is one"),
    ("a flow that fraud took away", without(FLOWS, FIRST), "fraud changes flows and neither adds nor takes any"),
    ("a flow that became another one", changed(FLOWS, flow_id=pl.col("flow_id") + 50), "fraud changes flows and neither"),
    ("a flow without its answer", without(EVENTS, FIRST & (pl.col("event_seq") == 1)), f"{EVENTS}: every flow has events 0 and 1"),
    ("an event number that is too high", changed(EVENTS, event_seq=pl.col("event_seq") + 1), f"{EVENTS}: every flow has events"),
    ("a first event at another time", changed(EVENTS, ts_utc=pl.col("ts_utc") + pl.duration(seconds=1)), f"{EVENTS}: every flow"),
    ("an event without a flow", changed(EVENTS, flow_id=pl.when(FIRST).then(99).otherwise(pl.col("flow_id"))), f"{EVENTS}: every flow has"),
    ("a context without a row", without(CONTEXT, pl.col("arrival_seq") == 2), "flows and arrival entities of the fraud"),
    ("a context of another time", changed(CONTEXT, ts_utc=pl.col("ts_utc").reverse()), "flows and arrival entities of the fraud"),
    ("a context of another device", changed(CONTEXT, device_id=pl.col("device_id") + 9), "flows and arrival entities of the fraud"),
    ("entities that no flow has", changed(BASELINE, party_id=pl.col("party_id") + 9), "flows and arrival entities of the baseline agree"),
    ("a flow without truth", without(TRUTH, FIRST), "truth labels cover the flows exactly"),
    ("truth of no flow", changed(TRUTH, flow_id=pl.col("flow_id") + 50), "truth labels cover the flows exactly"),
    ("a flow that the bank does not know", without("s4_flow_bank_view_6B", FIRST), "the bank view covers the flows exactly"),
    ("an event without a label", without("s4_event_labels_6B", FIRST), "event labels cover the events exactly"),
    ("a case about no flow", changed("s4_case_timeline_6B", flow_id=pl.col("flow_id") + 500), "cases are about flows of the world"),
    ("a case whose time goes back", changed("s4_case_timeline_6B", ts_utc=pl.col("ts_utc").reverse()), "cases are about flows"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "claim"), BREACHES, ids=[row[0] for row in BREACHES])
def test_a_planted_breach_is_found(store: DirectoryStore, name: str, change: Callable[[Frames], Frames], claim: str) -> None:
    assert any(proof.claim.startswith(claim) and proof.breaches for proof in broken(store, change)), name


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_file_that_is_not_the_published_one_is_counted(store: DirectoryStore, damage: str) -> None:
    segments = made(store)
    path = next((store.root / "data").rglob("part-000001.parquet"))
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    found: list[Proof] = []
    with pytest.raises(Stop) as refused:
        found.extend(proofs(store, segments, IDENTITY))
    assert [proof.claim for proof in found if not proof.holds] == ["every byte is the published one"]
    assert refused.value.reason is (Reason.OBJECT_MISSING if damage == "gone" else Reason.DIGEST_MISMATCH)


@pytest.mark.parametrize(
    ("key", "data", "reason"),
    [
        (SEAL, None, Reason.PACK_NOT_SEALED),
        (SEAL, b"not JSON", Reason.PACK_MANIFEST_INVALID),
        (SEAL, b'{"seal_status": "SEALED_OK"}', Reason.PACK_MANIFEST_INVALID),
        (SEAL, b'{"seal_status": "SEALED_FAILED", "oracle_pack_id": "1"}', Reason.PACK_SEALED_FAILED),
        (FLAG, None, Reason.REQUIRED_GATE_RECEIPT_MISSING),
        (FLAG, b"sha256_hex = 1", Reason.GATE_EVIDENCE_MISMATCH),
    ],
)
def test_nothing_is_read_without_seal_and_gates(store: DirectoryStore, key: str, data: bytes | None, reason: Reason) -> None:
    segments = made(store)
    path = next(store.root.rglob(key))
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(Stop) as refused:
        list(proofs(store, segments, IDENTITY))
    assert refused.value.reason is reason


def test_a_folder_without_a_world_is_refused(store: DirectoryStore) -> None:
    with pytest.raises(Stop) as refused:
        identity_in(store)
    assert refused.value.reason is Reason.PACK_NOT_FOUND
    for data in (b"not JSON", b"[]", b'{"seed": 1}'):
        store.replace(RECEIPT, data)
        with pytest.raises(Stop) as refused:
            identity_in(store)
        assert refused.value.reason is Reason.RUN_RECEIPT_INVALID


def test_root_documents_are_the_same_but_for_their_times(store: DirectoryStore) -> None:
    segments = made(store)
    pack_id = sealed_as(store)
    write_receipt(store, IDENTITY, "tiny", NOW_US + 5)
    assert seal(store, segments, IDENTITY, NOW_US + 5) == pack_id
    assert identity_in(store) == (IDENTITY, "tiny")
    with pytest.raises(Stop) as refused:
        write_receipt(store, IDENTITY, "small", NOW_US)
    assert refused.value.reason is Reason.MANIFEST_MISMATCH
    store.replace(MANIFEST, json.dumps({"version": "v0"}).encode())
    with pytest.raises(Stop) as refused:
        seal(store, segments, IDENTITY, NOW_US)
    assert refused.value.reason is Reason.MANIFEST_MISMATCH


def test_a_world_with_a_closed_gate_is_not_sealed(store: DirectoryStore) -> None:
    segments = made(store)
    next(store.root.rglob(SEAL)).unlink()
    next(store.root.rglob(FLAG)).unlink()
    with pytest.raises(Stop) as refused:
        seal(store, segments, IDENTITY, NOW_US)
    assert refused.value.reason is Reason.REQUIRED_GATE_RECEIPT_MISSING
    assert not (store.root / SEAL).exists()
