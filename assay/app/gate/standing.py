"""What the index knows of an event, and what that makes of a later one with its id. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final


class Verdict(Enum):
    """What the index's knowledge makes of an admissible item."""

    ADMIT = "ADMIT"
    REPUBLISH = "REPUBLISH"
    DUPLICATE = "DUPLICATE"
    MISMATCH = "MISMATCH"
    IN_FLIGHT = "IN_FLIGHT"
    AMBIGUOUS = "AMBIGUOUS"


class Admission(StrEnum):
    """How far an event that claimed its id came: its state in the index (docs/decisions/0035).

    IN_FLIGHT → ADMITTED | AMBIGUOUS; AMBIGUOUS → ADMITTED (found on the bus) | RELEASED (by an operator); RELEASED → IN_FLIGHT.
    """

    IN_FLIGHT = "IN_FLIGHT"
    AMBIGUOUS = "AMBIGUOUS"
    RELEASED = "RELEASED"
    ADMITTED = "ADMITTED"


@dataclass(frozen=True, slots=True)
class RecordMetadata:
    """Where an event lies on the bus: partition and offset of its class's topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an earlier event with this key. `place` is that of an ADMITTED one, `ts_us` (microseconds) is None where an older
    version made the claim."""

    payload_hash: bytes
    source_order: int
    place: RecordMetadata | None
    ts_us: int | None = None
    state: Admission = Admission.ADMITTED


_VERDICTS: Final = {
    Admission.IN_FLIGHT: Verdict.IN_FLIGHT,
    Admission.AMBIGUOUS: Verdict.AMBIGUOUS,
    Admission.RELEASED: Verdict.REPUBLISH,
    Admission.ADMITTED: Verdict.DUPLICATE,
}


def judge(payload_hash: bytes, standing: Standing | None) -> Verdict:
    """What becomes of an event with this hash. Nothing is published again before somebody released it (docs/decisions/0035)."""
    if standing is None:
        return Verdict.ADMIT
    return Verdict.MISMATCH if standing.payload_hash != payload_hash else _VERDICTS[standing.state]
