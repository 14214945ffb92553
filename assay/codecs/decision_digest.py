"""One digest for all decisions of a run: what "the same world gives the same decisions" compares.

Covered: event id, feature values, score, outcome, reasons, policy digest. Left out on purpose: ids that carry the run, basis,
offsets, epoch and wall time, which differ between runs that decide alike.
"""

from __future__ import annotations

import hashlib
from typing import Any

from assay.codecs.avro_decode import decode
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of, record_type, split, type_index
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_COVERED = frozenset({"source_event.event_id", "outcome", "score", "reasons", "features", "policy.content_digest"})


class DecisionDigest:
    """Feed decision_response values in the order of (event time, event_id); any cut into batches gives the same digest."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"decision_digest.v1\0")
        self._read = plan_of("decision_response", _COVERED)
        self._write = compile_schema(_covered_schema())
        self.count = 0

    def update(self, values: Strings) -> None:
        """Take the next decisions. Raises Stop(RECORD_TYPE_UNEXPECTED) for a value that is no decision."""
        if not len(values.lengths):
            return
        decoded = decode(self._read, values.data, values.starts, values.lengths, HEADER_BYTES)
        wrong = (split(values) != type_index("decision_response")) | (decoded.verdict != 0)
        if wrong.any():
            at = self.count + int(wrong.argmax())
            raise Stop(Reason.RECORD_TYPE_UNEXPECTED, f"value {at} is not a decision", where="decision digest")
        self._hash.update(encode(self._write, decoded.columns).compact().data.tobytes())
        self.count += len(values.lengths)

    def hexdigest(self) -> str:
        """The digest of everything fed so far."""
        return self._hash.hexdigest()


def _covered_schema() -> dict[str, Any]:
    """The decision's own schema with the fields that are covered, in its order."""

    def cut(record: dict[str, Any], prefix: str) -> dict[str, Any]:
        kept = []
        for field in record["fields"]:
            path = prefix + field["name"]
            if path in _COVERED:
                kept.append(field)
            elif isinstance(field["type"], dict) and any(name.startswith(f"{path}.") for name in _COVERED):
                kept.append({**field, "type": cut(field["type"], f"{path}.")})
            elif field["name"] == "policy":
                kept.append({"name": "policy", "type": _POLICY})
        return {**record, "fields": kept}

    return cut(record_type("decision_response").schema, "")


_POLICY = {
    "type": "record",
    "name": "policy_digest",
    "fields": [{"name": "content_digest", "type": {"type": "fixed", "name": "sha256", "size": 32}}],
}
