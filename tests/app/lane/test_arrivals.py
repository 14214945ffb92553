"""Every record that arrives is counted once, with the time of its first arrival, whatever the chunks and the folds."""

from __future__ import annotations

import random

import numpy as np
import pytest

from assay.agents.step import Chunk
from assay.app.lane.arrivals import Arrivals
from assay.codecs.columns import Strings


def chunk(partition: int, first: int, end: int) -> Chunk:
    return Chunk("T", partition, np.arange(first, end, dtype=np.int64), Strings.nulls(end - first))


@pytest.mark.parametrize("seed", range(8))
def test_each_record_is_told_once_with_its_first_arrival(seed: int) -> None:
    draw, arrivals = random.Random(seed), Arrivals()
    arrived: dict[tuple[int, int], int] = {}
    ends, folded = [0, 0], [0, 0]
    told: list[tuple[int, int]] = []
    expected: list[int] = []
    for now_us in range(200):
        partition = draw.randrange(2)
        if draw.random() < 0.6:
            first = max(0, ends[partition] - draw.choice([0, 0, 3]))  # some come again
            end = first + draw.randrange(1, 9)
            arrivals.note(chunk(partition, first, end), now_us)
            for offset in range(first, end):
                arrived.setdefault((partition, offset), now_us)
            ends[partition] = max(ends[partition], end)
        else:
            position = draw.randint(folded[partition], ends[partition])
            told += arrivals.folded({("T", partition): position, ("U", 0): 5})
            expected += [arrived[partition, offset] for offset in range(folded[partition], position)]
            folded[partition] = position
    assert sorted(us for us, records in told for _ in range(records)) == sorted(expected) != []


def test_an_empty_chunk_and_a_partition_without_position_tell_nothing() -> None:
    arrivals = Arrivals()
    arrivals.note(Chunk("T", 0, np.zeros(0, np.int64), Strings.nulls(0), begins=4), 1)
    arrivals.note(chunk(0, 0, 3), 1)
    assert arrivals.folded({}) == []
    assert arrivals.folded({("T", 0): 3}) == [(1, 3)]
