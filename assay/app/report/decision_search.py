"""Find one decision of a run, by event id or decision id: in the audit segments with its proof, else on the bus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import polars as pl

from assay.app.bus.topic_reader import read_records, read_topic
from assay.app.oracle.sealed_world import open_world
from assay.app.run.directory import Run
from assay.app.stores.segment_journal import read_head, segment_key
from assay.codecs.audit_segment import GENESIS, SEGMENTS, read_segment
from assay.codecs.single_object import unpack, writer_of
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.handles import RTDL
from assay.contracts.reasons import Reason

#: a decision id is 16 bytes
DECISION_ID_HEX = 32


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


def on_bus(run: Run, properties: Mapping[str, str] | None = None) -> Iterator[bytes | None]:
    """Every value of the run's decision topic, as long as its broker answers. `properties` are librdkafka's (TLS, SASL)."""
    for chunk in read_topic(run.bootstrap, RTDL, run.namespace, properties):
        yield from chunk.values.tolist()


def find(run: Run, wanted: str, bus: Callable[[Run], Iterable[bytes | None]] = on_bus) -> Found:
    """Search the audit segments, then the values that `bus` gives.

    Raises Stop(DECISION_NOT_FOUND), and Retry(BROKER_UNREACHABLE) for a run without any segment whose broker does not answer.
    """
    needles = [wanted.encode(), *_decision_id(wanted)]
    found = next(_in_segments(run, needles), None)
    searched = f"{SEGMENTS} and {RTDL}"
    remedy = "Take an event_id of the sealed world, the id that was posted, or the decision_id of `assay topic cat`."
    try:
        found = found or _among(bus(run), needles)
    except Retry as silent:
        if not _audited(run):
            raise
        searched, remedy = SEGMENTS, f"{RTDL} was not searched: {silent.what}. Start the run's Kafka and ask again."
    if found is None:
        what = f"no decision there has the event id or decision id {wanted!r}"
        raise Stop(Reason.DECISION_NOT_FOUND, what, where=searched, remedy=remedy)
    return found


def amount_of(run: Run, decision: Mapping[str, Any], properties: Mapping[str, str] | None = None) -> int | None:
    """The payment's amount, from the sealed world or from the bus; None when neither is there any more."""
    source = decision["source_event"]
    try:
        world = open_world(run.store, run.config.manifest_fingerprint)
        for part in world.manifest.stream_view:
            if part.min_ts_us <= source["ts_utc"] <= part.max_ts_us:
                rows = world.stream_part(part).filter(pl.col("event_id") == source["event_id"])
                if rows.height:
                    return int(rows["amount_minor"][0])
    except Stop as refusal:
        if refusal.reason is not Reason.PACK_NOT_FOUND:
            raise
    try:
        at = source["offset"]
        place = {"partition": source["partition"], "first": at, "last": at}
        records = read_records(run.bootstrap, source["topic"], run.namespace, properties, **place)
        return next((int(unpack(record.value)[1]["amount_minor"]) for record in records if record.value), None)
    except AssayError:
        return None


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


def _audited(run: Run) -> bool:
    return any(True for _ in run.store.keys(SEGMENTS))


def _is(decision: Mapping[str, Any], needles: list[bytes]) -> bool:
    return decision["source_event"]["event_id"].encode() in needles or decision["decision_id"] in needles


def _decision_id(wanted: str) -> list[bytes]:
    try:
        return [bytes.fromhex(wanted)] if len(wanted) == DECISION_ID_HEX else []
    except ValueError:
        return []
