"""A run's lost batches settled from outside of its gate, which may run or not: what `assay gate resolve` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeVar

from assay.app.gate.bus_search import BusSearch
from assay.app.gate.control import Control
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.reach import logs_of, topics_of_classes
from assay.app.gate.receipts import RECEIPTS, ReceiptWriter
from assay.app.gate.resolving import EVIDENCE_AFTER_S, Resolution, Resolver
from assay.app.gate.resolving_thread import FoundReceipts
from assay.app.gate.segment_names import SegmentNames
from assay.app.gate.spool import log_of
from assay.app.gate.unsettled import Unsettled
from assay.app.progress import unseen
from assay.app.run.directory import Run
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

T = TypeVar("T")

#: its name among those that write receipts of a run
PROCESS: Final = "resolve"
LOOK_EVERY_S: Final = 0.5
#: behind the moment when the youngest batch of the beginning has all its evidence
PATIENCE_S: Final = 10.0


class Settled(NamedTuple):
    """What a resolve came to: events found on the bus, not found there, let be sent again, and not looked for yet."""

    found: int
    absent: int
    released: int
    waiting: int


def settle(run: Run, by: str, bus_properties: Mapping[str, str] | None = None, progress: Callable[[str], object] = unseen) -> Settled:
    """Wait for the evidence and settle by it. `by` says who lets be sent again what the bus does not hold; empty: nobody does.

    Raises Retry(INDEX_UNAVAILABLE | BROKER_UNREACHABLE | BUS_UNAVAILABLE | RECEIPT_NOT_DURABLE | STORE_FULL | ADMISSION_IN_FLIGHT).
    """
    with _resolver(run, bus_properties) as resolver:
        last, found = _looked(resolver, progress)
        released = _tried(lambda: resolver.release(by)) if by and last.absent else 0
    return Settled(found, last.absent - released, released, last.waiting)


def _looked(resolver: Resolver, progress: Callable[[str], object]) -> tuple[Resolution, int]:
    """The last look, and what all of them found. Batches of a gate that goes on admitting are not waited for."""
    found, until = 0, time.monotonic() + EVIDENCE_AFTER_S + PATIENCE_S
    while True:
        last = _tried(resolver.look)
        found += last.found
        if time.monotonic() > until or not (last.waiting or last.in_flight):
            return last, found
        progress(f"{last.waiting} events and {last.in_flight} batches wait for evidence, about {last.wait_s:.0f} s")
        time.sleep(LOOK_EVERY_S)


def _tried(work: Callable[[], T | None]) -> T:
    """What came of it. The gate's own resolver is at it for a moment, now and then."""
    until = time.monotonic() + PATIENCE_S
    while (found := work()) is None:
        if time.monotonic() > until:
            raise Retry(Reason.ADMISSION_IN_FLIGHT, "another resolver of this run is at work", remedy="Run the same command again.")
        time.sleep(LOOK_EVERY_S)
    return found


@contextmanager
def _resolver(run: Run, bus_properties: Mapping[str, str] | None) -> Iterator[Resolver]:
    policy = shipped_admission_policy(run.config.traffic)
    index, control = AdmissionIndex(run.sql_of_gate), Control(run, bus_properties)
    names = SegmentNames(AdmissionIndex(run.sql_of_gate), run, log_of(RECEIPTS, PROCESS))
    logs = logs_of(run, PROCESS, names)
    control.start()
    try:
        standing = control.read_up()
        writer = ReceiptWriter(policy, run.config.pins, topics_of_classes(run, policy), run.config.digest)
        receipts = FoundReceipts(writer, logs[0], lambda: standing.policy, lambda: time.time_ns() // 1_000)
        bus = BusSearch(run, {handle: event_class for event_class, handle in policy.topics.items()}, bus_properties)
        yield Resolver(index, run.platform_run_id, Unsettled(index, run.platform_run_id), bus, receipts)
    finally:
        control.stop()
        index.close()
        for one in logs:
            one.close()
        names.close()
