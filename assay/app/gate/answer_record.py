"""The answer to a payment whose poster waited: its record on the bus, and what is told of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from assay.agents.decision_policy import fallback_of
from assay.app.gate.answer_types import DecideAnswer, Revision, ToldReason
from assay.contracts import instants
from assay.contracts.canonical import document_digest
from assay.contracts.outcomes import FALLBACK_REASON
from assay.tables.rule_words import WORDS_OF_NO_RULE

RECORD: Final = "decide_answer"
DECISION, FALLBACK = "DECISION", "FALLBACK"


class Said(NamedTuple):
    """What is answered: `policy` is {policy_id, revision, content_digest}, the digest 32 bytes."""

    answered: str
    outcome: str
    score: int
    reasons: Sequence[tuple[str, str]]
    decision_id: str
    policy: Mapping[str, Any]


class Asked(NamedTuple):
    """The call that is answered: its admission, its deadline, and the wall time in microseconds."""

    event_id: str
    admission: str
    receipt_id: str
    deadline_ms: int
    latency_us: int
    at_us: int


def said_by(row: Mapping[str, Any], words: Mapping[str, str]) -> Said:
    """A decision as `tables.decisions.decision_json` gives it; `words` maps its reason codes to words."""
    policy = {**row["policy"], "content_digest": bytes.fromhex(row["policy"]["content_digest"])}
    reasons = [(code, words[code]) for code in row["reasons"]]
    return Said(DECISION, row["outcome"], row["score"], reasons, row["decision_id"], policy)


def said_without(rules: Mapping[str, Any]) -> Said:
    """What a rules document names for a payment that is not decided in time."""
    policy = {name: str(rules.get(name, "")) for name in ("policy_id", "revision")}
    reasons = [(FALLBACK_REASON, WORDS_OF_NO_RULE[FALLBACK_REASON])]
    return Said(FALLBACK, str(fallback_of(rules)), 0, reasons, "", {**policy, "content_digest": document_digest(rules)})


def record_of(pins: Mapping[str, Any], asked: Asked, said: Said) -> dict[str, Any]:
    """The record of an answer; `pins` as `Pins.as_avro` gives them."""
    return {
        "source_event_id": asked.event_id,
        "pins": pins,
        "receipt_id": asked.receipt_id,
        "admission": asked.admission,
        "answered": said.answered,
        "outcome": said.outcome,
        "score": said.score,
        "reasons": [{"code": code, "words": words} for code, words in said.reasons],
        "decision_id": said.decision_id,
        "policy": dict(said.policy),
        "deadline_ms": asked.deadline_ms,
        "latency_us": asked.latency_us,
        "answered_at_utc": asked.at_us,
    }


def told(record: Mapping[str, Any], admission: str) -> DecideAnswer:
    """What a caller is told of an answer; `admission` is that of its own call."""
    decided, policy = record["answered"] == DECISION, record["policy"]
    return DecideAnswer(
        event_id=record["source_event_id"],
        answered=record["answered"],
        outcome=record["outcome"],
        reasons=[ToldReason(reason["code"], reason["words"]) for reason in record["reasons"]],
        policy=Revision(policy["policy_id"], policy["revision"]),
        admission="DUPLICATE" if admission == "DUPLICATE" else "ADMIT",
        receipt_id=record["receipt_id"],
        answered_at_utc=instants.text(record["answered_at_utc"]),
        deadline_ms=record["deadline_ms"],
        latency_ms=record["latency_us"] / 1_000,
        score=record["score"] if decided else UNSET,
        decision_id=record["decision_id"] if decided else UNSET,
    )
