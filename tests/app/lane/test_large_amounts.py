"""Amounts in a currency of small units, from the file to the decision: equal amounts give no alarm out of rounding."""

from __future__ import annotations

from pathlib import Path

import pytest
from gated_worlds import NOW_US, config_over, gated, simulated
from source_tree import ROOT

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.stores.objects import DirectoryStore
from assay.codecs.single_object import unpack
from assay.contracts.handles import RTDL
from assay.tables.decisions import decision_json
from assay.tables.feature_plan import compile_plan
from assay.testing import Simulation

CASE = ROOT / "tests/data/cases/05"


def test_seven_equal_amounts_and_a_little_more_is_no_outlier(tmp_path: Path) -> None:
    world = import_world(CASE / "input.csv", load_mapping(str(CASE / "mapping.yaml")), DirectoryStore(tmp_path / "store"), NOW_US)
    config = config_over(world, "transfers")
    values = simulated(gated(world, config)).log.values(RTDL)
    decisions = [decision_json(unpack(value)[1], compile_plan(config.features)) for value in values]
    assert len(decisions) == world.manifest.rows == 16
    assert {decision["features"]["account_zscore_30d"] for decision in decisions} == {0.0}
    assert {decision["outcome"] for decision in decisions} == {"ALLOW"}


@pytest.mark.parametrize(
    ("before", "amount", "score"),
    [
        ([1_200_000_007, 1_200_000_007, 1_200_000_009, 1_200_000_007, 1_200_000_005], 1_200_000_013, 4.743),
        ([35_871_197] * 7, 35_872_197, 0.0),
    ],
)
def test_a_history_of_small_spread_is_told_from_one_without(before: list[int], amount: int, score: float) -> None:
    simulation = Simulation(features="transfers", rules="transfers")
    for day, paid in enumerate([*before, amount], 1):
        simulation.payment(amount_minor=paid, at=f"2026-01-{day:02}T12:00:00.000000Z")
    assert simulation.run()[-1].features["account_zscore_30d"] == pytest.approx(score, abs=0.0005)
