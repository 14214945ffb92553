"""The decision on a payment, for whoever posted it: from the worker while it is new, from the audit segments afterwards.

A payment that has none is told apart by the gate's own index and its quarantine: not decided yet, refused, or never seen.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from assay.app.gate.index import AdmissionIndex
from assay.app.gate.policy import TRAFFIC
from assay.app.gate.receipts import QUARANTINE, spool_of
from assay.app.run.directory import Run
from assay.codecs.audit_segment import SEGMENTS, read_segment
from assay.codecs.single_object import unpack, writer_of
from assay.codecs.varint import text as avro_text
from assay.contracts import handles, instants
from assay.contracts.api_key import KEY_HEADER
from assay.contracts.errors import Quarantine, Retry
from assay.contracts.ids import dedupe_key
from assay.contracts.reasons import Reason
from assay.tables.decisions import decision_json
from assay.tables.feature_document import parse_document

#: ids that are no part of a path: clients take them for folders
DOTS: Final = (".", "..")
#: the decision on a payment that was admitted within these seconds is in the worker, or there is none yet
NEW_S: Final = 10.0
_WORKER_WITHIN_S: Final = 5.0
_OK, _NOT_FOUND = 200, 404
#: fields of the payment that a decision carries since it carries any
_OF_THE_PAYMENT: Final = ("amount_minor", "currency", "entities")


class Decisions:
    """Decisions of one run. `index` is used by one thread of its own, and files are read by another, one ask at a time."""

    def __init__(self, run: Run, index: AdmissionIndex) -> None:
        self._run, self._index = run, index
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="gate-decisions")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="gate-decided")
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of connections and thread."""
        if self._session is not None:
            await self._session.close()
        self._asking.shutdown()
        self._reading.shutdown()
        self._index.close()

    async def of(self, event_id: str, key: str) -> dict[str, Any]:
        """The decision in readable form. `key` is the caller's.

        Raises Quarantine(DECISION_NOT_FOUND | EVENT_QUARANTINED), Retry(DECISION_PENDING | WORKER_UNAVAILABLE | INDEX_UNAVAILABLE).
        """
        loop = asyncio.get_running_loop()
        admitted_s = await loop.run_in_executor(self._asking, self._admitted_since_s, event_id)
        if admitted_s is None:
            raise await loop.run_in_executor(self._reading, self._why_not, event_id)
        row, fault = await self._from_worker(event_id, key)
        if row is None and (fault is not None or admitted_s > NEW_S):
            row = await loop.run_in_executor(self._reading, self._audited, event_id)
        if row is not None:
            return readable(row)
        raise fault or _pending(event_id)

    def _admitted_since_s(self, event_id: str) -> float | None:
        return self._index.admitted_since_s(dedupe_key(self._run.platform_run_id, TRAFFIC, event_id))

    async def _from_worker(self, event_id: str, key: str) -> tuple[dict[str, Any] | None, Retry | None]:
        """The row of the worker's table, or why it could not be asked."""
        if not self._run.worker_url or event_id in DOTS:
            return None, None
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_WORKER_WITHIN_S))
        url = f"{self._run.worker_url}/table/decisions/{quote(event_id, safe='')}"
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
        spool = spool_of(self._run.directory, QUARANTINE)
        held = [spool.read_bytes()] if spool.is_file() else []
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


def _pending(event_id: str) -> Retry:
    what = f"payment {event_id!r} is admitted and not decided yet"
    remedy = f"Ask again in a moment. What a lane could not decide is a dead letter: assay topic cat {handles.QUARANTINE} --run DIR."
    return Retry(Reason.DECISION_PENDING, what, where="event_id", remedy=remedy)
