"""What the gate knows of an event: its row of the index, and its receipts. For people who ask, one at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Final, NamedTuple

from assay.app.gate.horizon import forgotten_of
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.receipt_search import Line, receipts_at, receipts_named
from assay.app.gate.segment_rows import RuledOut, none_ruled_out, ruled_out
from assay.app.gate.standing import Admission
from assay.app.run.directory import Run
from assay.contracts import instants
from assay.contracts.errors import AssayError, Quarantine, Retry
from assay.contracts.ids import dedupe_key
from assay.contracts.reasons import Reason
from assay.tables.receipt_names import Probe

#: an event may have been sent again very often
RECEIPTS_MAX: Final = 100
NAMES: Final = ("event_id", "receipt_id", "dedupe_key")
_HEX64: Final = re.compile("[0-9a-f]{64}")
_ROWS: Final = (
    'SELECT dedupe_key, payload_hash, state, partition, "offset", (extract(epoch FROM settled_at) * 1000000)::bigint'
    " FROM ig_standing WHERE dedupe_key = ANY(%s)"
)
_REMEDY: Final = f"Ask with one of {', '.join(NAMES)}, as /v1/ops/lookup?event_id=EVENT_ID."


class Asked(NamedTuple):
    """What is asked for: one of `NAMES`, and its value."""

    name: str
    value: str


def asked_of(query: Iterable[tuple[str, str]]) -> Asked:
    """What a query asks for. Raises Quarantine(LOOKUP_INVALID) for none, several, another name, or a dedupe key that is none."""
    given = [Asked(name, value) for name, value in query]
    if len(given) != 1 or given[0].name not in NAMES or not given[0].value:
        named = ", ".join(sorted({asked.name for asked in given}))[:200] or "nothing"
        raise Quarantine(Reason.LOOKUP_INVALID, f"the query names {named}, and one id is looked up", where="query", remedy=_REMEDY)
    if given[0].name == "dedupe_key" and not _HEX64.fullmatch(given[0].value):
        raise Quarantine(Reason.LOOKUP_INVALID, "a dedupe key has 64 hex digits", where="dedupe_key", remedy=_REMEDY)
    return given[0]


class Lookup:
    """Looks into one run. `topics` maps event classes to topic names on the broker. It has a thread of its own, and so has `index`."""

    def __init__(self, run: Run, index: AdmissionIndex, topics: Mapping[str, str]) -> None:
        self._run, self._index, self._topics = run, index, dict(topics)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gate-lookup")

    def close(self) -> None:
        """Let go of thread and connection."""
        self._thread.shutdown()
        self._index.close()

    async def of(self, asked: Asked) -> dict[str, Any]:
        """Rows and receipts. Raises Quarantine(RECEIPT_NOT_FOUND), Retry(INDEX_UNAVAILABLE, STORE_SILENT)."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._found, asked)

    def _found(self, asked: Asked) -> dict[str, Any]:
        by_key = asked.name == "dedupe_key"
        admissions, receipts = self._by_key(bytes.fromhex(asked.value)) if by_key else self._by_name(asked)
        forgotten = self._index.ask(lambda connection: forgotten_of(connection, self._run.platform_run_id))
        if not admissions and not receipts:
            what = f"the gate knows nothing with the {asked.name} {asked.value[:300]!r}"
            what += f"; ids of events before {instants.text(forgotten.before_us)} are forgotten" if forgotten else ""
            remedy = (
                "Take an id of an answer of this gate. Receipts of a gate on another machine are in the store when it has sealed them."
                " `assay receipt show` reads all of them."
            )
            raise Quarantine(Reason.RECEIPT_NOT_FOUND, what, where=asked.name, remedy=remedy)
        found = {"admissions": admissions, "receipts": receipts}
        if forgotten is None or not _without_row(admissions, receipts):
            return found
        return {**found, "forgotten_before_utc": instants.text(forgotten.before_us)}

    def _by_name(self, asked: Asked) -> tuple[list[Line], list[Line]]:
        def found(out: RuledOut) -> Iterator[Line]:
            return (one for one in receipts_named(self._run, asked.value, out) if one[asked.name] == asked.value)

        receipts = self._receipts(found(self._ruled_out))
        ids = {asked.value} if asked.name == "event_id" else {one["event_id"] for one in receipts}
        of_run = self._run.platform_run_id
        known = {dedupe_key(of_run, name, one): {"event_id": one, "event_class": name} for one in ids for name in self._topics}
        admissions = [self._told(row, known[bytes(row[0])]) for row in self._rows(list(known))]
        return admissions, receipts if self._have_receipts(admissions, receipts) else self._receipts(found(none_ruled_out))

    def _by_key(self, key: bytes) -> tuple[list[Line], list[Line]]:
        """The key tells neither id nor class: a receipt does, which is found by the place of the event."""
        rows = self._rows([key])
        places = [(row[3], row[4]) for row in rows if row[4] is not None]
        of_run = self._run.platform_run_id

        def found(out: RuledOut) -> Iterator[Line]:
            at = (one for place in places for one in receipts_at(self._run, *place, out))
            return (one for one in at if dedupe_key(of_run, one["event_class"], one["event_id"]) == key)

        receipts = self._receipts(found(self._ruled_out)) or self._receipts(found(none_ruled_out))
        names = {name: receipts[0][name] for name in ("event_id", "event_class")} if receipts else {}
        return [self._told(row, names) for row in rows], receipts

    def _ruled_out(self, probes: Sequence[Probe]) -> Collection[str]:
        return self._index.ask(lambda connection: ruled_out(connection, self._run.platform_run_id, probes))

    def _have_receipts(self, admissions: Sequence[Line], receipts: Sequence[Line]) -> bool:
        """Whether each admitted event has a receipt among these. Where it has none, rows of segments may be wrong."""
        there = {(one["event_class"], one["event_id"]) for one in receipts if one["decision"] == "ADMIT"}
        return len(receipts) == RECEIPTS_MAX or all(
            (one["event_class"], one["event_id"]) in there for one in admissions if one["state"] == Admission.ADMITTED
        )

    def _receipts(self, found: Iterable[Line]) -> list[Line]:
        try:
            return list(islice(found, RECEIPTS_MAX))
        except (AssayError, OSError) as error:
            what = f"the receipts cannot be read: {error.what if isinstance(error, AssayError) else error.strerror}"
            raise Retry(Reason.STORE_SILENT, what, remedy="Ask again when the object store answers.") from None

    def _rows(self, keys: Sequence[bytes]) -> list[tuple[Any, ...]]:
        return self._index.ask(lambda connection: connection.execute(_ROWS, (list(keys),), binary=True).fetchall())

    def _told(self, row: tuple[Any, ...], names: Mapping[str, str]) -> Line:
        """A row of the index in words. Its place has a topic where the class of the event is known."""
        key, hashed, state, partition, offset, settled_us = row
        told: Line = {**names, "dedupe_key": bytes(key).hex(), "payload_hash": bytes(hashed).hex(), "state": state}
        if offset is None:
            return told
        place = {"partition": partition, "offset": str(offset), "offset_kind": "kafka_offset"}
        topic = {"topic": self._topics[names["event_class"]]} if names else {}
        return {**told, "eb_ref": {**topic, **place}, "admitted_at_utc": instants.text(settled_us)}


def _without_row(admissions: Sequence[Line], receipts: Sequence[Line]) -> bool:
    """Whether one of these receipts is of an admitted event that the index does not know."""
    known = {(one.get("event_class"), one.get("event_id")) for one in admissions}
    return any(one["decision"] == "ADMIT" and (one["event_class"], one["event_id"]) not in known for one in receipts)
