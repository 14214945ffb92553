"""The small world behaves: every figure of a million payments lies in its corridor."""

from __future__ import annotations

import pytest
from reported_worlds import NAMES, Measures, reported

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def measures(tmp_path_factory: pytest.TempPathFactory) -> Measures:
    """The measures of the small world of seed 7."""
    return reported(tmp_path_factory.mktemp("world"), "small", 7)


@pytest.mark.parametrize(("group", "name"), NAMES)
def test_a_figure_of_the_small_world_lies_in_its_corridor(measures: Measures, group: str, name: str) -> None:
    found = measures[group, name]
    assert found.holds, f"{found.value:g} is outside {found.least:g} to {found.most:g}"
