"""The first payment is as fast as the others: what its way through the gate loads once is loaded before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from assay.app.gate.admission import Admissible, Examiner
from assay.app.gate.records import RecordFramer
from assay.contracts.pins import Pins
from assay.tables.receipt_names import names_of

#: two, because a single partition needs no partitioner
PARTITIONS = 2


def warm(examples: Mapping[str, Any], examiner: Examiner, run: tuple[Pins, str], now_us: int) -> int:
    """Bring examples of every class into the form of the bus, and forget them; how many. Nothing is claimed and nothing is published."""
    taken = [examiner.examine(msgspec.json.encode(body), now_us, 0) for name, body in examples.items() if name.startswith("envelope of")]
    framer = RecordFramer(*run)
    for event_class in examiner.policy.topics:
        items = [item for item in taken if isinstance(item, Admissible) and item.event_class == event_class]
        framer.framed(event_class, items, PARTITIONS)
    names_of(b"")  # the first seal of a gate compiles nothing
    return len(taken)
