"""The identity of a lane in text: a name and a shard, or a name alone for shard 0."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.agents.step import LaneId


@given(st.text(min_size=1).filter(lambda name: "/" not in name), st.integers(0, 10**6))
def test_the_text_of_an_identity_names_it(name: str, shard: int) -> None:
    assert LaneId.parse(str(LaneId(name, shard))) == LaneId(name, shard)
    assert LaneId.parse(name) == LaneId(name, 0)


@pytest.mark.parametrize("text", ["", "/0", "rtdl/", "rtdl/-1", "rtdl/x", "rtdl/0/1", "rtdl/²"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not LANE or LANE/SHARD"):
        LaneId.parse(text)
