"""The decision on a payment, for whoever posted it: from the worker while it is new, from the audit segments afterwards.

A payment that has none is told apart by the gate's own index, its quarantine and the lanes' dead letters: not decided yet, refused at
the gate or by a lane, or never seen.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from assay.app.bus.topic_reader import reader_of
from assay.app.gate.horizon import forgotten_of
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.lane_letters import LaneLetters
from assay.app.gate.receipt_search import receipts_named
from assay.app.gate.receipts import QUARANTINE
from assay.app.gate.segment_rows import ruled_out
from assay.app.gate.spool import logs_here, unsealed
from assay.app.run.directory import Run
from assay.codecs.audit_segment import SEGMENTS, read_segment
from assay.codecs.quarantine import LaneLetter
from assay.codecs.single_object import unpack, writer_of
from assay.codecs.varint import text as avro_text
from assay.contracts import handles, instants
from assay.contracts.api_key import KEY_HEADER
from assay.contracts.errors import AssayError, Quarantine, Retry
from assay.contracts.event_classes import TRAFFIC
from assay.contracts.ids import dedupe_key
from assay.contracts.reasons import Reason
from assay.tables.decisions import decision_json
from assay.tables.feature_document import parse_document

#: ids that are no part of a path: clients take them for folders
DOTS: Final = (".", "..")
#: the decision on a payment that was admitted within these seconds is in the worker, or there is none yet
NEW_S: Final = 10.0
#: a payment that has waited for longer may have been set aside by a lane
WAITS_S: Final = 1.0
_BUS_WITHIN_S: Final = 3.0
_WORKER_WITHIN_S: Final = 5.0
_OK, _NOT_FOUND = 200, 404
#: fields of the payment that a decision carries since it carries any
_OF_THE_PAYMENT: Final = ("amount_minor", "currency", "entities")


class Decisions:
    """Decisions of one run. Index, files and bus have a thread each, which serves one ask at a time."""

    def __init__(self, run: Run, index: AdmissionIndex, bus_properties: Mapping[str, str] | None = None) -> None:
        self._run, self._index = run, index
        self._letters = LaneLetters(reader_of(run.bootstrap, handles.QUARANTINE, run.namespace, bus_properties))
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="gate-letters")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="gate-decisions")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="gate-decided")
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of connections and thread."""
        if self._session is not None:
            await self._session.close()
        self._asking.shutdown()
        self._reading.shutdown()
        self._looking.shutdown(cancel_futures=True)
        self._index.close()

    async def of(self, event_id: str, key: str) -> dict[str, Any]:
        """The decision in readable form. `key` is the caller's. Raises as `row_of`."""
        return readable(await self.row_of(event_id, key))

    async def row_of(self, event_id: str, key: str) -> dict[str, Any]:
        """The decision as `decision_json` gives it. `key` is the caller's.

        Raises Quarantine(DECISION_NOT_FOUND | EVENT_QUARANTINED), Retry(DECISION_PENDING | WORKER_UNAVAILABLE | INDEX_UNAVAILABLE).
        """
        loop = asyncio.get_running_loop()
        admitted_s = await loop.run_in_executor(self._asking, self._admitted_since_s, event_id)
        if admitted_s is None:
            if not await loop.run_in_executor(self._asking, self._was_forgotten, event_id):
                raise await loop.run_in_executor(self._reading, self._why_not, event_id)
            admitted_s = math.inf
        row, fault = await self._from_worker(event_id, key)
        if row is None and (fault is not None or admitted_s > NEW_S):
            row = await loop.run_in_executor(self._reading, self._audited, event_id)
        if row is not None:
            return row
        why = await self._why_late(event_id) if admitted_s > WAITS_S else _pending(event_id)
        raise fault if fault is not None and isinstance(why, Retry) else why

    async def _why_late(self, event_id: str) -> AssayError:
        """Of a payment that was admitted and has no decision yet."""
        looking = asyncio.get_running_loop().run_in_executor(self._looking, self._letters.of, event_id)
        try:
            letter = await asyncio.wait_for(looking, _BUS_WITHIN_S)
        except TimeoutError:
            return _pending(event_id, f"Kafka has not answered within {_BUS_WITHIN_S:g} s")
        except AssayError as error:
            return _pending(event_id, error.what)
        return _pending(event_id) if letter is None else _set_aside(letter)

    def _admitted_since_s(self, event_id: str) -> float | None:
        return self._index.admitted_since_s(dedupe_key(self._run.platform_run_id, TRAFFIC, event_id))

    def _was_forgotten(self, event_id: str) -> bool:
        """Whether a payment that the index does not know was admitted: its receipt says so, if the index has forgotten anything."""
        of_run = self._run.platform_run_id
        if self._index.ask(lambda connection: forgotten_of(connection, of_run)) is None:
            return False
        found = receipts_named(self._run, event_id, lambda probes: self._index.ask(lambda one: ruled_out(one, of_run, probes)))
        return any(one["event_id"] == event_id and (one["decision"], one["event_class"]) == ("ADMIT", TRAFFIC) for one in found)

    async def _from_worker(self, event_id: str, key: str) -> tuple[dict[str, Any] | None, Retry | None]:
        """The row of the worker's table, or why it could not be asked."""
        if not self._run.worker_url:
            return None, None
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_WORKER_WITHIN_S))
        path = f"/table/decisions/{quote(event_id, safe='')}"
        url = URL(self._run.worker_url.rstrip("/") + path, encoded=True)  # as it stands: `..` is an id and no folder
        try:
            async with self._session.get(url, headers={KEY_HEADER: key}) as answer:
                if answer.status == _OK:
                    found: dict[str, Any] = json.loads(await answer.read())
                    return found, None
                if answer.status == _NOT_FOUND:
                    return None, None
                what = f"the worker answers with {answer.status}"
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            what = f"the worker does not answer: {str(error) or type(error).__name__}"
        remedy = "The payment is admitted and will be decided; ask again when the worker is back."
        return None, Retry(Reason.WORKER_UNAVAILABLE, what, remedy=remedy)

    def _audited(self, event_id: str) -> dict[str, Any] | None:
        """From the audit segments, the newest first."""
        needle = avro_text(event_id)  # as Avro has it: a short id alone is in every segment
        for name in sorted(self._run.store.keys(SEGMENTS), reverse=True):
            data = self._run.store.read(name)
            if needle not in data:
                continue
            segment = read_segment(data, name)
            header = writer_of("audit_record", segment.values).header
            for value in segment.values.tolist():
                if value is not None and value.startswith(header) and needle in value:
                    decision = unpack(value)[1]["decision"]
                    if decision["source_event"]["event_id"] == event_id:
                        return decision_json(decision, parse_document(self._run.config.features))
        return None

    def _why_not(self, event_id: str) -> Quarantine:
        """Of an event that was never admitted."""
        record = next(self._quarantined(event_id), None)
        if record is None:
            what = f"no payment with the event_id {event_id!r} was posted to this run"
            return Quarantine(Reason.DECISION_NOT_FOUND, what, where="event_id", remedy="Take the event_id of a payment's answer.")
        what = f"it was refused and set aside, so there is no decision: {record['reason_codes'][0]}: {record['detail']}"
        return Quarantine(Reason.EVENT_QUARANTINED, what, where=record["where"], remedy=record["remedy"])

    def _quarantined(self, event_id: str) -> Iterator[Mapping[str, Any]]:
        """Its quarantine records, the newest first."""
        needle = json.dumps({"event_id": event_id}, ensure_ascii=False, separators=(",", ":"))[1:-1].encode()
        held = reversed([data for log in logs_here(self._run.directory, QUARANTINE) for data in unsealed(self._run.directory, log)])
        sealed = (self._run.store.read(name) for name in sorted(self._run.store.keys(QUARANTINE), reverse=True))
        for data in (*held, *sealed):
            if needle in data:
                records = (json.loads(line) for line in reversed(data.splitlines()) if needle in line)
                yield from (record for record in records if record["event_id"] == event_id)


def readable(row: Mapping[str, Any]) -> dict[str, Any]:
    """A decision as a person reads it: what was decided and why first, what it was computed from behind."""
    source, policy = row["source_event"], row["policy"]
    return {
        "event_id": source["event_id"],
        "outcome": row["outcome"],
        "score": row["score"],
        "reasons": row["reasons"],
        **{name: row[name] for name in _OF_THE_PAYMENT if name in row},
        "ts_utc": instants.text(source["ts_utc"]),
        "decided_at_utc": instants.text(row["decided_at_utc"]),
        "features": row["features"],
        "policy": {"policy_id": policy["policy_id"], "revision": policy["revision"]},
        "decision_id": row["decision_id"],
    }


def _pending(event_id: str, unsearched: str = "") -> Retry:
    """`unsearched` says why nobody knows whether a lane has set it aside."""
    what, remedy = f"payment {event_id!r} is admitted and not decided yet", "Ask again in a moment; a worker has to run."
    if unsearched:
        what, remedy = f"payment {event_id!r} is admitted, and nothing tells whether it is decided: {unsearched}", "Ask again in a moment."
    return Retry(Reason.DECISION_PENDING, what, where="event_id", remedy=remedy)


def _set_aside(letter: LaneLetter) -> Quarantine:
    what = f"a lane refused the payment and set it aside, so there is no decision: {letter.reason}: {letter.detail}"
    remedy = "Correct the payment, and post it under an id of its own. `assay quarantine list --bus --run DIR` lists what lanes set aside."
    return Quarantine(Reason.EVENT_QUARANTINED, what, where=letter.place, remedy=remedy)
