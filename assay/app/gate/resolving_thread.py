"""The thread of a gate that settles lost batches while it admits, and tells what it cannot settle."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from assay.app.gate.bus_search import BusSearch, FoundEvent
from assay.app.gate.policy import AdmissionPolicy
from assay.app.gate.reach import Reach
from assay.app.gate.receipts import ReceiptWriter
from assay.app.gate.resolving import Resolution, Resolver
from assay.app.gate.segments import SegmentLog
from assay.app.gate.unsettled import Unsettled
from assay.app.metrics import GATE_AMBIGUOUS
from assay.app.run.directory import Run
from assay.contracts import instants
from assay.contracts.errors import AssayError, Retry
from assay.contracts.reasons import Reason

log = logging.getLogger("assay.gate.resolving")

LOOK_EVERY_S: Final = 1.0
_END_WITHIN_S: Final = 8.0


class Resolving:
    """Looks every second. `end` is called after the last look of a gate that stops, when nothing of its own is left open."""

    def __init__(self, resolver: Resolver, unsettled: Unsettled, epoch: Callable[[], int], end: Callable[[], object]) -> None:
        self._resolver, self._unsettled, self._epoch, self._end = resolver, unsettled, epoch, end
        self._last: Resolution | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_often, name="gate-resolving", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. A drained gate says that its epoch is ended, so that nobody looks into it again."""
        self._stopping.set()
        if self._thread.ident is None:
            return
        self._thread.join(_END_WITHIN_S)
        if self._thread.is_alive():
            return
        try:
            if not [one for one in self._unsettled.batches() if one.epoch == self._epoch()]:
                self._end()
        except AssayError as away:
            log.warning("the end of this process could not be noted: %s", away)

    def warning(self) -> Retry | None:
        """What the gate does not know, while there is such a thing."""
        last = self._last
        if last is None or last.is_settled:
            return None
        what = f"nobody knows whether {last.absent + last.waiting} events are on the bus"
        remedy = f"The bus is read in {last.wait_s:.0f} s." if last.waiting else "It does not hold them: see `assay gate resolve`."
        return Retry(Reason.ADMISSION_AMBIGUOUS, what, remedy=remedy)

    def _look_often(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                found = self._resolver.look()
            except AssayError as away:
                log.warning("lost batches cannot be looked for: %s", away)
                continue
            if found is None:
                continue
            self._tell(found)
            self._last = found

    def _tell(self, found: Resolution) -> None:
        GATE_AMBIGUOUS.set(found.absent + found.waiting)
        if found.found:
            log.warning("%d events whose process had died, or was told nothing, were found on the bus: they are admitted", found.found)
        if found.absent and (self._last is None or found.absent != self._last.absent):
            log.warning("%d events are not on the bus: an operator lets them be sent again with `assay gate resolve`", found.absent)


class FoundReceipts:
    """Makes the receipts of found events durable. `policy_rev` tells the policy in force."""

    def __init__(
        self, writer: ReceiptWriter, receipts: SegmentLog, policy_rev: Callable[[], Mapping[str, str]], clock: Callable[[], int]
    ) -> None:
        self._writer, self._log, self._policy_rev, self._clock = writer, receipts, policy_rev, clock

    def __call__(self, events: Sequence[FoundEvent]) -> None:
        """Write them. Raises Retry(RECEIPT_NOT_DURABLE, STORE_FULL)."""
        self._writer.under(self._policy_rev())
        at = instants.text(self._clock())
        self._log.append([self._writer.found(event, at) for event in events])


def resolving_of(
    run: Run,
    policy: AdmissionPolicy,
    reach: Reach,
    active: Callable[[], Collection[int]],
    clock: Callable[[], int],
    bus_properties: Mapping[str, str] | None = None,
) -> Resolving:
    """The resolving of one process of a gate. `active` are the batches that are on their way in it."""
    unsettled = Unsettled(reach.resolved, run.platform_run_id, active)
    writer = ReceiptWriter(policy, run.config.pins, reach.topics, run.config.digest)
    receipts = FoundReceipts(writer, reach.logs[0], lambda: reach.control.standing.policy, clock)
    classes = {handle: event_class for event_class, handle in policy.topics.items()}
    bus = BusSearch(run, classes, bus_properties)
    resolver = Resolver(reach.resolved, run.platform_run_id, unsettled, bus, receipts, lambda: reach.claims.epoch)
    everything = Unsettled(reach.resolved, run.platform_run_id)  # a drained process has nothing on its way
    return Resolving(resolver, everything, lambda: reach.claims.epoch, reach.claims.ended)
