"""The view of an output: sorted, without truth, sealed by a receipt; made once, gone on with, never written over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from planted_worlds import NOW_US, Frames, made
from small_graph import IDENTITY

from assay.app.pack.interface import CatalogueOutput
from assay.app.pack.sealed_pack import open_pack
from assay.app.stores.objects import DirectoryStore
from assay.app.stream_view.pinned_keys import SORT_KEYS, dropped_columns
from assay.app.stream_view.sorting import Room
from assay.app.stream_view.view import BEGUN, MANIFEST, RECEIPT, SortedView, ViewSorter, sortable, view_root
from assay.app.stream_view.view_parts import encoded
from assay.contracts.errors import Stop
from assay.contracts.gates import FLAG
from assay.contracts.reasons import Reason

EVENTS, TRUTH, ARRIVALS = "s3_event_stream_with_fraud_6B", "s4_flow_truth_labels_6B", "arrival_events_5B"
ROOT = view_root(EVENTS)
CUTS = ["part-000000.parquet", "part-000002.parquet", MANIFEST, RECEIPT]


class Cut(Exception):
    """The process ended here."""


class CutStore(DirectoryStore):
    """A store whose process ends before a key of some name is written."""

    cut_at = ""

    def create(self, key: str, data: bytes) -> None:
        if self.cut_at and key.startswith("stream_view") and key.endswith(self.cut_at):
            raise Cut(key)
        super().create(key, data)


def mixed(frames: Frames) -> Frames:
    """Times that neither files nor rows follow, and the truth beside the events."""
    events = frames[EVENTS]
    times = (pl.int_range(pl.len()) * 7 % 5 * 1_000_000).cast(pl.Datetime("us", "UTC"))
    arrivals = frames[ARRIVALS].with_columns(ts_utc=times)
    entities = {ARRIVALS: arrivals, "s1_arrival_entities_6B": arrivals}
    return {**frames, **entities, EVENTS: events.with_columns(ts_utc=times, fraud_flag=pl.lit(1), campaign_id=pl.col("flow_id"))}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed world of a few rows, to be copied."""
    folder = tmp_path_factory.mktemp("sealed") / "world"
    made(DirectoryStore(folder), mixed)
    return folder


@pytest.fixture
def store(sealed: Path, tmp_path: Path) -> CutStore:
    """A copy of the sealed world."""
    shutil.copytree(sealed, tmp_path / "world")
    return CutStore(tmp_path / "world")


def sort(
    store: DirectoryStore, output_id: str = EVENTS, encode: Callable[[pl.DataFrame], bytes] = encoded, now_us: int = NOW_US
) -> SortedView:
    """Sort an output into parts of five rows."""
    room = Room(2**20, store.root / "spill", 2)
    sorter = ViewSorter(open_pack(store), store, room, lambda: now_us, lambda _: None, part_rows=5, encode=encode)
    return sorter.sort(output_id)


def files(store: DirectoryStore, root: str = "stream_view") -> dict[str, bytes]:
    """Every object below a key."""
    return {key: store.read(key) for key in store.keys(root)}


def rows(store: DirectoryStore, receipt: Mapping[str, Any]) -> pl.DataFrame:
    """The rows that a receipt lists."""
    return pl.concat([pl.read_parquet(store.root / part["path"], hive_partitioning=False) for part in receipt["parts"]])


def raw(store: DirectoryStore, output_id: str) -> pl.DataFrame:
    """The rows of an output with the file and the row in it that they come from."""
    found = sorted((store.root / "data").rglob(f"{output_id}/**/part-*.parquet"))
    frames = [pl.read_parquet(path, hive_partitioning=False).with_row_index("at").with_columns(file=pl.lit(str(path))) for path in found]
    return pl.concat(frames)


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


def test_parts_that_changed_places_leave_no_receipt(store: CutStore, tmp_path: Path) -> None:
    shutil.copytree(store.root, tmp_path / "untouched")
    untouched = DirectoryStore(tmp_path / "untouched")
    first, second, *_ = [untouched.read(part["path"]) for part in sort(untouched).receipt["parts"]]
    other = {first: second, second: first}
    with pytest.raises(Stop) as refused:
        sort(store, encode=lambda part: other.get(encoded(part), encoded(part)))
    assert refused.value.reason is Reason.STREAM_SORT_VALIDATION_FAILED and "the part before it" in refused.value.what
    assert f"{ROOT}/{RECEIPT}" not in files(store)


def test_a_pack_that_is_moved_keeps_its_views(store: CutStore, tmp_path: Path) -> None:
    receipt = sort(store).receipt
    shutil.move(store.root, tmp_path / "elsewhere")
    assert sort(DirectoryStore(tmp_path / "elsewhere")).receipt == receipt


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


def test_an_output_without_rows_has_a_view_without_parts(tmp_path: Path) -> None:
    bare = DirectoryStore(tmp_path / "bare")
    made(bare, lambda frames: {EVENTS: frames[EVENTS][:0]})
    receipt = sort(bare).receipt
    assert (receipt["parts"], receipt["sorted_stats"]["row_count"], receipt["sorted_stats"]["min_ts_utc"]) == ([], 0, None)
    assert sort(bare).kept


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
