"""Whoever is ahead, payments or labels: the decisions are the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gated_worlds import GatedWorld, config_over, gated, generated_world, simulated

from assay.agents.specs import journal_topic
from assay.agents.topology import TOPOLOGY
from assay.app.replay.verify import recompute
from assay.codecs.decision_digest import DecisionDigest
from assay.contracts.handles import LABELS

ROWS = 2_000


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory: pytest.TempPathFactory) -> GatedWorld:
    """A world whose payments and labels come in the order of their times."""
    world = generated_world(tmp_path_factory.mktemp("late"), "handbook", ROWS, 5)
    return gated(world, config_over(world, "handbook"))


def digest_of(given: GatedWorld) -> str:
    """The digest of the decisions in a run over these records."""
    digest = DecisionDigest()
    for values in recompute(given.config, simulated(given).log.values(journal_topic(TOPOLOGY.lane("rtdl"))), given.partitions):
        digest.update(values)
    assert digest.count == ROWS
    return digest.hexdigest()


@pytest.mark.parametrize("late", [lambda handle: handle == LABELS, lambda handle: handle != LABELS], ids=["labels late", "payments late"])
def test_one_that_is_far_behind_the_other_changes_no_decision(side_by_side: GatedWorld, late: Callable[[str], bool]) -> None:
    moved = sorted(side_by_side.records, key=lambda record: late(record[0]))
    assert moved != side_by_side.records
    assert digest_of(side_by_side._replace(records=moved)) == digest_of(side_by_side)
