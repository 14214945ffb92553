"""A command of a bank that is killed (SIGKILL) at seeded points and called again ends as one that nothing disturbed, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from assay_command import assay
from killed import bytes_below, killed_again_and_again, told

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]

#: a few kills, and many
ROUNDS = [pytest.param(2, 11, id="2-11"), pytest.param(12, 12, id="12-12")]
SORTED = ("s3_arrival_entities_with_fraud_6B", "s4_event_labels_6B", "s4_case_timeline_6B")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bank that nothing disturbed."""
    place = tmp_path_factory.mktemp("undisturbed") / "world"
    ended = assay("world", "generate", "--scale", "tiny", "--seed", "7", "--out", place)
    assert ended.code == 0, ended.text
    return place


@pytest.mark.parametrize(("times", "seed"), ROUNDS)
def test_a_bank_whose_making_is_killed_is_the_undisturbed_one(world: Path, tmp_path: Path, times: int, seed: int) -> None:
    place = tmp_path / "world"
    call: list[str | Path] = ["world", "generate", "--scale", "tiny", "--seed", "7", "--out", place]
    assert killed_again_and_again(call, place, bytes_below(world), times, seed) >= max(1, times - 1)
    assert told(place) == told(world)


@pytest.mark.parametrize(("times", "seed"), ROUNDS)
def test_views_whose_sort_is_killed_are_the_undisturbed_ones(world: Path, tmp_path: Path, times: int, seed: int) -> None:
    outputs = [argument for output in SORTED for argument in ("--output", output)]
    calm, place = tmp_path / "calm", tmp_path / "world"
    for folder in (calm, place):
        shutil.copytree(world, folder)
    assert assay("oracle", "sort", calm, *outputs).code == 0
    assert killed_again_and_again(["oracle", "sort", place, *outputs], place, bytes_below(calm), times, seed) >= 1
    assert told(place) == told(calm)


@pytest.mark.parametrize(("times", "seed"), ROUNDS)
def test_a_copy_whose_sync_is_killed_is_the_undisturbed_one(world: Path, tmp_path: Path, times: int, seed: int) -> None:
    calm, place = tmp_path / "calm", tmp_path / "copy"
    assert assay("oracle", "sync", world, calm).code == 0
    assert killed_again_and_again(["oracle", "sync", world, place], place, bytes_below(calm), times, seed) >= 1
    assert told(place) == told(calm)
    copied = {name: data for name, data in told(place).items() if name != "seed_snapshot.json"}
    assert copied == {name: data for name, data in told(world).items() if name != "WORLD_CARD.md"}
