"""How answers read, as types: `openapi` writes them down, and a test holds real answers against them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from assay.app.gate.policy import TOPIC_OF_CLASS


class Place(msgspec.Struct, frozen=True):
    """Where an event lies on the bus."""

    topic: str
    partition: int
    offset: str
    offset_kind: str


class Outcome(msgspec.Struct, frozen=True):
    """How one item ended. A refused one has the four fields of a refusal."""

    event_id: str | None
    admission: Literal["ADMIT", "DUPLICATE", "QUARANTINE", "RETRY"]
    reason_codes: list[str]
    receipt_id: str | UnsetType = UNSET
    event_class: Annotated[str, Meta(extra_json_schema={"enum": sorted(TOPIC_OF_CLASS)})] | UnsetType = UNSET
    eb_ref: Place | UnsetType = UNSET
    ts_utc: Annotated[str, Meta(description="of an item in the short form: the time that counts")] | UnsetType = UNSET
    effect: Annotated[str, Meta(description="of a label in the short form: what it does")] | UnsetType = UNSET
    decision_url: Annotated[str, Meta(description="of a payment: where its decision can be asked for")] | UnsetType = UNSET
    error: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    where: str | UnsetType = UNSET
    remedy: str | UnsetType = UNSET


class Outcomes(msgspec.Struct, frozen=True):
    """How the items of an array ended: how many how, and one result per item in their order."""

    counts: dict[str, int]
    results: list[Outcome]


class Refusal(msgspec.Struct, frozen=True):
    """Every refusal of a call."""

    error: Annotated[str, Meta(description="one of a closed set of codes")]
    detail: Annotated[str, Meta(description="what is wrong")]
    where: Annotated[str, Meta(description="JSON path in the body, byte of it, header, or the call")]
    remedy: Annotated[str, Meta(description="what helps")]


class Revision(msgspec.Struct, frozen=True):
    """A policy by its name and revision."""

    policy_id: str
    revision: str


class Decision(msgspec.Struct, frozen=True):
    """What was decided on a payment and why. Further fields may come."""

    event_id: str
    outcome: str
    score: int
    reasons: list[str]
    ts_utc: str
    decided_at_utc: str
    features: Annotated[dict[str, Any], Meta(description="value of each feature of the policy")]
    policy: Revision
    decision_id: str
    amount_minor: int | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    entities: dict[str, str] | UnsetType = UNSET


class ToldReason(msgspec.Struct, frozen=True):
    """A reason by its code and in words."""

    code: str
    words: Annotated[str, Meta(description="the values that it looked at, and what it asks of them")]


class DecideAnswer(msgspec.Struct, frozen=True):
    """The answer to a payment whose poster waited. A call that is repeated is told the same, with the admission of its own."""

    event_id: str
    answered: Annotated[Literal["DECISION", "FALLBACK"], Meta(description="FALLBACK: the deadline passed; the policy names the outcome")]
    outcome: Literal["ALLOW", "STEP_UP", "QUEUE_REVIEW", "DECLINE"]
    reasons: list[ToldReason]
    policy: Revision
    admission: Literal["ADMIT", "DUPLICATE"]
    receipt_id: str
    answered_at_utc: str
    deadline_ms: int
    latency_ms: Annotated[float, Meta(description="from the headers of the first call until its answer was ready to be written")]
    score: Annotated[int, Meta(description="of a decision")] | UnsetType = UNSET
    decision_id: Annotated[str, Meta(description="of a decision: 32 hex digits")] | UnsetType = UNSET


class Marked(msgspec.Struct, frozen=True):
    """A mark that was written, to so many partitions of each class."""

    ts_utc: str
    final: bool
    partitions: dict[str, int]


class HealthState(msgspec.Struct, frozen=True):
    """Whether the gate can admit, and what is wrong."""

    state: Literal["GREEN", "AMBER", "RED"]
    reasons: list[str]


class Live(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["up"]


class PlaceFound(msgspec.Struct, frozen=True):
    """Where an event lies on the bus; its topic where the class of the event is known."""

    partition: int
    offset: str
    offset_kind: str
    topic: str | UnsetType = UNSET


class Admission(msgspec.Struct, frozen=True):
    """A row of the index. Id and class are there where a receipt or the question tells them."""

    dedupe_key: str
    payload_hash: str
    state: Literal["IN_FLIGHT", "AMBIGUOUS", "RELEASED", "ADMITTED"]
    event_id: str | UnsetType = UNSET
    event_class: str | UnsetType = UNSET
    eb_ref: PlaceFound | UnsetType = UNSET
    admitted_at_utc: str | UnsetType = UNSET


class ReceiptFound(msgspec.Struct, frozen=True):
    """A receipt as it was written, and where its line lies once it is sealed. Further fields are those of the receipt."""

    receipt_id: str
    decision: Literal["ADMIT", "DUPLICATE", "QUARANTINE"]
    event_id: str
    event_type: str
    event_class: str
    ts_utc: Annotated[str, Meta(description="of the event; null where a refused item tells none")] | None
    reason_codes: list[str]
    admitted_at_utc: str
    segment: Annotated[str, Meta(description="key of the object in the run's store that holds its line")] | UnsetType = UNSET
    row: Annotated[int, Meta(description="number of the line in the segment, from 0", ge=0)] | UnsetType = UNSET


class Known(msgspec.Struct, frozen=True):
    """What the gate knows of one id: a row for each class that has it, and up to 100 receipts in their order."""

    admissions: list[Admission]
    receipts: list[ReceiptFound]
    forgotten_before_utc: (
        Annotated[
            str, Meta(description="there where the index has forgotten an admitted event of these receipts: so it has ids of events before")
        ]
        | UnsetType
    ) = UNSET
