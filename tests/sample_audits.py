"""A run's proof on disk without a run: decisions, their audit chain, and the evidence that a replay and a verification leave."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import sample_decisions

from assay.app.report.evidence import AuditEvidence, ReplayEvidence, decision_frame, write_decisions
from assay.app.stores.objects import ObjectStore
from assay.app.stores.segment_journal import HEAD, segment_key
from assay.codecs.audit_segment import GENESIS, write_segment
from assay.codecs.columns import Strings
from assay.codecs.decision_set import DecisionSet
from assay.codecs.single_object import pack
from assay.contracts.canonical import canonical


def outcome_of(decision: dict[str, Any]) -> dict[str, Any]:
    """What became of a decision's intent."""
    return {
        "outcome_id": b"\x10" * 16,
        "decision_id": decision["decision_id"],
        "action_id": decision["intent"]["action_id"],
        "idempotency_key": decision["intent"]["idempotency_key"],
        "source_event_id": decision["source_event"]["event_id"],
        "action_kind": "STEP_UP",
        "status": "EXECUTED",
        "attempts": 1,
        "reason": "",
        "provider_ref": "ref",
        "completed_at_utc": 9,
        "authz_policy_rev": "r1",
        "pins": decision["pins"],
    }


def decided(event_id: str, ts_us: int, decided_at_us: int, score: int, outcome: str, reasons: list[str]) -> dict[str, Any]:
    """A decision."""
    record = sample_decisions.decision_record(event_id)
    record["source_event"]["ts_utc"] = ts_us
    record["decision_id"] = hashlib.blake2b(event_id.encode(), digest_size=16).digest()
    return {**record, "decided_at_utc": decided_at_us, "score": score, "outcome": outcome, "reasons": reasons}


def write_chain(store: ObjectStore, decisions: Sequence[dict[str, Any]], segments: int = 2) -> str:
    """An audit chain of these decisions in the store; the digest that closes it."""
    previous, size = GENESIS, -(-len(decisions) // segments)
    for sequence in range(segments):
        first = sequence * size
        values = Strings.of([
            pack("audit_record", {
                "audit_id": b"\x12" * 32, "sequence": first + at, "recorded_at_utc": 10,
                "decision": decision, "outcome": outcome_of(decision),
            })
            for at, decision in enumerate(decisions[first : first + size])
        ])  # fmt: skip
        data, written = write_segment({"sequence": sequence, "previous": previous, "first_audit": first, "recorded_at_us": 10}, values)
        store.replace(segment_key(sequence), data)
        previous = written.digest
    store.replace(HEAD, canonical({"sequence": segments - 1, "sha256": previous}))
    return previous


def write_proof(store: ObjectStore, decisions: Sequence[dict[str, Any]], *, differing: int = 0, segments: int = 2) -> None:
    """The chain, and evidence that decisions were replayed and that the chain was verified against journal and bus."""
    head = write_chain(store, decisions, segments)
    n = len(decisions)
    values = Strings.of([pack("decision_response", decision) for decision in decisions])
    write_decisions(store, [decision_frame(values)])
    ReplayEvidence(
        verified=not differing, compared=n, differing=differing, differences=("<row 5>",) if differing else (), decision_digest="ab",
        decision_set=set_of([values]), wall_s=1,
    ).write(store)  # fmt: skip
    AuditEvidence(verified=True, records=n, segments=segments, head=head, recomputed=n, on_bus=n, wall_s=1).write(store)


def set_of(batches: Iterable[Strings]) -> str:
    """The digest of a set of decisions."""
    found = DecisionSet()
    for values in batches:
        found.update(values)
    return found.hexdigest()
