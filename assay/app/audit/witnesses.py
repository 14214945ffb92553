"""What an audit chain is held against besides itself: the decisions that the journal gives, and the audit records on the bus.

A chain proves that nobody changed a part of it. Who can write the whole store can compute a chain anew; the journal and
the bus are outside of the store.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.agents.step import Chunk
from assay.app.bus.offsets import bounds_of
from assay.app.bus.topic_reader import read_topic
from assay.app.replay.compare import Source, decisions_of
from assay.app.replay.verify import read_journal, recompute, whole_journal
from assay.app.run.directory import Run
from assay.codecs.audit_segment import Bodies
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.keyed_digest import Key, among, joined, keyed_digests
from assay.codecs.single_object import HEADER_BYTES, plan_of, resolve, split, type_index, unpack
from assay.contracts.errors import AssayError
from assay.contracts.handles import AUDIT, RTDL
from assay.contracts.reasons import Reason
from assay.tables.feature_plan import FeaturePlan, compile_plan

#: an outcome on the bus is in a segment well before this
AUDIT_LAG_S = 3.0
#: lines for one fetch: a chain of another run would have one for every record
LINES_MAX = 100
DECISION_ID = "decision.decision_id"
_OUT_OF_REACH = frozenset({Reason.BROKER_UNREACHABLE, Reason.BUS_USER_REFUSED, Reason.TOPIC_UNKNOWN, Reason.JOURNAL_OUT_OF_REACH})
_DECISION_ID = frozenset({"decision_id"})


class Witnesses(NamedTuple):
    """Sources that give the same again each time they are asked; None is out of reach, and `unreached` says why.

    `recomputed`: decisions that the journal gives. `unfinished`: decisions whose action has no outcome yet; they may be absent
    from the audit. `on_bus`: audit records.
    """

    plan: FeaturePlan | None = None
    recomputed: Source | None = None
    unfinished: Source = lambda: ()
    on_bus: Source | None = None
    unreached: str = ""


def witnesses_of(run: Run, properties: Mapping[str, str] | None = None) -> Witnesses:
    """The witnesses of a run that can be asked now. `properties` are Kafka's (TLS, SASL).

    The end of the audit topic is fixed here, before a segment is read: what is on the bus by then is in a segment.
    """
    try:
        audit_ends = bounds_of(run.bootstrap, AUDIT, run.namespace, properties)
    except AssayError as away:
        return Witnesses(unreached=_why(away))

    def on_bus() -> Iterator[Strings]:
        for chunk in read_topic(run.bootstrap, AUDIT, run.namespace, properties, audit_ends):
            yield chunk.values

    def unfinished() -> Iterator[Strings]:
        yield from unfinished_of(lambda: read_topic(run.bootstrap, RTDL, run.namespace, properties))
        time.sleep(AUDIT_LAG_S)

    def recomputed() -> Iterator[Strings]:
        journal = read_journal(run, properties, whole_journal(run, properties))
        yield from recompute(run.config, journal, run.partitions)

    try:
        whole_journal(run, properties)
    except AssayError as away:
        return Witnesses(on_bus=on_bus, unreached=_why(away))
    return Witnesses(compile_plan(run.config.features), recomputed, unfinished, on_bus)


def _why(away: AssayError) -> str:
    """The words of a refusal that only says that something is out of reach; any other is raised."""
    if away.reason not in _OUT_OF_REACH:
        raise away
    return f"{away.what} (at {away.where})" if away.where else away.what


def unfinished_of(read: Callable[[], Iterable[Chunk]]) -> Iterator[Strings]:
    """Decisions on the rtdl topic, which `read` reads anew, without an outcome there."""
    finished = [_decision_ids(resolve(chunk.values), "action_outcome") for chunk in read()]
    ended = np.unique(np.concatenate(finished)) if finished else np.zeros(0, "V16")
    for chunk in read():
        decisions = decisions_of(chunk.values)
        waiting = np.flatnonzero(~among(_decision_ids(decisions, "decision_response"), ended))
        if len(waiting):
            yield decisions.take(waiting)


def _decision_ids(values: Strings, name: str) -> NDArray[Any]:
    mine = values.take(np.flatnonzero(split(values) == type_index(name)))
    ids = decode(plan_of(name, _DECISION_ID), mine.data, mine.starts, mine.lengths, HEADER_BYTES).columns["decision_id"]
    return np.ascontiguousarray(ids).view("V16").reshape(-1)


class Seen:
    """What a chain holds: the id of every decision, and 32 bytes for each audit record if these are asked for."""

    def __init__(self, *, records: bool) -> None:
        self._key = Key(secrets.token_bytes(32)) if records else None
        self._records: list[NDArray[Any]] = []
        self._decisions: list[NDArray[Any]] = []

    def note(self, records: Strings, bodies: Bodies) -> None:
        """Remember the records of a segment."""
        if self._key is not None:
            self._records.append(keyed_digests(self._key, records))
        ids = np.asarray(bodies.decoded.columns[DECISION_ID])[bodies.decoded.verdict == 0]
        self._decisions.append(np.ascontiguousarray(ids).view("V16").reshape(-1))

    def repeated(self, again: Source) -> list[str]:
        """Decisions that are in the chain more than once, by event; `again` gives all of them once more if there are any."""
        found, counts = np.unique(joined(self._decisions, 16), return_counts=True)
        twice = found[counts > 1]
        if not len(twice):
            return []
        hits = (values.take(np.flatnonzero(among(_decision_ids(values, "decision_response"), twice))) for values in again())
        events = sorted({unpack(value or b"")[1]["source_event"]["event_id"] for values in hits for value in values.tolist()})
        return [f"event {event}: its decision is in the audit more than once" for event in events]

    def absent(self, on_bus: Source) -> tuple[int, list[str]]:
        """(audit records on the bus, a line for each that the chain does not hold as it is there)."""
        assert self._key is not None, "the records were noted"
        known, count, lines = np.unique(joined(self._records, 32)), 0, list[str]()
        for values in on_bus():
            count += len(values.lengths)
            index = np.flatnonzero(~among(keyed_digests(self._key, values), known))
            lines += [_line(value) for value in values.take(index[:LINES_MAX]).tolist()]
        return count, lines


def _line(value: bytes | None) -> str:
    record = unpack(value or b"")[1]
    event = record["decision"]["source_event"]["event_id"]
    return f"event {event}: audit record {record['sequence']} on the bus is not in the chain as it is there"
