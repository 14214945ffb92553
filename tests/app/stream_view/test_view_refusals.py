"""What is found in the folder of a view and is not this view, and rows that are not those of the pack: refused, with no receipt."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from planted_worlds import made
from view_sorts import EVENTS, ROOT, TRUTH, Cut, CutStore, files, sort

from assay.app.pack.sealed_pack import open_pack
from assay.app.stores.objects import DirectoryStore
from assay.app.stream_view.naming import RECEIPT
from assay.app.stream_view.view import BEGUN, MANIFEST, sortable
from assay.app.stream_view.view_parts import encoded
from assay.contracts.errors import Stop
from assay.contracts.gates import FLAG
from assay.contracts.reasons import Reason


def _other_receipt(store: CutStore) -> None:
    receipt = {**sort(store).receipt, "stream_view_id": "0" * 64}
    store.replace(f"{ROOT}/{RECEIPT}", json.dumps(receipt).encode())


def _without_receipt(store: CutStore) -> None:
    sort(store)
    store.remove(f"{ROOT}/{RECEIPT}")


def _parts_alone(store: CutStore) -> None:
    _without_receipt(store)
    store.remove(f"{ROOT}/{MANIFEST}")


def _other_part(store: CutStore) -> None:
    store.cut_at = MANIFEST
    with pytest.raises(Cut):
        sort(store)
    store.cut_at = ""
    store.replace(f"{ROOT}/part-000001.parquet", b"another part")


def _one_more_part(store: CutStore) -> None:
    store.cut_at = "part-000002.parquet"
    with pytest.raises(Cut):
        sort(store)
    store.cut_at = ""
    store.replace(f"{ROOT}/part-000009.parquet", b"a part of another view")


def _foreign_note(store: CutStore) -> None:
    store.replace(f"{ROOT}/{BEGUN}", b"{}")


def _lost_part(store: CutStore) -> None:
    sort(store)
    store.remove(f"{ROOT}/part-000001.parquet")


def _changed_part(store: CutStore) -> None:
    sort(store)
    store.replace(f"{ROOT}/part-000001.parquet", store.read(f"{ROOT}/part-000000.parquet"))


FOUND: list[tuple[str, Callable[[CutStore], None], Reason]] = [
    ("a receipt of another view", _other_receipt, Reason.STREAM_RECEIPT_MISMATCH),
    ("a receipt that is none", lambda store: store.replace(f"{ROOT}/{RECEIPT}", b"[]"), Reason.STREAM_RECEIPT_MISMATCH),
    ("a manifest without a receipt", _without_receipt, Reason.STREAM_RECEIPT_MISSING),
    ("parts that nobody began", _parts_alone, Reason.STREAM_VIEW_PARTIAL_EXISTS),
    ("a part with other bytes", _other_part, Reason.STREAM_VIEW_PARTIAL_EXISTS),
    ("a part that is none of ours", _one_more_part, Reason.STREAM_VIEW_PARTIAL_EXISTS),
    ("a note of another sort", _foreign_note, Reason.STREAM_VIEW_PARTIAL_EXISTS),
    ("a lost part of a view", _lost_part, Reason.OBJECT_MISSING),
    ("a changed part of a view", _changed_part, Reason.DIGEST_MISMATCH),
]


@pytest.mark.parametrize(("name", "plant", "reason"), FOUND, ids=[row[0] for row in FOUND])
def test_what_is_found_and_is_not_this_view_is_refused_and_kept(
    store: CutStore, name: str, plant: Callable[[CutStore], None], reason: Reason
) -> None:
    plant(store)
    before = files(store)
    with pytest.raises(Stop) as refused:
        sort(store)
    assert refused.value.reason is reason, name
    assert refused.value.where.startswith(ROOT) and refused.value.remedy
    assert {key: data for key, data in files(store).items() if key in before} == before


FAULTS: list[tuple[str, Callable[[pl.DataFrame], pl.DataFrame]]] = [
    ("a lost row", lambda part: part[1:] if len(part) == 2 else part),
    ("a changed value", lambda part: part.with_columns(event_seq=1)),
    ("rows that descend", lambda part: part.reverse()),
    ("parts that descend", lambda part: part.with_columns(ts_utc=part["ts_utc"].min() if len(part) == 2 else part["ts_utc"].max())),
]


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=[row[0] for row in FAULTS])
def test_a_sort_that_goes_wrong_leaves_no_receipt(store: CutStore, name: str, fault: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    with pytest.raises(Stop) as refused:
        sort(store, encode=lambda part: encoded(fault(part)))
    assert refused.value.reason is Reason.STREAM_SORT_VALIDATION_FAILED, name
    assert f"{ROOT}/{RECEIPT}" not in files(store) and f"{ROOT}/{MANIFEST}" not in files(store)


def test_parts_that_changed_places_leave_no_receipt(store: CutStore, tmp_path: Path) -> None:
    shutil.copytree(store.root, tmp_path / "untouched")
    untouched = DirectoryStore(tmp_path / "untouched")
    first, second, *_ = [untouched.read(part["path"]) for part in sort(untouched).receipt["parts"]]
    other = {first: second, second: first}
    with pytest.raises(Stop) as refused:
        sort(store, encode=lambda part: other.get(encoded(part), encoded(part)))
    assert refused.value.reason is Reason.STREAM_SORT_VALIDATION_FAILED and "the part before it" in refused.value.what
    assert f"{ROOT}/{RECEIPT}" not in files(store)


def test_an_output_that_is_not_there_or_does_not_stream_is_refused(store: CutStore, tmp_path: Path) -> None:
    with pytest.raises(Stop) as refused:
        sort(store, "s9_nothing")
    assert refused.value.reason is Reason.OUTPUT_UNKNOWN and EVENTS in refused.value.remedy
    bare = DirectoryStore(tmp_path / "bare")
    made(bare, lambda frames: {"more": frames[TRUTH]})
    with pytest.raises(Stop) as refused:
        sort(bare, "more")
    assert refused.value.reason is Reason.MISSING_SORT_KEY
    with pytest.raises(Stop) as refused:
        sortable(open_pack(bare))
    assert refused.value.reason is Reason.OUTPUT_MISSING


@pytest.mark.parametrize("damage", ["flag", "byte"])
def test_nothing_is_sorted_without_gates_and_published_bytes(store: CutStore, damage: str) -> None:
    if damage == "flag":
        next((store.root / "data").rglob(FLAG)).unlink()
    else:
        path = next((store.root / "data").rglob(f"{EVENTS}/**/part-000001.parquet"))
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(Stop) as refused:
        sort(store)
    assert refused.value.reason is (Reason.REQUIRED_GATE_RECEIPT_MISSING if damage == "flag" else Reason.DIGEST_MISMATCH)
    assert f"{ROOT}/{RECEIPT}" not in files(store)
