"""A world asks for its room before it writes; a disk that fills meanwhile is a refusal, and the same call goes on later."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from assay_command import assay
from bank_worlds import bank
from engine_worlds import EngineWorld
from small_graph import files

from assay.app.pack.sealed_pack import RECEIPT, SEAL
from assay.app.stores.objects import DirectoryStore
from assay.app.world.generation import SEGMENTS, generate_world
from assay.app.world.room import estimated_bytes, free_bytes, refuse_no_room
from assay.app.world.warm import little_world
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason
from assay.engine.parameters import shipped

NOW_US = 1_790_000_000_000_000
TOLERANCE = 0.10
#: another proportion of flows, parties and merchants than the shipped scales have
OTHERS = ({"flows": 80_000, "parties": 10_000, "merchants": 60}, {"flows": 200_000, "parties": 1_000, "merchants": 400})


@pytest.mark.parametrize("changes", [{}, *OTHERS], ids=["tiny", "many parties", "many flows"])
def test_the_estimate_is_near_the_size_of_a_made_world(changes: dict[str, int]) -> None:
    parameters = shipped("tiny", {"scale": changes})
    world = EngineWorld(parameters, segments=SEGMENTS, workers=2).made() if changes else bank()
    assert sum(map(len, world.store.objects.values())) == pytest.approx(estimated_bytes(parameters), rel=TOLERANCE)


@pytest.mark.long
def test_the_estimate_of_a_small_world_is_near_its_size(tmp_path: Path) -> None:
    generate_world(DirectoryStore(tmp_path), "small", 7, 2, NOW_US)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert size == pytest.approx(estimated_bytes(shipped("small")), rel=TOLERANCE)


def test_a_disk_with_too_little_room_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "world")
    wanted = estimated_bytes(shipped("full"))
    with pytest.raises(Retry) as refused:
        generate_world(store, "full", 7, 2, NOW_US, free=lambda _: wanted - 1)
    assert (refused.value.reason, refused.value.where) == (Reason.STORE_FULL, str(store.root))
    assert "needs about 31." in refused.value.what and "--scale" in refused.value.remedy
    assert not store.root.exists()


def test_what_a_cut_off_call_left_is_not_asked_for_again(tmp_path: Path) -> None:
    store, parameters = DirectoryStore(tmp_path), little_world()
    wanted = estimated_bytes(parameters)
    store.create("data/part-000000.parquet", bytes(wanted // 2))
    refuse_no_room(store, parameters, lambda _: wanted - wanted // 2)
    with pytest.raises(Retry):
        refuse_no_room(store, parameters, lambda _: wanted // 2 - 1)


def test_a_sealed_world_and_a_bucket_are_not_asked_for_room(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.create(SEAL, b"{}")
    refuse_no_room(store, little_world(), lambda _: 0)
    refuse_no_room(EngineWorld(little_world()).store, little_world(), lambda _: 0)


def test_the_room_of_a_folder_that_is_not_there_is_that_of_the_one_above(tmp_path: Path) -> None:
    there, missing = free_bytes(tmp_path), free_bytes(tmp_path / "not" / "there")
    assert there == pytest.approx(missing, rel=0.2) and there > 0


@pytest.mark.long
def test_a_disk_that_fills_while_a_bank_is_made_is_one_line_and_the_same_call_goes_on(tmp_path: Path) -> None:
    place = tmp_path / "world"
    call = ("world", "generate", "--scale", "tiny", "--seed", "7", "--out", place)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))  # the command inherits it; parts of arrivals are larger
    try:
        ended = assay(*call)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (ended.code, ended.err.strip().count("\n")) == (75, 0), ended.text
    assert ended.err.startswith("assay world: STORE_FULL: there is no room for a file: File too large (at ")
    assert (place / RECEIPT).exists() and not (place / SEAL).exists()
    assert assay(*call).code == 0
    again = DirectoryStore(tmp_path / "again")
    generate_world(again, "tiny", 7, 2, NOW_US)
    mine, theirs = files(DirectoryStore(place)), files(again)
    assert mine.keys() == theirs.keys()
    assert {key for key in mine if mine[key] != theirs[key]} <= {RECEIPT, SEAL, "_oracle_pack_manifest.json"}  # they hold their times
