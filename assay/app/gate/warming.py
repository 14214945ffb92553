"""The first payment is as fast as the others: what its way through the gate loads once is loaded before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from assay.app.gate.admission import Admissible, Examiner
from assay.app.gate.receipt_lines import FEW, Placed, lines_of
from assay.app.gate.receipts import ReceiptWriter
from assay.app.gate.records import RecordFramer
from assay.app.gate.standing import RecordMetadata, Verdict
from assay.contracts import instants
from assay.contracts.pins import Pins
from assay.tables.receipt_names import names_of

#: two, because a single partition needs no partitioner
PARTITIONS = 2


def warm(examples: Mapping[str, Any], examiner: Examiner, run: tuple[Pins, str], now_us: int) -> int:
    """Bring examples of every class into the form of the bus, and forget them; how many. Nothing is claimed and nothing is published."""
    taken = [examiner.examine(msgspec.json.encode(body), now_us, 0) for name, body in examples.items() if name.startswith("envelope of")]
    framer = RecordFramer(*run)
    writer = ReceiptWriter(examiner.policy, run[0], dict.fromkeys(examiner.policy.topics, ""), b"")
    for event_class in examiner.policy.topics:
        items = [item for item in taken if isinstance(item, Admissible) and item.event_class == event_class]
        framer.framed(event_class, items, PARTITIONS)
        placed = [Placed(item, Verdict.ADMIT, RecordMetadata(0, 0), "{}") for item in items]
        lines_of(writer, placed * FEW, instants.text(now_us))
    names_of(b"")  # the first seal of a gate compiles nothing
    return len(taken)
