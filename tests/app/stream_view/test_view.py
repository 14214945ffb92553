"""The view of an output: sorted, without truth, sealed by a receipt; made once, gone on with, never written over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from planted_worlds import NOW_US, made
from small_graph import IDENTITY
from view_sorts import EVENTS, ROOT, TRUTH, Cut, CutStore, files, raw, rows, sort

from assay.app.pack.interface import CatalogueOutput
from assay.app.pack.sealed_pack import open_pack
from assay.app.stores.objects import DirectoryStore
from assay.app.stream_view.naming import RECEIPT
from assay.app.stream_view.pinned_keys import SORT_KEYS, dropped_columns
from assay.app.stream_view.view import BEGUN, MANIFEST, sortable

CUTS = ["part-000000.parquet", "part-000002.parquet", MANIFEST, RECEIPT]


def test_every_output_that_streams_is_sorted_by_its_pinned_key_then_by_file_and_row(store: CutStore) -> None:
    for output_id in sortable(open_pack(store)):
        receipt = sort(store, output_id).receipt
        expected = raw(store, output_id).sort([*SORT_KEYS[output_id], "file", "at"]).drop("file", "at", *receipt["dropped_columns"])
        assert rows(store, receipt).equals(expected), output_id


def test_the_receipt_says_what_was_sorted_how_and_what_was_dropped(store: CutStore) -> None:
    receipt = sort(store).receipt
    assert receipt == json.loads(store.read(f"{ROOT}/{RECEIPT}"))
    assert receipt["raw_stats"] == receipt["sorted_stats"]
    assert (receipt["raw_stats"]["row_count"], receipt["raw_stats"]["max_ts_utc"]) == (12, "1970-01-01T00:00:04.000000Z")
    assert receipt["sort_keys"] == ["ts_utc", "filename", "file_row_number"]
    assert receipt["dropped_columns"] == ["fraud_flag", "campaign_id"]
    assert receipt["world_key"]["manifest_fingerprint"] == IDENTITY.manifest_fingerprint
    assert [part["rows"] for part in receipt["parts"]] == [5, 5, 2]
    assert receipt["status"] == "OK" and receipt["started_utc"] <= receipt["ended_utc"] == receipt["created_utc"]
    manifest = json.loads(store.read(f"{ROOT}/{MANIFEST}"))
    assert manifest.items() <= receipt.items()
    assert sorted(files(store, ROOT)) == [
        f"{ROOT}/{name}" for name in sorted([MANIFEST, RECEIPT, *(f"part-{part:06d}.parquet" for part in range(3))])
    ]


def test_truth_leaves_every_view_but_those_of_truth_products() -> None:
    columns = ("seed", "flow_id", "fraud_flag", "campaign_id", "Fraud-Label", "amount")
    event = CatalogueOutput(EVENTS, "6B", "behavioural_streams", (), columns)
    assert dropped_columns(event) == ("fraud_flag", "campaign_id", "Fraud-Label")
    assert dropped_columns(CatalogueOutput(TRUTH, "6B", "truth_products", (), columns)) == ()


def test_a_sorted_output_is_left_as_it_is_and_others_too(store: CutStore) -> None:
    sort(store, TRUTH)
    first = sort(store)
    before = {path: path.stat().st_mtime_ns for path in (store.root / "stream_view").rglob("*")}
    again = sort(store, now_us=NOW_US + 10**9)
    assert (first.kept, again.kept) == (False, True)
    assert again.receipt == first.receipt
    shutil.rmtree(store.root / ROOT)
    sort(store)
    after = {path: path.stat().st_mtime_ns for path in (store.root / "stream_view").rglob("*")}
    assert {path for path in before if before[path] != after[path]} <= {
        store.root / ROOT,
        *(store.root / ROOT).rglob("*"),
        (store.root / ROOT).parent,
    }


@pytest.mark.parametrize("name", CUTS)
def test_a_sort_that_was_cut_off_goes_on(store: CutStore, tmp_path: Path, name: str) -> None:
    untouched = CutStore(tmp_path / "untouched")
    shutil.copytree(store.root, untouched.root)
    sort(untouched)
    store.cut_at = name
    with pytest.raises(Cut):
        sort(store)
    assert f"{ROOT}/{RECEIPT}" not in files(store)
    store.cut_at = ""
    assert not sort(store).kept
    assert files(store) == files(untouched)


def test_sorts_at_once_leave_correct_views(store: CutStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        views = list(pool.map(lambda number: sort(store, now_us=NOW_US + number), range(8)))
    assert len({json.dumps(view.receipt, sort_keys=True) for view in views}) == 1
    assert rows(store, views[0].receipt)["ts_utc"].is_sorted()
    assert f"{ROOT}/{BEGUN}" not in files(store)
    assert sort(store).kept


class OtherSort(CutStore):
    """A store on which another sort does something just before this one looks what is there."""

    meanwhile: Sequence[Callable[[], object]] = ()

    def keys(self, prefix: str) -> Iterator[str]:
        if prefix.startswith("stream_view"):
            todo, self.meanwhile = self.meanwhile, ()
            for act in todo:
                act()
        return super().keys(prefix)


def _began(store: CutStore) -> None:
    """Another sort was begun, and has written a part."""
    store.cut_at = "part-000001.parquet"
    with pytest.raises(Cut):
        sort(store)


@pytest.mark.parametrize(("meanwhile", "kept"), [(_began, False), (sort, True)], ids=["began", "ended"])
def test_another_sort_that_begins_or_ends_meanwhile_is_no_foreign_view(
    store: CutStore, meanwhile: Callable[[CutStore], object], kept: bool
) -> None:
    ours = OtherSort(store.root)
    ours.meanwhile = [lambda: meanwhile(CutStore(store.root))]
    view = sort(ours)
    assert view.kept == kept and not ours.meanwhile
    assert rows(store, view.receipt)["ts_utc"].is_sorted()


def test_a_pack_that_is_moved_keeps_its_views(store: CutStore, tmp_path: Path) -> None:
    receipt = sort(store).receipt
    shutil.move(store.root, tmp_path / "elsewhere")
    assert sort(DirectoryStore(tmp_path / "elsewhere")).receipt == receipt


def test_an_output_without_rows_has_a_view_without_parts(tmp_path: Path) -> None:
    bare = DirectoryStore(tmp_path / "bare")
    made(bare, lambda frames: {EVENTS: frames[EVENTS][:0]})
    receipt = sort(bare).receipt
    assert (receipt["parts"], receipt["sorted_stats"]["row_count"], receipt["sorted_stats"]["min_ts_utc"]) == ([], 0, None)
    assert sort(bare).kept
