"""What lanes set aside is counted by its reason."""

from __future__ import annotations

from assay.app.lane.metrics import refusals_by_reason
from assay.codecs.columns import Strings
from assay.codecs.single_object import pack


def test_quarantine_records_are_counted_by_reason() -> None:
    record = {"topic": "T", "partition": 0, "offset": 1, "detail": "d", "recorded_at_utc": 1, "raw": b"r"}
    values = [pack("quarantine_record", {**record, "reason": reason}) for reason in ("A", "B", "A")]
    assert refusals_by_reason(Strings.of(values)) == {"A": 2, "B": 1}
    assert refusals_by_reason(Strings.of([])) == {}
