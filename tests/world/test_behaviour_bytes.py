"""A whole bank is a function of its identity: workers, order of parts and machine code change nothing; its gates hold."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from bank_worlds import bank
from engine_worlds import EngineWorld
from plain_python import printed

from assay.app.world.bundles import status_of
from assay.engine.behaviour.segment import SEGMENT_6B
from assay.engine.graph import SEGMENTS
from assay.engine.parameters import shipped

LITTLE = {"scale": {"flows": 1_500, "parties": 120, "merchants": 12, "part_flows": 800, "part_parties": 70}, "scenario": {"days": 14}}


def little() -> dict[str, str]:
    """Digests of the parts of a bank that plain Python makes in seconds."""
    unchecked = tuple(replace(segment, checks=()) for segment in SEGMENTS)  # shares of so few rows lie anywhere
    made = EngineWorld(shipped("tiny", LITTLE), segments=unchecked).made()
    return {path: digest for path, digest in made.digests().items() if "/6B/" in path}


@pytest.mark.parametrize("workers", [2, 3])
def test_every_number_of_workers_gives_the_same_bytes(workers: int) -> None:
    world = EngineWorld(shipped("tiny"), segments=SEGMENTS, workers=workers).made()
    assert world.store.objects == bank().store.objects


def test_parts_may_be_made_in_any_order() -> None:
    assert list(bank().made_otherwise(SEGMENT_6B)) == []


def test_another_seed_gives_other_campaigns_and_flows() -> None:
    other = EngineWorld(shipped("tiny"), segments=SEGMENTS, seed=8).made()
    for output in ("s1_arrival_entities_6B", "s3_campaign_targets_6B", "s3_flow_anchor_with_fraud_6B"):
        tokens = ("seed", "manifest_fingerprint")
        assert not other.table(output).drop(*tokens).equals(bank().table(output).drop(*tokens))


def test_plain_python_gives_the_same_bytes_as_machine_code() -> None:
    assert json.loads(printed("import json; from world.test_behaviour_bytes import little; print(json.dumps(little()))")) == little()


def test_the_gate_of_6b_passes() -> None:
    world = bank()
    assert status_of(world.store, SEGMENT_6B, world.identity).status == "PASS"
