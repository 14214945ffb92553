"""The validation bundle of a segment: sealed inputs, receipts of upstream gates, outputs with digests, checks; then index and flag."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from assay.app.pack.locators import located
from assay.app.pack.sealed_pack import OUTPUTS
from assay.app.stores.objects import ObjectStore
from assay.app.world.publication import Publication, Published, write_once
from assay.contracts.errors import Stop
from assay.contracts.gates import FLAG, GateStatus, flag_files, gate_status
from assay.contracts.reasons import Reason
from assay.engine.identity import WorldIdentity
from assay.engine.segment import Check, Segment, Verdict

REPORT = "validation_report.json"


def write_bundle(
    store: ObjectStore,
    segment: Segment,
    identity: WorldIdentity,
    receipts: Sequence[dict[str, Any]],
    published: Publication,
    verdicts: Sequence[tuple[Check, Verdict]],
) -> None:
    """Write bundle, index and flag, in this order: whatever is cut off before the flag cannot be read."""
    root = segment.bundle_root(identity)
    inputs = {receipt["gate_id"]: receipt["digest"]["hex"] for receipt in receipts}
    documents = {
        f"s0_gate_receipt_{segment.segment_id}.json": {"upstream_gates": list(receipts)},
        f"sealed_inputs_{segment.segment_id}.json": {"parameter_hash": identity.parameter_hash, "upstream_gates": inputs},
        OUTPUTS: [_entry(segment, part) for output in segment.outputs for part in published.parts(output.output_id)],
        REPORT: {"checks": [_said(check, verdict) for check, verdict in verdicts]},
    }
    bundle = {f"{root}/{name}" if segment.gate.pack_paths else name: json_bytes(value) for name, value in documents.items()}
    index, flag = flag_files(segment.gate, bundle, identity.manifest_fingerprint, segment.segment_id)
    for name, data in bundle.items():
        write_once(store, name if segment.gate.pack_paths else f"{root}/{name}", data)
    write_once(store, f"{root}/{segment.gate.index_name}", index)
    write_once(store, f"{root}/{FLAG}", flag)


def status_of(store: ObjectStore, segment: Segment, identity: WorldIdentity) -> GateStatus:
    """What the gate of a segment says now."""
    return gate_status(segment.gate, store.read, segment.bundle_root(identity))


def passed(store: ObjectStore, segment: Segment, identity: WorldIdentity) -> dict[str, Any]:
    """The gate receipt of a segment that may be read. Raises Stop(REQUIRED_GATE_RECEIPT_MISSING, GATE_EVIDENCE_MISMATCH)."""
    found = status_of(store, segment, identity)
    if found.status != "PASS":
        reason = Reason.REQUIRED_GATE_RECEIPT_MISSING if found.status == "missing" else Reason.GATE_EVIDENCE_MISMATCH
        what = f"{segment.gate_id} is {found.status}: {found.detail}"
        remedy = "Without a passed gate nothing of the segment is read; make the world again in another folder."
        raise Stop(reason, what, where=segment.bundle_root(identity), remedy=remedy)
    scope = {"manifest_fingerprint": identity.manifest_fingerprint}
    return {"gate_id": segment.gate_id, "status": "PASS", "scope": scope, "digest": {"algo": "sha256", "hex": found.digest}}


def published_parts(store: ObjectStore, segment: Segment, identity: WorldIdentity) -> list[Published]:
    """The parts that a passed segment lists."""
    entries = located(store.read(f"{segment.bundle_root(identity)}/{OUTPUTS}"))
    return [
        Published(
            entry["locator"]["output_id"],
            entry["part"],
            entry["locator"]["path"],
            entry["rows"],
            entry["locator"]["content_digest"]["hex"],
            identity,
        )
        for entry in entries
    ]


def json_bytes(value: Any) -> bytes:
    """A document as it lies in a pack."""
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"


def _entry(segment: Segment, part: Published) -> dict[str, Any]:
    output = next(output for output in segment.outputs if output.output_id == part.output_id)
    return {"locator": part.locator(output), "part": part.part, "rows": part.rows}


def _said(check: Check, verdict: Verdict) -> Mapping[str, Any]:
    outcome = "PASS" if verdict.passed else "FAIL" if check.required else "WARN"
    return {"check": check.name, "outcome": outcome, "measured": dict(verdict.measured), "bounds": dict(verdict.bounds)}
