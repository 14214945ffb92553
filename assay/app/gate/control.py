"""The gate's reader of the control topic, in a thread of its own: READY opens the run, policy revisions go into the receipts."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

from assay.agents.components import INGESTION_GATE
from assay.app.bus.offsets import bounds_of
from assay.app.bus.tail import TopicTail
from assay.app.bus.topic_reader import TopicRecord
from assay.app.gate.run_standing import RunStanding, after_ready, after_revision, standing_of
from assay.app.run.announced import POLICY_REVISION, READY, TERMINAL, ended, refuse_out_of_scope, said_of
from assay.app.run.directory import Run
from assay.app.run.facts_view import facts_document
from assay.contracts.errors import AssayError, Quarantine, Retry, Stop
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason

log = logging.getLogger("assay.gate.control")

#: a probe waits so long for the first look at the topic, and a call for what was written just now
FIRST_LOOK_S: Final = 3.0
READ_UP_S: Final = 5.0
CLIENT_LOGS: Final = ("aiokafka", "aiokafka.cluster", "aiokafka.consumer.fetcher")


class Control:
    """What the control topic says of one run. `standing` may be read from any thread."""

    def __init__(self, run: Run, bus_properties: Mapping[str, str] | None = None) -> None:
        for record in (READY, TERMINAL, POLICY_REVISION):
            INGESTION_GATE.check_consumes(CONTROL, record)
        self.standing = standing_of(run.config)
        self._run, self._properties = run, bus_properties
        self._tail = TopicTail(run.bootstrap, CONTROL, run.namespace, bus_properties, noticed=self._noticed)
        self._waiting: list[TopicRecord] = []
        self._folded: dict[int, int] = {}
        self._away: AssayError | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow()), name="gate-control", daemon=True)

    def start(self) -> None:
        """Begin to read. The client's own log is off: its failures are told by the health of the gate."""
        for name in CLIENT_LOGS:
            logging.getLogger(name).addFilter(_is_told_elsewhere)
        self._thread.start()

    def stop(self) -> None:
        """Read no more. A broker that does not answer is not waited for."""
        self._stopping = True
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def probe(self) -> None:
        """Raises Retry(BUS_UNAVAILABLE) until the topic was read once, and while it cannot be read."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._folded) or self._away is not None, FIRST_LOOK_S)
            away = self._away
            if self._folded and away is None and self._thread.is_alive():
                return
        what = "the control topic is not read" if away is None else away.what
        raise Retry(Reason.BUS_UNAVAILABLE, what, where=CONTROL, remedy="The gate resumes by itself; send the same call again.")

    def current(self) -> RunStanding:
        """The standing by which events are judged now. Raises Retry(BUS_UNAVAILABLE) while nobody can say whether the run is READY."""
        return self.standing if self.standing.ready else self.read_up()

    def read_up(self) -> RunStanding:
        """The standing after everything that the topic holds at this moment: who saw READY may post at once.

        Raises Retry(BUS_UNAVAILABLE).
        """
        run = self._run
        try:
            bounds = bounds_of(run.bootstrap, CONTROL, run.namespace, self._properties)
        except AssayError as error:
            raise Retry(Reason.BUS_UNAVAILABLE, error.what, where=CONTROL, remedy=error.remedy) from None
        with self._changed:
            if self._changed.wait_for(lambda: all(self._folded.get(number, 0) >= end for number, (_, end) in bounds.items()), READ_UP_S):
                return self.standing
            away = self._away
        what = "the control topic cannot be read up to its end" if away is None else away.what
        raise Retry(Reason.BUS_UNAVAILABLE, what, where=CONTROL, remedy="Send the same call again.")

    async def _follow(self) -> None:
        async with aclosing(self._tail.batches()) as batches:
            async for batch in batches:
                if self._stopping:
                    return
                self._waiting += batch
                self._fold_waiting()

    def _fold_waiting(self) -> None:
        """Fold records in their order. One whose facts view cannot be read now is tried again with the next batch."""
        away: AssayError | None = None
        while self._waiting and away is None:
            try:
                self.standing = self._after(self._waiting[0])
            except Retry as silent:
                away = silent
            else:
                del self._waiting[0]
        with self._changed:
            self._away = away
            if not self._waiting and self._tail.has_caught_up:
                self._folded = self._tail.positions
            self._changed.notify_all()

    def _after(self, record: TopicRecord) -> RunStanding:
        """Raises Retry when the store does not answer."""
        standing, run = self.standing, self._run
        name, said = said_of(record.value, run.config.pins)
        try:
            if name == READY and not standing.ready:
                refuse_out_of_scope(said, run.config.pins, run.config.digest)
                found = after_ready(standing, self._facts(said))
                log.info("%s is READY: its events are admitted", run.platform_run_id)
                return found
            if name == TERMINAL:
                raise ended(said)
            if name == POLICY_REVISION:
                found = after_revision(standing, run.config, said)
                log.info("policy %s revision %s stands in receipts from now on", *found.policy.values())
                return found
        except Stop as refusal:
            if refusal.reason is Reason.PLATFORM_RUN_SCOPE_MISMATCH or standing.ready:
                return standing
            log.warning("nothing is admitted: %s", refusal)
            return standing._replace(why_not=refusal)
        except Quarantine as refusal:
            log.warning("%s", refusal)
        return standing

    def _facts(self, ready: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return facts_document(self._run.store, ready, self._run.config.pins)
        except OSError as error:
            what, where = f"the facts view cannot be read now: {error.strerror}", str(ready["facts_view_ref"])
            raise Retry(Reason.STORE_SILENT, what, where=where, remedy="The gate tries again by itself.") from None

    def _noticed(self, away: AssayError) -> None:
        with self._changed:
            self._away = away
            self._changed.notify_all()


def _is_told_elsewhere(_: logging.LogRecord) -> bool:
    return False
