"""The input side of a lane: a record that comes again is taken once, whatever part of a fetch is new."""

from __future__ import annotations

import numpy as np
import pytest
from machines import reader
from records import T0_US, TRAFFIC, chunk, payment

from assay.agents.coverage import Coverage
from assay.agents.lane_input import LaneInput
from assay.agents.merge import Merge
from assay.agents.step import TopicPartition
from assay.agents.topology import TOPOLOGY

PLACE: TopicPartition = (TRAFFIC, 0)


def lane_input(done: list[tuple[int, int]]) -> LaneInput:
    """An input whose journal holds these runs of offsets."""
    coverage = Coverage()
    for run in done:
        coverage.add(*run)
    given = LaneInput("rtdl", Merge({TRAFFIC: 0}, [PLACE], "arrival"), reader(TOPOLOGY.lane("rtdl"), [TRAFFIC]))
    given.restore({PLACE: coverage}, {})
    return given


@pytest.mark.parametrize(
    ("done", "fetches", "expected"),
    [
        pytest.param([], [(0, 5)], [0, 1, 2, 3, 4], id="all of it is new"),
        pytest.param([], [(0, 3), (0, 5)], [0, 1, 2, 3, 4], id="its beginning came before"),
        pytest.param([], [(0, 3), (0, 3), (1, 3), (3, 4)], [0, 1, 2, 3], id="all of it came before"),
        pytest.param([(0, 1)], [(0, 4)], [2, 3], id="its beginning is journaled"),
        pytest.param([(2, 3)], [(0, 6)], [0, 1, 4, 5], id="its middle is journaled"),
        pytest.param([(0, 1), (3, 3)], [(0, 3), (2, 6)], [2, 4, 5], id="both"),
        pytest.param([(0, 3)], [(0, 4), (4, 6)], [4, 5], id="all of it is journaled"),
        pytest.param([(5, 9)], [(0, 5), (5, 12)], [0, 1, 2, 3, 4, 10, 11], id="its beginning is journaled and what came before is not"),
    ],
)
def test_every_offset_is_taken_once(done: list[tuple[int, int]], fetches: list[tuple[int, int]], expected: list[int]) -> None:
    given = lane_input(done)
    for first, stop in fetches:
        given.receive(chunk(TRAFFIC, [payment(f"p{n}", T0_US + n) for n in range(first, stop)], first))
    refused, taken = given.next(100)
    assert not refused
    assert taken is not None and taken.rows is not None
    assert np.asarray(taken.rows.column("row.offset")).tolist() == expected
    assert np.asarray(taken.rows.column("row.ts_us")).tolist() == [T0_US + n for n in expected]
    assert sorted(n for _, _, first, last in taken.ranges for n in range(first, last + 1)) == expected
