"""A refused record as a dead letter: whole, with its place and the reason."""

from __future__ import annotations

from assay.codecs.single_object import pack
from assay.contracts.reasons import Reason


def quarantine_value(
    handle: str, partition: int, offset: int, reason: Reason, detail: str, recorded_at_us: int, raw: bytes
) -> bytes:  # fmt: skip
    """The quarantine_record value of one input record. `raw` are its bytes as fetched (empty for a tombstone)."""
    record = {
        "topic": handle,
        "partition": partition,
        "offset": offset,
        "reason": reason.value,
        "detail": detail,
        "recorded_at_utc": recorded_at_us,
        "raw": raw,
    }
    return pack("quarantine_record", record)
