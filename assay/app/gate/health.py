"""Whether the gate can admit: GREEN, AMBER (it can, with a warning) or RED (it cannot), with a reason per part."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from assay.contracts.errors import AssayError, Retry
from assay.contracts.reasons import Reason

PROBE_WITHIN_S = 5
log = logging.getLogger("assay.gate")


class GateState(StrEnum):
    """Health of the gate."""

    GREEN = "GREEN"
    AMBER = "AMBER"
    RED = "RED"


class Health:
    """What the last look at each part said. Parts are probed by one thread; admission reports what it meets in between.

    AMBER is the time before the first look, and what one of `warnings` tells: the gate admits all the same. A part that failed stays RED
    until its probe succeeds.
    """

    def __init__(self, probes: Mapping[str, Callable[[], None]], every_s: float) -> None:
        self._probes = dict(probes)
        self._every_s = every_s
        self._faults: dict[str, AssayError | None] = {}
        #: each tells what is wrong, while it is; added to before `start`
        self.warnings: list[Callable[[], AssayError | None]] = []
        self._warned = False
        self._probing: tuple[str, float] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_often, name="gate-health", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        self._thread.join()

    def look(self) -> None:
        """Probe every part once."""
        for part, probe in self._probes.items():
            self._probing = (part, time.monotonic())
            try:
                probe()
            except AssayError as fault:
                self._faults[part] = fault
            else:
                self._faults[part] = None
            self._probing = None

    def report(self, fault: AssayError) -> None:
        """Note a failure met while admitting."""
        part = _PART_OF.get(fault.reason)
        if part is not None:
            self._faults[part] = fault

    @property
    def is_red(self) -> bool:
        """Whether a part failed: nothing is admitted."""
        return bool(self._known_faults())

    @property
    def state(self) -> GateState:
        """The worst of the parts."""
        if self.is_red:
            return GateState.RED
        return GateState.AMBER if len(self._faults) < len(self._probes) or self._warnings() else GateState.GREEN

    def reasons(self) -> list[str]:
        """What is wrong: a sentence for each part that failed, and for each warning."""
        return [str(fault) for fault in (*self._known_faults(), *self._warnings())]

    def first_fault(self) -> AssayError:
        """The refusal to answer a call with while RED."""
        starting = Retry(Reason.BUS_UNAVAILABLE, "the gate is starting", remedy="Send the same call again.")
        return next(iter(self._known_faults()), starting)

    def _known_faults(self) -> list[AssayError]:
        """What failed, and the part whose probe hangs: a frozen server refuses nothing, it only never answers."""
        found = [fault for fault in self._faults.values() if fault is not None]
        probing = self._probing
        if probing is not None and time.monotonic() - probing[1] > PROBE_WITHIN_S:
            what = f"the {probing[0]} has not answered for {PROBE_WITHIN_S} s"
            remedy = "The gate resumes by itself when it answers; send the same call again."
            found.append(Retry(_REASON_OF[probing[0]], what, remedy=remedy))
        return found

    def _warnings(self) -> list[AssayError]:
        return [found for warning in self.warnings if (found := warning()) is not None]

    def _say_warnings(self) -> None:
        """In the log when they begin and when all are over."""
        found = self._warnings()
        if bool(found) != self._warned:
            log.warning("the gate %s", f"is AMBER: {'; '.join(map(str, found))}" if found else "has no warning any more")
        self._warned = bool(found)

    def _look_often(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._say_warnings()
            self._stopping.wait(self._every_s)


_REASON_OF: Final[Mapping[str, Reason]] = {
    "bus": Reason.BUS_UNAVAILABLE,
    "control": Reason.BUS_UNAVAILABLE,
    "index": Reason.INDEX_UNAVAILABLE,
    "receipts": Reason.RECEIPT_NOT_DURABLE,
}
_PART_OF: Final[Mapping[Reason, str]] = {reason: part for part, reason in _REASON_OF.items() if reason is not Reason.BUS_UNAVAILABLE}
