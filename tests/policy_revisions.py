"""Policy revisions for tests: documents, the records that bring them, and the same as rows of a batch."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from records import PINS, T0_US

from assay.codecs.single_object import pack, unpack
from assay.contracts.canonical import document_bytes, document_digest
from assay.contracts.pins import Pins
from assay.tables.row_kinds import POLICY_REVISION


def changed(document: Mapping[str, Any], revision: str, lower: int = 0, points: int = 0) -> dict[str, Any]:
    """A rules document under another revision: thresholds lower by so much, and each rule worth so many points more."""
    found = copy.deepcopy(dict(document))
    found["revision"] = revision
    found["thresholds"] = {name: score - lower for name, score in found["thresholds"].items()}
    for rule in found["rules"]:
        rule["points"] += points
    return found


def revision(
    document: Mapping[str, Any], follows: Mapping[str, Any], /, seq: int = 1, ts_us: int = T0_US, pins: Pins = PINS, **other: Any
) -> bytes:
    """A record by which `document` follows another one. `other`: fields that are not as they should be."""
    return pack("policy_revision", {**fields(document, follows, seq, ts_us), "pins": pins.as_avro(), **other})


def fields(document: Mapping[str, Any], follows: Mapping[str, Any], seq: int = 1, ts_us: int = T0_US) -> dict[str, Any]:
    """The fields of such a record without pins."""
    return {
        "event_id": f"policy-{seq}-{document_digest(document).hex()[:8]}", "event_type": "policy_revision", "ts_utc": ts_us,
        "policy_seq": seq, "policy_id": document["policy_id"], "revision": document["revision"],
        "content_digest": document_digest(document), "follows": document_digest(follows), "document": document_bytes(document).decode(),
        "activated_at_utc": ts_us, "actor": "ann", "reason": "test",
    }  # fmt: skip


def row(record: bytes) -> dict[str, Any]:
    """A record as a row of `decision_rows.batch`."""
    told = json.dumps(unpack(record)[1], sort_keys=True, default=lambda value: value.hex() if isinstance(value, bytes) else str(value))
    return {"kind": POLICY_REVISION, "document": told}
