"""The thread that brings closed files of receipts and refused items into the object store. Nobody who asks the gate waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from assay.app.gate.segment_names import SegmentNames
from assay.app.gate.segments import SegmentLog
from assay.app.gate.spool import OPEN
from assay.app.metrics import GATE_UNSEALED_FILES
from assay.app.run.directory import Run
from assay.contracts.canonical import canonical
from assay.contracts.errors import AssayError, Retry
from assay.contracts.reasons import Reason

log = logging.getLogger("assay.gate.sealing")

LOOK_EVERY_S: Final = 0.25
#: the pause while older segments have no row in the index
MORE_AFTER_S: Final = 0.05
#: the pause after a store that did not answer
AGAIN_AFTER_S: Final = 3.0
#: a store that answers nothing must not keep a gate from ending; what is unsealed then is sealed by the next start
END_WITHIN_S: Final = 8.0


class Sealing:
    """Seals what is due. `after_s` is the age of a line that is sealed whatever else happens, 0 for none; `process` is its name among
    those that seal for one run. `names` makes the rows of the index for what is sealed."""

    def __init__(
        self,
        run: Run,
        logs: Sequence[SegmentLog],
        after_s: float,
        now_s: Callable[[], float] = time.time,
        process: str = "",
        names: SegmentNames | None = None,
    ) -> None:
        self._open = f"{OPEN}/{process or 'gate'}.json"
        self._run, self._logs, self._after_s, self._now_s = run, logs, after_s if run.store_root else 0.0, now_s
        self._names = names
        self._stopping = threading.Event()
        self._away = False
        self._said_open = not run.store_root
        self._thread = threading.Thread(target=self._seal_often, name="gate-sealing", daemon=True)

    def start(self) -> None:
        """Begin to seal."""
        self._thread.start()

    def stop(self) -> bool:
        """Seal everything and let the files go; whether all is in the store. Nothing may be appended any more."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(END_WITHIN_S)
        if self._thread.is_alive():
            log.warning("the object store does not answer: the last receipts are sealed by the next start of the gate on this machine")
            return False
        whole = not [one for one in self._logs if not one.close()]  # each of them is closed
        if whole and self._run.store_root:
            whole = self._tried(lambda: self._run.store.remove(self._open))
        if not whole:
            log.warning("not all receipts are in the object store: start the gate on this machine again, it seals them")
        if self._names is not None:
            self._names.close()
        return whole

    def warning(self) -> Retry | None:
        """What is wrong, while the object store takes nothing: receipts are durable here, and nobody elsewhere sees them."""
        if not self._away:
            return None
        what = "the object store takes no receipts: they stay on this machine"
        return Retry(Reason.STORE_SILENT, what, remedy="They are sealed when it answers; nothing has to be sent again.")

    def _seal_often(self) -> None:
        pause_s = 0.0
        while not self._stopping.wait(pause_s):
            pause_s = LOOK_EVERY_S if self._tried(self._seal_due) else AGAIN_AFTER_S
            if self._names is not None and not self._away and self._names.look():
                pause_s = MORE_AFTER_S

    def _seal_due(self) -> None:
        if not self._said_open:
            self._run.store.replace(self._open, canonical({"since_us": int(self._now_s() * 1_000_000)}))
            self._said_open = True
        for one in self._logs:
            if one.due(self._after_s):
                one.seal()

    def _tried(self, work: Callable[[], object]) -> bool:
        """Whether it was done; a store that begins or ends to be away is told once."""
        try:
            work()
        except (AssayError, OSError) as error:
            if not self._away:
                log.warning("receipts stay on this machine until the object store takes them: %s", error)
            self._away = True
        else:
            if self._away:
                log.warning("the object store takes receipts again")
            self._away = False
        GATE_UNSEALED_FILES.set(sum(one.waiting for one in self._logs))
        return not self._away
