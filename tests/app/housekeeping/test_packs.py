"""`assay world prune` removes packs that nobody keeps, and nothing at all where a run refers to one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from assay_command import assay
from planted_worlds import made
from small_graph import IDENTITY

from assay.app.housekeeping.packs import packs_below, prunable, remove_pack
from assay.app.pack.sealed_pack import RECEIPT, SEAL
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

OTHER, CUT = "a" * 64, "b" * 64


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A whole pack, one of another world, and one that was cut off before its seal; and what is no pack."""
    made(DirectoryStore(tmp_path / "worlds" / "one"))
    for name, fingerprint in (("two", OTHER), ("deep/three", CUT)):
        store = DirectoryStore(tmp_path / "worlds" / name)
        store.create(RECEIPT, json.dumps({"manifest_fingerprint": fingerprint, "seed": 7}).encode())
        store.create("data/part-000000.parquet", b"rows")
    DirectoryStore(tmp_path / "worlds").create("notes/mine.txt", b"no pack")
    return tmp_path / "worlds"


def begun(runs: Path, name: str, config: object) -> Path:
    """The directory of a run."""
    (runs / name).mkdir(parents=True)
    (runs / name / "run.json").write_text(json.dumps({"layout": 1, "config": config}))
    return runs / name


def test_packs_that_are_not_kept_go_with_all_their_files_and_nothing_else_does(root: Path, tmp_path: Path) -> None:
    begun(tmp_path / "runs", "another", {"manifest_fingerprint": OTHER, "seed": 8})
    store = DirectoryStore(root)
    staying, going = prunable(store, [IDENTITY.manifest_fingerprint], tmp_path / "runs")
    assert [pack.folder for pack in staying] == ["one"]
    assert [(pack.folder, pack.objects) for pack in going] == [("deep/three", 2), ("two", 2)]
    assert going[0].size_bytes == sum(len(store.read(f"deep/three/{name}")) for name in (RECEIPT, "data/part-000000.parquet"))
    for pack in going:
        remove_pack(store, pack)
    assert [pack.folder for pack in packs_below(store)] == ["one"]
    assert not (root / "two").exists()
    assert store.read("notes/mine.txt") == b"no pack"


def seeds(root: Path) -> DirectoryStore:
    """Three more packs of one fingerprint, each of another seed."""
    store = DirectoryStore(root)
    for seed in (1, 17, 7):
        store.create(f"seeds/{seed}/{RECEIPT}", json.dumps({"manifest_fingerprint": OTHER, "seed": seed}).encode())
    return store


@pytest.mark.parametrize(
    ("keep", "stays"),
    [
        ([f"{OTHER}:1"], ["seeds/1"]),
        ([f"{OTHER}:7", f"{OTHER}:17"], ["seeds/17", "seeds/7", "two"]),
        ([OTHER], ["seeds/1", "seeds/17", "seeds/7", "two"]),
        ([OTHER, f"{OTHER}:1"], ["seeds/1", "seeds/17", "seeds/7", "two"]),
    ],
)
def test_fingerprint_and_seed_keep_one_world_and_the_fingerprint_alone_all_of_its_seeds(
    root: Path, tmp_path: Path, keep: list[str], stays: list[str]
) -> None:
    staying, going = prunable(seeds(root), keep, tmp_path / "runs")
    assert [pack.folder for pack in staying] == stays
    assert len(staying) + len(going) == 6


def test_a_pack_of_another_seed_than_that_of_a_run_goes(root: Path, tmp_path: Path) -> None:
    begun(tmp_path / "runs", "mine", {"manifest_fingerprint": OTHER, "seed": 17})
    with pytest.raises(Stop) as refused:
        prunable(seeds(root), [f"{OTHER}:1"], tmp_path / "runs")
    assert refused.value.reason is Reason.PACK_IN_USE
    assert f"--keep {OTHER}:17" in refused.value.remedy
    staying, _ = prunable(DirectoryStore(root), [f"{OTHER}:17"], tmp_path / "runs")
    assert [pack.folder for pack in staying] == ["seeds/17"]


class Order(DirectoryStore):
    """A store that notes what is removed, and ends its process after so many objects."""

    def __init__(self, root: Path, most: int) -> None:
        super().__init__(root)
        self.most, self.gone = most, list[str]()

    def remove(self, key: str) -> None:
        if len(self.gone) >= self.most:
            raise KeyboardInterrupt
        super().remove(key)
        self.gone.append(key.rpartition("/")[2])

    def remove_below(self, folder: str) -> None:
        if len(self.gone) >= self.most:
            raise KeyboardInterrupt
        super().remove_below(folder)


def test_a_removal_that_is_cut_off_leaves_no_sealed_pack_and_is_found_again(root: Path, tmp_path: Path) -> None:
    for more in ("A", "stream_view/part-000000.parquet"):  # before and behind the seal and the receipt in the order of keys
        DirectoryStore(root).create(f"one/{more}", b"1")
    store = Order(root, most=5)
    (pack,) = (pack for pack in packs_below(store) if pack.folder == "one")
    with pytest.raises(KeyboardInterrupt):
        remove_pack(store, pack)
    assert store.gone[0] == SEAL
    assert "one" in [pack.folder for pack in packs_below(store)]
    again = Order(root, most=1_000)
    remove_pack(again, pack)
    assert again.gone[-1] == RECEIPT
    assert "one" not in [pack.folder for pack in packs_below(store)]


def of_a_run(root: Path) -> None:
    """A run names the world of the pack."""
    begun(root.parent / "runs", "mine", {"manifest_fingerprint": OTHER, "seed": 7})


def unreadable(root: Path) -> None:
    """Nobody can say which world a run has."""
    begun(root.parent / "runs", "mine", {})


REFUSED: list[tuple[Callable[[Path], object], str, Reason]] = [
    (of_a_run, IDENTITY.manifest_fingerprint, Reason.PACK_IN_USE),
    (unreadable, IDENTITY.manifest_fingerprint, Reason.PACK_IN_USE),
    (lambda root: begun(root.parent, "worlds/two/x", {}).parent.joinpath("run.json").write_text("{}"), CUT, Reason.PACK_IN_USE),
    (lambda _: None, "c" * 64, Reason.PACK_NOT_FOUND),
    (lambda _: None, f"{OTHER}:8", Reason.PACK_NOT_FOUND),
    (lambda _: None, f"{OTHER}:", Reason.PACK_NOT_FOUND),
    (lambda root: (root / "two" / RECEIPT).write_text("{"), IDENTITY.manifest_fingerprint, Reason.RUN_RECEIPT_INVALID),
    (lambda root: (root / RECEIPT).write_text("{}"), IDENTITY.manifest_fingerprint, Reason.FILE_REFUSED),
]


@pytest.mark.parametrize(("plant", "keep", "reason"), REFUSED)
def test_what_may_not_go_is_refused_before_anything_goes(
    root: Path, tmp_path: Path, plant: Callable[[Path], object], keep: str, reason: Reason
) -> None:
    plant(root)
    before = sorted(root.rglob("*"))
    with pytest.raises(Stop) as refused:
        prunable(DirectoryStore(root), [keep], tmp_path / "runs")
    assert refused.value.reason is reason
    assert sorted(root.rglob("*")) == before


@pytest.mark.long
def test_the_command_asks_or_is_told_yes_and_says_what_it_freed(root: Path, tmp_path: Path) -> None:
    kept = ("--keep", IDENTITY.manifest_fingerprint, "--runs", tmp_path / "runs")
    assert assay("world", "prune", root, *kept).code == 2
    assert (root / "two").exists(), "nobody was asked"
    ended = assay("world", "prune", root, *kept, "--yes", "--json")
    found = json.loads(ended.out)
    assert ([one["folder"] for one in found["removed"]], [one["folder"] for one in found["kept"]]) == (["deep/three", "two"], ["one"])
    assert found["freed_bytes"] == sum(one["size_bytes"] for one in found["removed"]) > 0
    ended = assay("world", "prune", root, *kept)
    assert ended.code == 0 and "stays  one" in ended.out and "nothing was removed" in ended.out, ended.text
    assert all(len(line) <= 80 for line in ended.out.splitlines()), ended.out
    begun(tmp_path / "runs", "mine", {"manifest_fingerprint": IDENTITY.manifest_fingerprint, "seed": IDENTITY.seed})
    made(DirectoryStore(root / "two"))
    DirectoryStore(root / "four").create(RECEIPT, json.dumps({"manifest_fingerprint": OTHER, "seed": 7}).encode())
    ended = assay("world", "prune", root, "--keep", OTHER, "--runs", tmp_path / "runs", "--yes")
    assert ended.code == 70 and "PACK_IN_USE" in ended.err and "Nothing was removed" in ended.err, ended.text
