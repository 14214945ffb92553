"""What lanes read: their inputs, journals, audit segments and states. Every offset ends somewhere."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any, Final

import records
from fuzz import examples
from fuzz.engine import Target, refusal
from machines import reader

from assay.agents.intake import Intake
from assay.agents.topology import TOPOLOGY
from assay.app.bus.record_view import shown
from assay.codecs.audit_segment import MAGIC, bodies_of, read_segment
from assay.codecs.columns import rows
from assay.codecs.journal_record import JournalRecord
from assay.codecs.quarantine import quarantine_value
from assay.codecs.single_object import unpack
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

GOOD: Final = records.payment("good", records.T0_US)


@cache
def _readers() -> dict[str, Intake]:
    """The reader of each input topic."""
    return {handle: reader(lane) for lane in (TOPOLOGY.lane("act"), TOPOLOGY.lane("rtdl")) for handle in lane.inputs}


def meet_input(value: bytes) -> Any:
    """A record among good ones on every input of the lanes: each offset is a row, a mark, a refusal or resolved, once."""
    ended: list[Any] = []
    for handle, taking in _readers().items():
        good = records.decision("good") if handle == records.RTDL else GOOD
        chunk = records.chunk(handle, [good, value, None, good], 5)
        taken = taking.take(chunk, 0)
        kept = taken.rows.column("row.offset").tolist() if taken.rows is not None else []  # type: ignore[union-attr]
        offsets = sorted([*kept, *(m.offset for m in taken.watermarks), *(r.offset for r in taken.refused), *taken.resolved])
        assert offsets == [5, 6, 7, 8], f"{handle}: {offsets}"
        ended += [r.reason for r in taken.refused if r.offset == 6] or ["row" if 6 in kept else "passed"]
        for refused in taken.refused:
            letter = quarantine_value(refused.handle, 0, refused.offset, refused.reason, refused.detail, 0, refused.raw)
            assert unpack(letter)[1]["raw"] == refused.raw
    name, view = shown(value)
    json.dumps(view)
    return name, tuple(ended)


def meet_journal(value: bytes) -> Any:
    """A journal record comes back as it was written."""
    try:
        record = JournalRecord.from_bytes(value)
    except Stop as refused:
        assert refused.reason is Reason.JOURNAL_UNREADABLE
        return refusal(refused)
    assert JournalRecord.from_bytes(record.to_bytes()).to_bytes() == record.to_bytes()
    return record.kind[:8], len(record.ranges).bit_length(), rows(record.columns).bit_length()


def meet_segment(data: bytes) -> Any:
    """A segment is read as it stands or refused, and what its records hold lies inside of them."""
    try:
        segment = read_segment(data, "here")
        read_segment(data, "here", check_body=False)
    except Stop as refused:
        assert refused.reason is Reason.AUDIT_SEGMENT_DAMAGED
        return refusal(refused)
    found = bodies_of(segment.values)
    good = found.decoded.verdict == 0
    for decision, outcome, is_good in zip(found.decisions.tolist(), found.outcomes.tolist(), good.tolist(), strict=True):
        assert not is_good or (decision and outcome)
    return len(good).bit_length(), bool(good.all())


def redigested(data: bytes) -> bytes:
    """A segment's header made to fit its body again, so that damage gets past the digest."""
    at = len(MAGIC) + 4
    end = at + int.from_bytes(data[len(MAGIC) : at], "big")
    try:
        header = json.loads(data[at:end])
        body = data[end:]
        fitting = canonical({**header, "body_bytes": len(body), "body_sha256": hashlib.sha256(body).hexdigest()})
    except (ValueError, TypeError, RecursionError):
        return data
    return b"".join((MAGIC, len(fitting).to_bytes(4, "big"), fitting, body))


def _journal_seeds() -> list[bytes]:
    return [value for value in examples.values() if unpack(value)[0] == "journal_record"]


TARGETS: Final = (
    Target("lane_inputs", lambda: list(examples.values()), meet_input, 60, kernels=True),
    Target("journal", _journal_seeds, meet_journal, 60, kernels=True),
    Target("audit_segments", lambda: list(examples.segments()), meet_segment, 60, kernels=True, repair=redigested),
)
