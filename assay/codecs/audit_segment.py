"""An audit segment: a batch of audit records that names the segment before it by digest.

Bytes: magic line, header length (4 bytes, big endian), header (canonical JSON), body. The body is one record after
another, each a 4-byte big-endian length and an audit_record value. The next segment's `previous` is the sha256 of the
whole file, so one byte changed, dropped, reordered or cut off anywhere shows.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from assay.codecs.avro_decode import Decoded, decode
from assay.codecs.columns import I32, I64, U8, Strings, interleave
from assay.codecs.kernel import frozen, kernel
from assay.codecs.single_object import HEADER_BYTES, plan_under, record_type, resolve, writer_of
from assay.contracts.canonical import canonical
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

MAGIC = b"assay-audit/1\n"
_FAULTS = (ValueError, KeyError, TypeError, RecursionError, Quarantine)
GENESIS = "0" * 64
#: key prefix of all segments in the object store
SEGMENTS = "audit/segments"


class Segment(NamedTuple):
    """A parsed segment. `digest` is the hex sha256 of its bytes."""

    header: Mapping[str, Any]
    values: Strings
    digest: str

    @property
    def sequence(self) -> int:
        return int(self.header["sequence"])


def write_segment(header: Mapping[str, Any], values: Strings) -> tuple[bytes, Segment]:
    """Bytes of a segment and its parsed form; record count, body length and body digest are added to the header."""
    lengths = values.lengths.astype(">u4")
    n = len(lengths)
    prefixes = Strings(np.frombuffer(lengths.tobytes(), np.uint8), np.arange(n, dtype=np.int64) * 4, np.full(n, 4, np.int32))
    body = interleave(prefixes, values).compact().data.tobytes()
    full = {**header, "records": n, "body_bytes": len(body), "body_sha256": hashlib.sha256(body).hexdigest()}
    text = canonical(full)
    data = b"".join((MAGIC, len(text).to_bytes(4, "big"), text, body))
    return data, Segment(full, values, hashlib.sha256(data).hexdigest())


def read_segment(data: bytes, where: str = "", *, check_body: bool = True) -> Segment:
    """Parse and check one segment. Raises Stop(AUDIT_SEGMENT_DAMAGED) naming what does not fit.

    Without `check_body` a body of another digest is read all the same, to find out which record is damaged.
    """
    try:
        file = io.BytesIO(data)
        header = _header(file)
        body = file.read()
        if len(body) != header["body_bytes"]:
            raise ValueError(f"its body has {len(body)} bytes, its header says {header['body_bytes']}")
        if check_body and hashlib.sha256(body).hexdigest() != header["body_sha256"]:
            raise ValueError("its body does not have the digest in its header")
        values = _values(body, header["records"])
    except _FAULTS as error:
        raise _damaged(error, where) from None
    return Segment(header, values, hashlib.sha256(data).hexdigest())


def read_segment_header(file: BinaryIO, where: str = "") -> Mapping[str, Any]:
    """The header of a segment; its body is not read. Raises Stop(AUDIT_SEGMENT_DAMAGED)."""
    try:
        return _header(file)
    except _FAULTS as error:
        raise _damaged(error, where) from None


def _header(file: BinaryIO) -> Mapping[str, Any]:
    """The header; the body is next in the file."""
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError("it does not begin as an audit segment")
    text = file.read(int.from_bytes(file.read(4), "big"))
    header: Mapping[str, Any] = json.loads(text)
    if canonical(header) != text:
        raise ValueError("its header is not canonical")
    return header


def _damaged(error: Exception, where: str) -> Stop:
    remedy = "Restore it from a copy whose chain verifies."
    return Stop(Reason.AUDIT_SEGMENT_DAMAGED, f"an audit segment is damaged: {error}", where=where, remedy=remedy)


class Bodies(NamedTuple):
    """What audit records hold, as views into their bytes: Avro bodies of decisions and outcomes, and the decisions' event ids."""

    decisions: Strings
    outcomes: Strings
    event_ids: Strings
    decoded: Decoded


def bodies_of(values: Strings, also: frozenset[str] = frozenset()) -> Bodies:
    """Find the two bodies of every audit record; `also` names fields to decode on the way.

    A body is what comes before its first string by fixed widths: decision_id (16) in a decision; outcome_id, decision_id,
    action_id (16 each) and idempotency_key (32) in an outcome. Rows with a verdict other than 0 hold nothing. A segment has one
    writer: its records are read under the schema they were written under, so that the bodies are the bytes that were hashed.
    """
    plan = plan_under(writer_of("audit_record", values).header, _STRINGS | also)
    decoded = decode(plan, values.data, values.starts, values.lengths, HEADER_BYTES)
    event, source = (decoded.columns[name] for name in ("decision.source_event.event_id", "outcome.source_event_id"))
    assert isinstance(event, Strings)
    assert isinstance(source, Strings)
    good = decoded.verdict == 0
    first = np.where(good, event.starts - _prefix_bytes(event.lengths) - 16, 0)
    second = np.where(good, source.starts - _prefix_bytes(source.lengths) - 80, 0)
    end = np.where(good, values.starts + values.lengths, 0)
    decisions = Strings(values.data, first, (second - first).astype(np.int32))
    return Bodies(decisions, Strings(values.data, second, (end - second).astype(np.int32)), event, decoded)


def decisions_in(records: Strings) -> Strings:
    """decision_response values of audit records, as they were on the rtdl topic. Records that cannot be read give none."""
    return framed_decisions(bodies_of(resolve(records)))


def framed_decisions(bodies: Bodies) -> Strings:
    """The same of bodies under today's schema. The header is written over the end of the field before the body, in a copy."""
    held = bodies.decisions.take(np.flatnonzero(bodies.decoded.verdict == 0))
    starts, data = held.starts - HEADER_BYTES, held.data.copy()
    data[starts[:, None] + np.arange(HEADER_BYTES)] = np.frombuffer(record_type("decision_response").header, np.uint8)
    return Strings(frozen(data, np.uint8), starts, held.lengths + np.int32(HEADER_BYTES))


_STRINGS = frozenset({"decision.source_event.event_id", "outcome.source_event_id"})


def _prefix_bytes(lengths: I32) -> I64:
    """Bytes of the zigzag variable-length number before a string of this length (Avro 1.12, binary encoding)."""
    return 1 + (lengths >= 1 << 6).astype(np.int64) + (lengths >= 1 << 13) + (lengths >= 1 << 20) + (lengths >= 1 << 27)


def _values(body: bytes, records: int) -> Strings:
    data = frozen(np.frombuffer(body, np.uint8), np.uint8)
    # every record takes 4 bytes at least, so a count that cannot be right costs no memory
    starts = np.zeros(min(records, len(body) // 4 + 1), np.int64)
    lengths = np.zeros(len(starts), np.int32)
    if len(starts) != records or walk(data, starts, lengths) != len(body):
        raise ValueError("its records do not fill its body")
    return Strings(data, starts, lengths)


@kernel
def walk(data: U8, starts: I64, lengths: I32) -> int:
    """Follow 4-byte big-endian lengths from the first byte on; the byte after the last record, -1 if one leaves the data."""
    at = 0
    for i in range(len(starts)):
        if at + 4 > len(data):
            return -1
        length = 0
        for k in range(4):
            length = length * 256 + int(data[at + k])
        if at + 4 + length > len(data):
            return -1
        starts[i] = at + 4
        lengths[i] = length
        at += 4 + length
    return at
