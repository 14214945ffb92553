"""The arrays of a lane's columns: kernels take them as they are, and numba compiles a kernel again for writable or strided ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from journals import journal
from machines import wired
from numpy.typing import NDArray
from simulated_worlds import config

from assay.agents.batch import Batch, Result, Step
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.columns import Column, Ragged, Strings


def arrays(column: Column) -> Iterator[NDArray[np.generic]]:
    """All arrays of a column."""
    if isinstance(column, Ragged):
        yield column.offsets
        for child in column.children.values():
            yield from arrays(child)
    elif isinstance(column, Strings):
        yield from column
    else:
        yield column


def seen_by(step: Step, seen: set[tuple[str, bool]]) -> None:
    """Note of each column that the step is given, and of its live flags, whether kernels take it as it is: live flags are written to."""
    handle = step.handle

    def spy(batch: Batch) -> Result:
        seen.add(("live", batch.live.flags.carray))
        seen.update(
            (name, array.flags.c_contiguous and not array.flags.writeable)
            for name, column in batch.columns.items()
            for array in arrays(column)
        )
        return handle(batch)

    step.handle = spy  # type: ignore[method-assign]


@pytest.mark.parametrize(("name", "some"), [("rtdl", "entity.customer"), ("act", "idempotency_key")])
def test_columns_are_read_only_and_in_one_piece(name: str, some: str) -> None:
    lane, seen = fold_machine_of(TOPOLOGY.lane(name), config(), partition_counts(1)), set[tuple[str, bool]]()
    for found in wired(lane):
        seen_by(found.step, seen)
    for record in journal(name):
        lane.apply(record.to_bytes())
    assert {column for column, taken in seen if not taken} == set()
    assert (some, True) in seen
