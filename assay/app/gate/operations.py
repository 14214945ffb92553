"""The calls of the gate as facts: paths, bodies, answers and every reason to refuse one. The specification is written from them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from assay.app.gate.answer_types import DecideAnswer, Decision, HealthState, Known, Live, Marked, Outcome, Outcomes
from assay.app.gate.border import Envelope
from assay.app.gate.deadline import DEADLINE_HEADER
from assay.app.gate.media_types import BATCH_TYPES
from assay.app.gate.requests import MarkBody
from assay.app.gate.row_examples import ROW_EXAMPLES
from assay.app.gate.short_forms import LabelBody, PaymentBody
from assay.contracts.limits import DEADLINE_MS_MAX, DEADLINE_MS_MIN
from assay.contracts.reasons import Reason

#: of every call with a key
_KEYED: Final = (Reason.UNAUTHORISED,)
#: of every call with a body
_POSTED: Final = (
    Reason.BODY_INVALID,
    Reason.KEY_DUPLICATE,
    Reason.CONTROL_CHARACTER,
    *_KEYED,
    Reason.BODY_TOO_SLOW,
    Reason.BODY_OVER_LIMIT,
    Reason.CODING_UNSUPPORTED,
    Reason.MEDIA_TYPE_UNSUPPORTED,
    Reason.NESTING_TOO_DEEP,
    Reason.GATE_OVERLOADED,
    Reason.RATE_LIMITED,
    Reason.BUS_UNAVAILABLE,
    Reason.INDEX_UNAVAILABLE,
    Reason.RECEIPT_NOT_DURABLE,
    Reason.STORE_FULL,
    Reason.PUBLISH_AMBIGUOUS,
    Reason.ADMISSION_IN_FLIGHT,
    Reason.ADMISSION_AMBIGUOUS,
    Reason.GATE_DRAINING,
)
#: of every call at all, whatever its path
ANYWHERE: Final = (
    Reason.PATH_UNKNOWN,
    Reason.METHOD_NOT_ALLOWED,
    Reason.EXPECTATION_UNSUPPORTED,
    Reason.HTTP_UNSUPPORTED,
    Reason.HEADERS_OVER_LIMIT,
)
#: of one item
OF_ITEMS: Final = (
    Reason.ENVELOPE_INVALID,
    Reason.EVENT_TYPE_UNKNOWN,
    Reason.SCHEMA_VERSION_REQUIRED,
    Reason.SCHEMA_VERSION_NOT_ALLOWED,
    Reason.PINS_MISSING,
    Reason.PINS_INVALID,
    Reason.RUN_SCOPE_MISMATCH,
    Reason.TRAFFIC_MODES_MIXED,
    Reason.RUN_NOT_READY,
    Reason.GATE_MISSING,
    Reason.SCHEMA_FAIL,
    Reason.KEY_DUPLICATE,
    Reason.CONTROL_CHARACTER,
    Reason.BLANKS_AROUND_ID,
    Reason.NESTING_TOO_DEEP,
    Reason.AMOUNT_OUT_OF_RANGE,
    Reason.CURRENCY_UNKNOWN,
    Reason.CURRENCY_NOT_OF_POLICY,
    Reason.ENTITY_UNKNOWN,
    Reason.ENTITY_MISSING,
    Reason.TIME_IN_FUTURE,
    Reason.LATE_BEYOND_WATERMARK,
    Reason.TIME_TOO_EARLY,
    Reason.LABEL_NOT_AFTER_PAYMENT,
    Reason.LABEL_SUBJECT_UNKNOWN,
    Reason.LABEL_SUBJECT_TIME_WRONG,
    Reason.TRUTH_COLUMN_IN_LIVE_ROW,
    Reason.PAN_IN_CLEAR,
    Reason.PAYLOAD_HASH_MISMATCH,
)


class Answered(NamedTuple):
    """An answer that is no refusal: its type (None for text, several for one of them) and its meaning."""

    type: Any
    meaning: str


class Operation(NamedTuple):
    """One call. `one` and `many` are the types of a body that is one item or an array of them; `query` maps parameters to meanings,
    `headers` names those that may be sent to their schemas.

    `media` are types of a body beside JSON. `examples` are names of `examples.examples_of` and `row_examples`, `refusals` the reasons of a
    refusal of the call.
    """

    method: str
    path: str
    name: str
    summary: str
    answers: dict[int, Answered]
    refusals: tuple[Reason, ...] = ()
    one: Any = None
    many: Any = None
    query: Mapping[str, str] = MappingProxyType({})
    examples: tuple[str, ...] = ()
    keyed: bool = True
    media: tuple[str, ...] = ()
    headers: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


_EXCEPTIONS: Final = {"results": "of an array: `exceptions` leaves out the results of what was admitted"}
_DUPLICATE: Final = Answered(Outcome, "a duplicate: it was admitted before")
_REFUSED: Final = Answered(Outcome, "the item is refused and set aside; `error` says why")
_MANY: Final = Answered(Outcomes, "an array: how each item ended")
#: the schema of the header that shortens a deadline
DEADLINE: Final = MappingProxyType({
    "type": "integer", "minimum": DEADLINE_MS_MIN, "maximum": DEADLINE_MS_MAX, "default": DEADLINE_MS_MAX,
    "description": "milliseconds until the answer is the fallback",
})  # fmt: skip
_FOUND: Final = {200: Answered(Decision, "the decision")}
_NONE: Final = (*_KEYED, Reason.DECISION_NOT_FOUND, Reason.DECISION_PENDING, Reason.EVENT_QUARANTINED, Reason.WORKER_UNAVAILABLE)

#: in an order to try them in: the first example of each works behind those above it
OPERATIONS: Final = (
    Operation(
        "POST", "/v1/payments", "postPayments", "Post a payment, or an array of up to 5,000",
        {202: Answered(Outcome, "the payment is admitted, and will be decided"),
         200: Answered((Outcome, Outcomes), "a duplicate; of an array: how each item ended"), 422: _REFUSED},
        _POSTED, PaymentBody, PaymentBody, _EXCEPTIONS, ("payment with all fields", "payment", "payments"),
    ),
    Operation(
        "GET", "/v1/decisions/{event_id}", "getDecision", "Ask for the decision on a payment",
        _FOUND, (*_NONE, Reason.INDEX_UNAVAILABLE),
    ),
    Operation(
        "POST", "/v1/labels", "postLabels", "Tell what became known of a payment; one label, or an array of up to 5,000",
        {201: Answered(Outcome, "the label is admitted"),
         200: Answered((Outcome, Outcomes), "a duplicate; of an array: how each item ended"), 422: _REFUSED},
        _POSTED, LabelBody, LabelBody, _EXCEPTIONS, ("label", "labels"),
    ),
    Operation(
        "GET", "/v1/decisions", "findDecision", "The same for an id that is no part of a path, such as `..`",
        _FOUND, (*_NONE, Reason.INDEX_UNAVAILABLE), query={"event_id": "the event_id of the payment"},
    ),
    Operation(
        "POST", "/v1/decide", "decide", "Post one payment and wait for its decision; in runs ordered by arrival",
        {200: Answered(DecideAnswer, "the decision, or at the deadline the fallback of the policy"), 422: _REFUSED},
        (*_POSTED, Reason.DEADLINE_INVALID, Reason.ORDERING_NOT_ARRIVAL),
        PaymentBody, None, {}, ("payment that waits",), headers={DEADLINE_HEADER: DEADLINE},
    ),
    Operation(
        "POST", "/v1/ingest/push", "pushEnvelope", "Post one envelope: a payment, a fact, a label or a row of a world",
        {202: Answered(Outcome, "a payment is admitted"), 201: Answered(Outcome, "a fact, a label or a row is admitted"), 200: _DUPLICATE,
         422: _REFUSED},
        _POSTED, Envelope, None, {}, ("envelope of a payment", "envelope of a fact", "envelope of a label", *ROW_EXAMPLES.values()),
    ),
    Operation(
        "POST", "/v1/ingest/batch", "postBatch", "Post up to 5,000 envelopes: JSON, lines of JSON, Avro or Arrow",
        {200: _MANY}, _POSTED, None, Envelope, _EXCEPTIONS, ("envelopes",), media=tuple(BATCH_TYPES)[1:],
    ),
    Operation(
        "POST", "/v1/ingest/marks", "postMark", "Say that everything before an instant has been posted",
        {200: Answered(Marked, "the mark is written")},
        (*_POSTED, Reason.MARK_INVALID, Reason.RUN_SCOPE_MISMATCH, Reason.TIME_IN_FUTURE, Reason.MARK_BACKWARDS,
         Reason.RUN_NOT_READY),
        MarkBody, None, {}, ("mark",),
    ),
    Operation(
        "GET", "/v1/ops/health", "opsHealth", "How the gate is, for somebody who may call",
        {200: Answered(HealthState, "its state, whatever it is")}, _KEYED,
    ),
    Operation(
        "GET", "/v1/ops/lookup", "lookup", "What the gate knows of one id: index and receipts",
        {200: Answered(Known, "its row of the index, and its receipts")},
        (*_KEYED, Reason.LOOKUP_INVALID, Reason.RECEIPT_NOT_FOUND, Reason.INDEX_UNAVAILABLE, Reason.STORE_SILENT),
        query={
            "event_id": "the id of an event, also of a refused one",
            "receipt_id": "the id of a receipt, in place of the event's",
            "dedupe_key": "64 hex digits, in place of both",
        },
    ),
    Operation("GET", "/livez", "live", "The process is up; nothing else is said", {200: Answered(Live, "it is")}, keyed=False),
    Operation(
        "GET", "/healthz", "health", "Whether the gate can admit",
        {200: Answered(HealthState, "it can"), 503: Answered(HealthState, "it cannot now")}, keyed=False,
    ),
    Operation(
        "GET", "/metrics", "metrics", "Figures for Prometheus; where the gate listens beyond its machine, with the key",
        {200: Answered(None, "text of Prometheus")}, (Reason.UNAUTHORISED, Reason.HOST_UNKNOWN), keyed=False,
    ),
    Operation("GET", "/openapi.json", "specification", "This document", {200: Answered(dict, "OpenAPI 3.1")}, keyed=False),
    Operation("GET", "/docs", "page", "A page from which every call can be tried", {200: Answered(None, "HTML")}, keyed=False),
)  # fmt: skip
