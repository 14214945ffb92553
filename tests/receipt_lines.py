"""Lines as the gate writes them, of each kind, about any id."""

from __future__ import annotations

import json

import msgspec
from gate_events import admissible, event
from shown_runs import ACTOR, AT, WRITER

from assay.app.gate.admission import RefusedEvent
from assay.app.gate.bus_search import FoundEvent
from assay.app.gate.standing import RecordMetadata, Verdict
from assay.contracts.reasons import Reason
from assay.tables.receipt_names import BLOCK_BYTES, Probe


def lines_of(event_id: str, partition: int = 0, offset: int = 0, detail: str = "") -> list[str]:
    """Admitted, sent again, found on the bus, and refused."""
    place, item = RecordMetadata(partition, offset), admissible(event("x"))
    item = msgspec.structs.replace(item, envelope=msgspec.structs.replace(item.envelope, event_id=event_id))
    refused = RefusedEvent(json.dumps(event("x")).encode(), Reason.SCHEMA_FAIL, detail, "$", detail, event_id, "transaction", "traffic", AT)
    return [
        WRITER.admitted(item, Verdict.ADMIT, place, AT, ACTOR)[1],
        WRITER.admitted(item, Verdict.DUPLICATE, place, AT, ACTOR)[1],
        WRITER.found(FoundEvent(b"k" * 32, event_id, "transaction", "traffic", 5, b"h" * 32, place), AT),
        WRITER.quarantined(refused, AT, ACTOR)[1],
    ]


def segment_of(lines: list[str]) -> bytes:
    """Lines as they lie in the store."""
    return ("\n".join(lines) + "\n").encode()


def may_hold(names: bytes, probe: Probe) -> bool:
    """Whether a filter holds a name, by its definition; PostgreSQL does the same."""
    block = names[probe.block % (len(names) // BLOCK_BYTES) * BLOCK_BYTES :][:BLOCK_BYTES]
    return all(block[bit >> 3] >> (bit & 7) & 1 for bit in probe.bits)
