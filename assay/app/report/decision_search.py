"""Find one decision of a run, by event id or decision id: in the audit segments with its proof, else on the bus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from assay.app.bus.topic_reader import read_topic
from assay.app.oracle.sealed_world import find_world
from assay.app.report.paid import row_named
from assay.app.report.undecided import refuse_quarantined, refuse_set_aside, why_not
from assay.app.run.directory import Run
from assay.app.stores.segment_journal import read_head, segment_key
from assay.codecs.audit_segment import GENESIS, SEGMENTS, read_segment
from assay.codecs.single_object import unpack, writer_of
from assay.contracts.errors import Retry
from assay.contracts.handles import QUARANTINE, RTDL

#: a decision id is 16 bytes
DECISION_ID_HEX = 32
#: (run, handle of a topic) → its values
Bus = Callable[[Run, str], Iterable[bytes | None]]


class Proof(NamedTuple):
    """Where the audit record lies and who vouches for it: `held_by` names the next segment or the head, "" if neither does."""

    segment: str
    sha256: str
    position: int
    audit_id: str
    previous: str
    held_by: str


class Found(NamedTuple):
    """A decision as decoded, the outcome of its action if there is one, and its proof if it is audited."""

    decision: Mapping[str, Any]
    outcome: Mapping[str, Any] | None
    proof: Proof | None


def on_bus(run: Run, handle: str, properties: Mapping[str, str] | None = None) -> Iterator[bytes | None]:
    """Every value of one of the run's topics, as long as its broker answers. `properties` are librdkafka's (TLS, SASL)."""
    for chunk in read_topic(run.bootstrap, handle, run.namespace, properties):
        yield from chunk.values.tolist()


def find(run: Run, wanted: str, bus: Bus = on_bus) -> Found:
    """Search the audit segments, then the topics that `bus` gives. `wanted` is an event id, a decision id, or an id of the world's file.

    Raises `why_not`'s refusals, and Retry(BROKER_UNREACHABLE) for a run without any segment whose broker does not answer.
    """
    needles = [wanted.encode("utf-8", "replace"), *_decision_id(wanted)]
    found = next(_in_segments(run, needles), None)
    if found is not None:
        return found
    world = find_world(run.store, run.config.manifest_fingerprint)
    row = None if world is None else row_named(world, wanted)
    event_id = row["event_id"] if row else wanted
    if event_id != wanted:
        needles = [event_id.encode()]
        found = next(_in_segments(run, needles), None)
        if found is not None:
            return found
    refuse_quarantined(run, event_id)
    unsearched: Retry | None = None
    try:
        found = _among(bus(run, RTDL), needles)
        if found is None:
            refuse_set_aside(bus(run, QUARANTINE), event_id)
    except Retry as silent:
        unsearched = silent
    if found is None:
        raise why_not(run, wanted, event_id, unsearched, of_world=row is not None)
    return found


def in_segment(run: Run, key: str, decision_ids: Iterable[str]) -> Iterator[Found]:
    """The decisions with these ids (hex) in one audit segment. Raises Stop for a segment that cannot be read."""
    yield from _in_segments(run, [needle for wanted in decision_ids for needle in _decision_id(wanted)], [key])


def _in_segments(run: Run, needles: list[bytes], keys: Iterable[str] | None = None) -> Iterator[Found]:
    for key in run.store.keys(SEGMENTS) if keys is None else keys:
        data = run.store.read(key)
        if not any(needle in data for needle in needles):
            continue
        segment = read_segment(data, key)
        header = writer_of("audit_record", segment.values).header
        for position, value in enumerate(segment.values.tolist()):
            if value is None or not value.startswith(header) or not any(needle in value for needle in needles):
                continue
            record = unpack(value)[1]
            if _is(record["decision"], needles):
                previous = str(segment.header.get("previous", GENESIS))
                held_by = _held_by(run, segment.sequence, segment.digest)
                proof = Proof(key, segment.digest, position, record["audit_id"].hex(), previous, held_by)
                yield Found(record["decision"], record["outcome"], proof)


def _held_by(run: Run, sequence: int, digest: str) -> str:
    head = read_head(run.store)
    if head == (sequence, digest):
        return "the head of the chain"
    following = segment_key(sequence + 1)
    try:
        after = read_segment(run.store.read(following), following)
    except FileNotFoundError:
        return ""
    return following if after.header.get("previous") == digest else ""


def _among(values: Iterable[bytes | None], needles: list[bytes]) -> Found | None:
    decision: Mapping[str, Any] | None = None
    outcome: Mapping[str, Any] | None = None
    for value in values:
        if value is None or not any(needle in value for needle in needles):
            continue
        name, body = unpack(value)
        if name == "decision_response" and _is(body, needles):
            decision = decision or body
        elif name == "action_outcome" and (body["source_event_id"].encode() in needles or body["decision_id"] in needles):
            outcome = outcome or body
    return None if decision is None else Found(decision, outcome, None)


def _is(decision: Mapping[str, Any], needles: list[bytes]) -> bool:
    return decision["source_event"]["event_id"].encode() in needles or decision["decision_id"] in needles


def _decision_id(wanted: str) -> list[bytes]:
    try:
        return [bytes.fromhex(wanted)] if len(wanted) == DECISION_ID_HEX else []
    except ValueError:
        return []
