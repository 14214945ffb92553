"""An example of a step that holds rows, and the decision lane with it: a payment waits until a context fact of its customer is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from assay.agents.batch import Batch, Step, Views
from assay.agents.holding import TIMED_OUT, HoldingStep
from assay.agents.plans import Plans
from assay.agents.specs import LaneSpec, StepSpec
from assay.agents.topology import TOPOLOGY
from assay.codecs.columns import Strings
from assay.codecs.table_state import TableState, joined, part
from assay.tables.row_kinds import CONTEXT, PAYMENT

WAIT_US = 60_000_000


class AwaitContext(HoldingStep):
    """State: the customers whose context is known, and the payments that wait."""

    def __init__(self, plans: Plans, views: Views, wait_us: int, bytes_max: int) -> None:
        super().__init__(plans.ordering, wait_us, bytes_max)
        self._known: set[bytes] = set()

    def waits_for(self, batch: Batch) -> Sequence[bytes | None]:
        return _customers(batch, PAYMENT)

    def brings(self, batch: Batch) -> Sequence[bytes | None]:
        return _customers(batch, CONTEXT)

    def knows(self, key: bytes) -> bool:
        return key in self._known

    def learn(self, key: bytes, ts_us: int) -> None:
        self._known.add(key)

    def state(self) -> TableState:
        return joined({"held": super().state(), "known": TableState({"customers": sorted(key.decode() for key in self._known)})})

    def restore(self, state: TableState) -> None:
        super().restore(part(state, "held"))
        self._known = {key.encode() for key in part(state, "known").header["customers"]}


def _customers(batch: Batch, kind: int) -> list[bytes | None]:
    customers, kinds = batch.columns["entity.customer"], np.asarray(batch.columns["kind"])
    assert isinstance(customers, Strings)
    return [customer if of == kind else None for customer, of in zip(customers.tolist(), kinds.tolist(), strict=True)]


def awaiting(wait_us: int = WAIT_US, bytes_max: int = 1_000_000) -> LaneSpec:
    """The decision lane with the example behind its dedupe."""
    made: Callable[[Plans, Views], Step] = partial(AwaitContext, wait_us=wait_us, bytes_max=bytes_max)
    spec = StepSpec("await_context", key="entity", make=made, reads=("kind", "ts_us", "entity.*"), writes=(TIMED_OUT,), holds=True)
    lane = TOPOLOGY.lane("rtdl")
    return replace(lane, steps=(lane.steps[0], spec, *lane.steps[1:]))
