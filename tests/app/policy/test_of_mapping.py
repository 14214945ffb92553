"""A sample's mapping brings a policy of its own: the one that `assay policy new` makes, or a written one where its entities are groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.app.cli.policy import main
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.samples.shelf import SAMPLES
from assay.app.policy.doubts import doubts_of
from assay.app.policy.fit import refuse_misfit
from assay.app.policy.grain import grain_us
from assay.app.policy.of_mapping import currencies_of, documents_for

#: nobody has an id there
GROUPS = {"baf", "creditcard"}


@pytest.mark.parametrize("name", SAMPLES)
def test_it_fits_its_mapping_and_leaves_no_doubts(name: str) -> None:
    mapping = load_mapping(name)
    policy = documents_for(mapping).policy()
    refuse_misfit(policy, list(mapping.entities), currencies_of(mapping))
    assert policy.feature_plan.entities == tuple(mapping.entities)
    assert doubts_of(policy, grain_us(mapping.time)) == []


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - GROUPS))
def test_it_is_what_the_command_makes_for_the_mapping(name: str, tmp_path: Path) -> None:
    assert main(["new", str(tmp_path / name), "--mapping", name]) == 0
    made = documents_for(load_mapping(name))
    made.write(tmp_path / "demo")
    for part in ("features.yaml", "rules.yaml"):
        assert (tmp_path / "demo" / part).read_text() == (tmp_path / name / part).read_text()


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_groups_have_no_bursts(name: str) -> None:
    """Thousands share a group: many payments of it say nothing."""
    codes = documents_for(load_mapping(name)).policy().rule_plan.codes
    assert not [code for code in codes if "BURST" in code]
