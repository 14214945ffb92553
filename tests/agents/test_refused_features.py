"""What the feature step refuses is set aside by the lane with its reason, and is not decided."""

from __future__ import annotations

import numpy as np
from machines import wired
from records import LABELS, RTDL, T0_US, TRAFFIC, chunk, label, payment
from simulated_worlds import config

from assay.agents.features import FeatureStep
from assay.agents.lane import LaneMachine
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.single_object import unpack
from assay.tables.entity_windows import SUM_MAX
from assay.tables.feature_plan import BUCKETS, CELLS, FIELDS, SUM, TOTAL

WALL_US = 1_800_000_000_000_000


def folded(lane: LaneMachine, handle: str, first: int, value: bytes) -> tuple[list[str], int]:
    """Why records were set aside, and how many decisions came, of one record."""
    lane.receive(chunk(handle, [value], first))
    entry = lane.next_entry(WALL_US)
    assert entry is not None
    emissions = lane.apply(entry.value).emissions
    letters = [v or b"" for e in emissions if e.handle == "FP_BUS_QUARANTINE_V1" for v in e.values.tolist()]
    return [unpack(letter)[1]["reason"] for letter in letters], sum(len(e.values.lengths) for e in emissions if e.handle == RTDL)


def fill(lane: LaneMachine) -> None:
    """Plant sums just below what an int64 holds into the windows of the first key of every entity."""
    (step,) = (one.step for one in wired(lane) if isinstance(one.step, FeatureStep))
    for windows in step._table.windows:
        for ring in windows.plan.rings:
            line = windows.lines[0]
            cells = line[ring[CELLS] : ring[CELLS] + ring[BUCKETS] * ring[FIELDS]].reshape(ring[BUCKETS], ring[FIELDS])
            cells[np.flatnonzero(cells[:, 0])[0], SUM] = line[ring[TOTAL] + SUM] = SUM_MAX - 10
    step._table._bound_from_lines()


def test_rows_that_no_feature_takes_are_set_aside_and_not_decided() -> None:
    lane = fold_machine_of(TOPOLOGY.lane("rtdl"), config().model_copy(update={"ordering": "arrival"}), partition_counts(1))
    assert folded(lane, TRAFFIC, 0, payment("a", T0_US)) == ([], 1)
    fill(lane)
    assert folded(lane, TRAFFIC, 1, payment("b", T0_US + 1, 11)) == (["WINDOW_OVERFLOW"], 0)
    assert folded(lane, TRAFFIC, 2, payment("c", T0_US + 2, 10**11)) == (["AMOUNT_OUT_OF_RANGE"], 0)
    assert folded(lane, LABELS, 0, label("l", T0_US + 9, "c", T0_US + 2)) == (["LABEL_SUBJECT_UNKNOWN"], 0)
    assert folded(lane, TRAFFIC, 3, payment("d", T0_US + 3, 10, {"customer": "c2", "terminal": "t2"})) == ([], 1)
