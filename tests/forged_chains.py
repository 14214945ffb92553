"""Audit chains that were changed by somebody who can write the whole store: every digest of them is right again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from assay.app.stores.objects import ObjectStore
from assay.app.stores.segment_journal import HEAD
from assay.codecs.audit_segment import GENESIS, SEGMENTS, bodies_of, read_segment, write_segment
from assay.codecs.columns import Strings
from assay.codecs.digests import sha256_fixed, sha256_rows
from assay.codecs.single_object import pack, unpack
from assay.contracts.canonical import canonical
from assay.contracts.ids import AUDIT_ID_TAG

COMPUTED = ("records", "body_bytes", "body_sha256")
#: changes all audit records of a chain in place; a record dropped from the list is dropped from its segment
Change = Callable[[list[dict[str, Any]]], object]


def forge(store: ObjectStore, change: Change) -> None:
    """Change the records of the chain in the store, then number them, identify them, chain their segments and set the head anew."""
    read = [read_segment(store.read(key)) for key in store.keys(SEGMENTS)]
    keys = list(store.keys(SEGMENTS))
    records = [unpack(value or b"")[1] for segment in read for value in segment.values.tolist()]
    homes = {record["audit_id"]: number for number, segment in enumerate(read) for record in _of(segment.values)}
    places = [homes[record["audit_id"]] for record in records]
    placed = dict(zip(map(id, records), places, strict=True))
    change(records)
    previous, first = GENESIS, 0
    for number, (key, segment) in enumerate(zip(keys, read, strict=True)):
        mine = [record for record in records if placed[id(record)] == number]
        header = {name: value for name, value in segment.header.items() if name not in COMPUTED}
        values = _identified(mine, first, header["recorded_at_us"])
        data, written = write_segment({**header, "previous": previous, "first_audit": first}, values)
        store.replace(key, data)
        previous, first = written.digest, first + len(mine)
    store.replace(HEAD, canonical({"sequence": len(keys) - 1, "sha256": hashlib.sha256(store.read(keys[-1])).hexdigest()}))


def _of(values: Strings) -> list[dict[str, Any]]:
    return [unpack(value or b"")[1] for value in values.tolist()]


def _identified(records: list[dict[str, Any]], first: int, recorded_at_us: int) -> Strings:
    changed = {"recorded_at_utc": recorded_at_us}
    numbered = [{**record, **changed, "sequence": first + number} for number, record in enumerate(records)]
    values = Strings.of([pack("audit_record", record) for record in numbered])
    if not numbered:
        return values
    bodies = bodies_of(values)
    ids = sha256_fixed(
        AUDIT_ID_TAG, np.hstack([sha256_rows(b"", b.data, b.starts, b.lengths) for b in (bodies.decisions, bodies.outcomes)])
    )
    return Strings.of([
        pack("audit_record", {**record, "audit_id": bytes(audit_id)}) for record, audit_id in zip(numbered, np.asarray(ids), strict=True)
    ])  # fmt: skip
