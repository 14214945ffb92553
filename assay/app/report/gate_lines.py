"""What the gate wrote down of a run: receipts and refused items, sealed in the store or still in the open file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from assay.app.gate.receipts import QUARANTINE, RECEIPTS
from assay.app.gate.short_forms import LABEL_TYPE
from assay.app.gate.spool import written
from assay.app.report.receipted import LINES, Receipt
from assay.app.run.directory import Run
from assay.contracts.visible import one_line


class Refused(NamedTuple):
    """An item in quarantine. `whole` is its line as it was written, with the item as it came."""

    quarantine_id: str
    event_id: str
    event_type: str
    reason: str
    detail: str
    where: str
    remedy: str
    received_at_utc: str
    whole: dict[str, Any]

    def is_called(self, wanted: str) -> bool:
        """Whether a person means this item: its quarantine id, or its event id, also as a terminal shows it."""
        return wanted in (self.quarantine_id, self.event_id, one_line(self.event_id))

    @property
    def subject(self) -> str:
        """The payment that a label names, empty for anything else."""
        envelope = self.whole.get("envelope")
        if self.event_type != LABEL_TYPE or envelope is None:
            return ""
        payload = envelope.get("payload", {"subject_event_id": envelope.get("payment")})  # the short form has none
        told = payload.get("subject_event_id") if isinstance(payload, dict) else None
        return told if isinstance(told, str) else ""


def refused_items(run: Run) -> Iterator[Refused]:
    """Every item that the gate refused, once, in the order of their lines: a call that is sent again leaves its lines again."""
    seen = set()
    for data in _files(run, QUARANTINE):
        for line in data.splitlines():
            record = msgspec.json.decode(line)
            item = _refused(record)
            if item.quarantine_id not in seen:
                seen.add(item.quarantine_id)
                yield item


def receipts_of(run: Run) -> Iterator[Receipt]:
    """Every receipt, in short."""
    for data in _files(run, RECEIPTS):
        yield from LINES.decode_lines(data)


def _files(run: Run, prefix: str) -> Iterator[bytes]:
    yield from written(run.store, run.directory, prefix)


def _refused(record: dict[str, Any]) -> Refused:
    def told(name: str) -> str:
        return str(record.get(name) or "")

    return Refused(
        quarantine_id=record["quarantine_id"],
        event_id=record["event_id"],
        event_type=record["event_type"],
        reason=record["reason_codes"][0],
        detail=told("detail"),
        where=told("where"),
        remedy=told("remedy"),
        received_at_utc=record["received_at_utc"],
        whole=record,
    )
