"""Layers 1 and 2 give the same bytes whatever the number of workers, the order of parts and the way their kernels run."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from engine_worlds import SEGMENTS, EngineWorld, parameters, small_world
from plain_python import printed

from assay.engine.draws import grouped_sums, identifiers, picks, running, shares, starts_of, uniforms
from assay.engine.philox import stream_key

LITTLE = {"scale": {"flows": 300, "merchants": 10, "part_flows": 150}, "scenario": {"days": 7}}


def little() -> dict[str, str]:
    """Digests of a world that plain Python makes in seconds."""
    return EngineWorld(parameters(LITTLE)).made().digests()


@pytest.mark.parametrize("workers", [2, 3])
def test_every_number_of_workers_gives_the_same_bytes(workers: int) -> None:
    world = EngineWorld(parameters(), workers=workers).made()
    assert world.store.objects == small_world().store.objects


def test_parts_may_be_made_in_any_order() -> None:
    assert [one for segment in SEGMENTS for one in small_world().made_otherwise(segment)] == []


def test_another_seed_gives_other_rows() -> None:
    other = EngineWorld(parameters(), seed=8).made()
    for output in ("outlet_catalogue", "arrival_events_5B", "s3_day_effects", "edge_catalogue_3B"):
        left, right = (world.table(output).drop("seed", "manifest_fingerprint") for world in (other, small_world()))
        assert not left.equals(right)


def test_plain_python_gives_the_same_bytes_as_machine_code() -> None:
    assert json.loads(printed("import json; from world.test_arrival_bytes import little; print(json.dumps(little()))")) == little()


def test_columns_of_draws_are_those_of_their_rows() -> None:
    key = stream_key("test")
    left, right = uniforms(key, 100)
    again, _ = uniforms(key, 50)
    assert (left[:50] == again).all()
    assert (left != right).all()
    assert (uniforms(key, 100, 1)[0] != left).all()
    ids = identifiers(key, 1000)
    assert len({*ids.tolist()}) == 1000
    assert ids.max() < 2**63


def test_running_sums_begin_again_at_each_group() -> None:
    sizes = np.array([2, 1, 3])
    starts = starts_of(sizes)
    assert starts.tolist() == [0, 2, 3]
    assert running([1, 2, 3, 4, 5, 6], starts).tolist() == [1, 3, 3, 4, 9, 15]
    assert grouped_sums([1, 2, 3, 4, 5, 6], starts).tolist() == [3, 3, 15]
    assert shares([1, 3, 7, 1, 1, 2], starts).tolist() == [0.25, 0.75, 1, 0.25, 0.25, 0.5]


def test_picks_follow_their_weights_and_never_take_a_weight_of_zero() -> None:
    u, _ = uniforms(stream_key("picks"), 100_000)
    made = pl.Series(picks(u, running([1.0, 0.0, 3.0]))).value_counts().sort("")
    assert made[""].to_list() == [0, 2]
    assert abs(made["count"][1] / 100_000 - 0.75) < 5 * (0.75 * 0.25 / 100_000) ** 0.5
