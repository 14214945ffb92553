"""The thread of a gate that forgets ids beyond the run's idempotency horizon, a little at a time. Processes of one gate take turns."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from assay.app.gate.horizon import RunHorizon, forget_some, forget_up_to, set_horizon
from assay.app.gate.index import AdmissionIndex
from assay.app.metrics import GATE_FORGOTTEN
from assay.contracts import instants
from assay.contracts.errors import AssayError, Retry

log = logging.getLogger("assay.gate.forgetting")

LOOK_EVERY_S: Final = 60.0
TELL_EVERY_S: Final = 3_600.0
#: ids of one transaction, and the pause behind it: admission goes on between
AT_ONCE: Final = 5_000
PAUSE_S: Final = 0.1
_END_WITHIN_S: Final = 8.0


class Forgetting:
    """Looks every minute. `index` is this thread's own."""

    def __init__(
        self,
        index: AdmissionIndex,
        platform_run_id: str,
        horizon: RunHorizon,
        pause_s: float = PAUSE_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index, self._run, self._horizon, self._pause_s, self._now_s = index, platform_run_id, horizon, pause_s, now_s
        self._untold, self._tell_from_s = 0, now_s()
        self._said = self._faulty = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_often, name="gate-forgetting", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Forget no more; what is begun is whole."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_END_WITHIN_S)
        if not self._thread.is_alive():
            self._index.close()

    def look(self) -> int:
        """Forget what is due; how many ids. Raises Retry(INDEX_UNAVAILABLE), Stop(DATABASE_NOT_MIGRATED)."""
        if not self._said:
            self._index.ask(partial(set_horizon, platform_run_id=self._run, horizon=self._horizon))
            self._said = True
        before_us = self._index.ask(partial(forget_up_to, platform_run_id=self._run))
        if before_us is None:
            return 0
        total = 0
        while (some := self._index.ask(partial(forget_some, platform_run_id=self._run, about=AT_ONCE))) is not None:
            total += some
            GATE_FORGOTTEN.inc(some)
            if self._stopping.wait(self._pause_s):
                break
        self._tell(total, before_us)
        return total

    def _tell(self, total: int, before_us: int) -> None:
        """The first time, and what came together since then once an hour."""
        self._untold += total
        if self._untold and self._now_s() >= self._tell_from_s:
            before = instants.text(before_us)
            log.warning("%d event ids are forgotten, of events before %s: they are beyond the idempotency horizon", self._untold, before)
            self._untold, self._tell_from_s = 0, self._now_s() + TELL_EVERY_S

    def _look_often(self) -> None:
        while True:
            try:
                self.look()
                self._faulty = False
            except Retry:  # the gate's health tells of an index that is away
                pass
            except AssayError as fault:
                if not self._faulty:
                    log.warning("nothing can be forgotten: %s", fault)
                self._faulty = True
            if self._stopping.wait(LOOK_EVERY_S):
                return
