"""An example of a step that holds rows, and the decision lane with it: a payment waits until a context fact of its customer is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from machines import wired
from records import INPUTS, T0_US, chunk, context_fact, mark, payment
from simulated_worlds import config

from assay.agents.batch import Batch, Step, Views
from assay.agents.holding import TIMED_OUT, HoldingStep
from assay.agents.lane import LaneMachine
from assay.agents.plans import Plans
from assay.agents.specs import LaneSpec, StepSpec
from assay.agents.step import JournalEntry
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.columns import Strings
from assay.codecs.single_object import unpack
from assay.codecs.table_state import TableState, joined, part
from assay.tables.row_kinds import CONTEXT, PAYMENT

WAIT_US = 60_000_000
DECISIONS = "FP_BUS_RTDL_V1"
WALL_US = 1_800_000_000_000_000
S_US = 1_000_000
CODE = bytes(32)


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
    """The decision lane with the example before its dedupe."""
    made: Callable[[Plans, Views], Step] = partial(AwaitContext, wait_us=wait_us, bytes_max=bytes_max)
    spec = StepSpec("await_context", key="entity", make=made, reads=("kind", "ts_us", "entity.*"), writes=(TIMED_OUT,), holds=True)
    lane = TOPOLOGY.lane("rtdl")
    return replace(lane, steps=(spec, *lane.steps))


def lane(ordering: str = "event_time", bytes_max: int = 1_000_000) -> LaneMachine:
    """The decision lane with the example, claimed, that has read nothing."""
    run = config().model_copy(update={"ordering": ordering})
    one = fold_machine_of(awaiting(bytes_max=bytes_max), run, partition_counts(1), code=CODE)
    one.unemitted()
    one.apply(one.claim_entry(WALL_US).value)
    return one


def pay(event_id: str, at_s: int, customer: str) -> bytes:
    return payment(event_id, T0_US + at_s * S_US, entities={"customer": customer, "terminal": "t"})


def fact(event_id: str, at_s: int, customer: str) -> bytes:
    return context_fact(event_id, T0_US + at_s * S_US, {"customer": customer})


def decided(one: LaneMachine, entry: JournalEntry | None) -> list[tuple[str, int]]:
    """Events decided by a journal record: id and event time in seconds."""
    assert entry is not None
    found = []
    for emission in one.apply(entry.value).emissions:
        if emission.handle == DECISIONS:
            events = [unpack(value or b"")[1]["source_event"] for value in emission.values.tolist()]
            found += [(event["event_id"], (event["ts_utc"] - T0_US) // S_US) for event in events]
    return found


def step_of(one: LaneMachine) -> AwaitContext:
    (step,) = (found.step for found in wired(one) if isinstance(found.step, AwaitContext))
    return step


def watermarks(one: LaneMachine, at_s: int, offsets: dict[str, int], *, final: bool = False) -> None:
    """A watermark on every input."""
    for handle in INPUTS:
        one.receive(chunk(handle, [mark(handle, 0, T0_US + at_s * S_US, final=final)], offsets.get(handle, 0)))
        offsets[handle] = offsets.get(handle, 0) + 1
