"""A refused record is set aside whole, and can be read again."""

from __future__ import annotations

from assay.codecs.quarantine import quarantine_value
from assay.codecs.single_object import unpack
from assay.contracts.reasons import Reason


def test_a_quarantined_record_keeps_its_place_reason_and_bytes() -> None:
    value = quarantine_value("FP_BUS_TRAFFIC_FRAUD_V1", 2, 71, Reason.BYTES_GARBAGE, "a boolean of 7", 1_000_000, b"\xc3\x01\xff")
    assert unpack(value) == (
        "quarantine_record",
        {
            "topic": "FP_BUS_TRAFFIC_FRAUD_V1",
            "partition": 2,
            "offset": 71,
            "reason": "BYTES_GARBAGE",
            "detail": "a boolean of 7",
            "recorded_at_utc": 1_000_000,
            "raw": b"\xc3\x01\xff",
        },
    )
