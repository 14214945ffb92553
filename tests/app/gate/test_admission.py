"""Admission as tables: every way an item is refused, and every state the index can know it in."""

from __future__ import annotations

from typing import Any

import pytest
from gate_events import CONTEXT, LABEL, NOW_US, PAYMENT, SCOPE, admissible, event, examined, paid, raw, traffic_of
from hypothesis import given
from hypothesis import strategies as st
from oracles.examples import Example, examples

from assay.app.gate.admission import Admissible, Examiner, RefusedEvent
from assay.app.gate.border import PAYLOADS
from assay.app.gate.payload_hashes import payload_hash
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.run_names import RunNames
from assay.app.gate.standing import Admission, RecordMetadata, Standing, Verdict, judge
from assay.app.oracle.generator import SHAPES
from assay.app.oracle.mapping import load_mapping
from assay.contracts import envelope, instants
from assay.contracts.engine_events import engine_events
from assay.contracts.ids import dedupe_key
from assay.contracts.reasons import Reason

LATER = "2018-04-08T00:00:31.000001Z"
REFUSED: list[tuple[str, Any, Reason]] = [
    ("a number is no envelope", 7, Reason.ENVELOPE_INVALID),
    ("no id", event(event_id=None), Reason.ENVELOPE_INVALID),
    ("an empty id", event(event_id=""), Reason.ENVELOPE_INVALID),
    ("an unknown key", event(surprise=1), Reason.ENVELOPE_INVALID),
    ("milliseconds", event(ts_utc="2018-04-01T00:00:31.000Z"), Reason.ENVELOPE_INVALID),
    ("a naive time", event(ts_utc="2018-04-01T00:00:31.000000"), Reason.ENVELOPE_INVALID),
    ("a day no calendar has", event(ts_utc="2018-02-30T00:00:31.000000Z"), Reason.ENVELOPE_INVALID),
    ("no payload", {k: v for k, v in event().items() if k != "payload"}, Reason.ENVELOPE_INVALID),
    ("not UTF-8", b'{"event_id":"\xff"}', Reason.ENVELOPE_INVALID),
    ("nested without end", b'{"payload":' + b"[" * 5_000 + b"]" * 5_000 + b"}", Reason.NESTING_TOO_DEEP),
    ("a place before the first", event(source_order=-1), Reason.ENVELOPE_INVALID),
    ("a place that not every reader keeps exactly", event(source_order=2**53), Reason.ENVELOPE_INVALID),
    ("a place that is no number", event(source_order="7"), Reason.ENVELOPE_INVALID),
    ("a malformed pin", event(run_id="EF" * 16), Reason.PINS_INVALID),
    ("a negative seed", event(seed=-1), Reason.PINS_INVALID),
    ("a type nobody knows", event("e-1", "refund"), Reason.EVENT_TYPE_UNKNOWN),
    ("a pin missing", event(parameter_hash=None), Reason.PINS_MISSING),
    ("no run_id on traffic", event(run_id=None), Reason.PINS_MISSING),
    ("another run's pins", event(platform_run_id="platform_20260101T000001Z"), Reason.RUN_SCOPE_MISMATCH),
    ("another world", event(manifest_fingerprint="00" * 32), Reason.RUN_SCOPE_MISMATCH),
    ("no version", event(schema_version=None), Reason.SCHEMA_VERSION_REQUIRED),
    ("another version", event(schema_version="v2"), Reason.SCHEMA_VERSION_NOT_ALLOWED),
    ("amount as text", event(payload=paid(amount_minor="12")), Reason.SCHEMA_FAIL),
    ("amount with a fraction", event(payload=paid(amount_minor=12.5)), Reason.SCHEMA_FAIL),
    ("an unknown field", event(payload=paid(colour="red")), Reason.SCHEMA_FAIL),
    ("a currency and a newline", event(payload=paid(currency="EUR\n")), Reason.CURRENCY_UNKNOWN),
    ("a label for a payment", event("e-1", "label_assertion", paid()), Reason.SCHEMA_FAIL),
    ("a label of no time", event("e-1", "label_assertion", {**LABEL, "subject_ts_utc": "x"}), Reason.SCHEMA_FAIL),
    ("a label of its payment's time", event("e-1", "label_assertion", ts_utc=LABEL["subject_ts_utc"]), Reason.LABEL_NOT_AFTER_PAYMENT),
    ("a label before its payment", event("e-1", "label_assertion", {**LABEL, "subject_ts_utc": LATER}), Reason.LABEL_NOT_AFTER_PAYMENT),
    ("a negative amount", event(payload=paid(amount_minor=-1)), Reason.AMOUNT_OUT_OF_RANGE),
    ("an amount that would overflow", event(payload=paid(amount_minor=10**11)), Reason.AMOUNT_OUT_OF_RANGE),
    ("an amount beyond 64 bits", event(payload=paid(amount_minor=2**63)), Reason.AMOUNT_OUT_OF_RANGE),
    ("a currency that does not exist", event(payload=paid(currency="XQZ")), Reason.CURRENCY_UNKNOWN),
    ("a test's currency", event(payload=paid(currency="XTS")), Reason.CURRENCY_UNKNOWN),
    ("a card number", event(payload=paid(entities={"customer": "4111 1111 1111 1111"})), Reason.PAN_IN_CLEAR),
    ("a NUL in an id", event("e-1\0"), Reason.CONTROL_CHARACTER),
    ("a NUL in an entity", event(payload=paid(entities={"customer": "5\x006"})), Reason.CONTROL_CHARACTER),
    ("a line break in an attribute", event(payload=paid(attributes={"note": "a\nb"})), Reason.CONTROL_CHARACTER),
    ("an escape in a name", event(payload=paid(attributes={"\x1b[2J": "a"})), Reason.CONTROL_CHARACTER),
    ("blanks around an id", event("e-1 "), Reason.BLANKS_AROUND_ID),
    ("blanks around an entity's id", event(payload=paid(entities={"customer": " a-1 "})), Reason.BLANKS_AROUND_ID),
    ("a wide blank around a fact's id", event("e-1", "context_fact", {"entities": {"merchant": "m\u3000"}}), Reason.BLANKS_AROUND_ID),
    ("blanks around a label's payment", event("e-1", "label_assertion", {**LABEL, "subject_event_id": " e"}), Reason.BLANKS_AROUND_ID),
    ("DEL as it is", raw(event(producer="a\x7fb")), Reason.CONTROL_CHARACTER),
    ("U+009B as it is", raw(event(producer="a\x9bb")), Reason.CONTROL_CHARACTER),
    ("a tab in a label", event("e-1", "label_assertion", {**LABEL, "source": "a\tb"}), Reason.CONTROL_CHARACTER),
    ("an id that is there twice", raw(event())[:-1] + b',"event_id":"e-2"}', Reason.KEY_DUPLICATE),
    ("two payloads", raw(event())[:-1] + b',"payload":' + raw(PAYMENT) + b"}", Reason.KEY_DUPLICATE),
    ("two amounts", raw(event()).replace(b'"currency"', b'"amount_minor" : 99,"currency"'), Reason.KEY_DUPLICATE),
    ("two equal amounts", raw(event()).replace(b'"currency"', b'"amount_minor":1250,"currency"'), Reason.KEY_DUPLICATE),
    ("one entity in two spellings", raw(event()).replace(b'{"customer"', b'{"\\u0063ustomer":"1","customer"'), Reason.KEY_DUPLICATE),
    ("six minutes from now", event(ts_utc=instants.text(NOW_US + 360_000_000)), Reason.TIME_IN_FUTURE),
    ("the year 1", event(ts_utc="0001-01-01T00:00:00.000000Z"), Reason.TIME_TOO_EARLY),
    ("seconds taken for milliseconds", event(ts_utc="1970-01-18T14:55:40.831000Z"), Reason.TIME_TOO_EARLY),
    ("a label of 1989", event("e-1", "label_assertion", ts_utc="1989-12-31T23:59:59.999999Z"), Reason.TIME_TOO_EARLY),
    ("the truth", event(payload=paid(attributes={"fraud_flag": "1"})), Reason.TRUTH_COLUMN_IN_LIVE_ROW),
    ("the truth in capitals", event(payload=paid(attributes={"TX_FRAUD": "1"})), Reason.TRUTH_COLUMN_IN_LIVE_ROW),
    ("the truth with a dash", event(payload=paid(attributes={"Fraud-Flag": "1"})), Reason.TRUTH_COLUMN_IN_LIVE_ROW),
    ("the truth in wide letters", event(payload=paid(attributes={"ｆｒａｕｄ": "1"})), Reason.TRUTH_COLUMN_IN_LIVE_ROW),
    ("the truth as an entity", event(payload=paid(entities={"fraud_flag": "1"})), Reason.TRUTH_COLUMN_IN_LIVE_ROW),
    ("the truth in context", event("e-1", "context_fact", {**CONTEXT, "attributes": {"label": "1"}}), Reason.TRUTH_COLUMN_IN_LIVE_ROW),
]


@pytest.mark.parametrize(("document", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_an_item_is_refused_for_its_first_fault(document: Any, reason: Reason) -> None:
    item = examined(document)
    assert isinstance(item, RefusedEvent)
    assert item.reason is reason
    assert item.detail
    assert item.where.startswith("$")
    assert item.remedy.endswith(".")


@pytest.mark.parametrize(
    "document",
    [
        event(),
        event(event_type="AUTH_REQUEST", trace_id="t", span_id="s", parent_event_id="p", producer="x", emitted_at_utc=event()["ts_utc"]),
        event("ä" * 256, "context_fact"),
        event("e-1", "label_assertion", run_id=None),
        event("e-1", "label_assertion", ts_utc="2018-04-01T00:00:31.000001Z"),
        event(ts_utc=instants.text(NOW_US + 300_000_000)),
        event(payload=paid(amount_minor=0, entities={"customer": None}, attributes={})),
        event(payload=paid(amount_minor=10**11 - 1)),
    ],
)
def test_a_good_item_is_admissible(document: dict[str, Any]) -> None:
    item = examined(document)
    assert isinstance(item, Admissible), item
    assert item.ts_us == instants.parse(document["ts_utc"])
    assert item.payload_hash == envelope.payload_hash(document["event_type"], "v1", document["payload"])
    assert item.dedupe_key == dedupe_key(str(SCOPE["platform_run_id"]), item.event_class, document["event_id"])


@pytest.mark.parametrize(
    "payload",
    [paid(entities={**paid()["entities"], "card": None}), paid(attributes={}), paid(entities={"card": None, **paid()["entities"]})],
)
def test_what_is_null_or_empty_is_the_same_payment_as_what_is_left_out(payload: dict[str, Any]) -> None:
    assert admissible(event(payload=payload)).payload_hash == admissible(event()).payload_hash
    other = paid(entities={"customer": "596"})
    assert admissible(event(payload=other)).payload_hash != admissible(event()).payload_hash


@pytest.mark.parametrize(("given", "order"), [({}, 41), ({"source_order": 0}, 0), ({"source_order": 2**53 - 1}, 2**53 - 1)])
def test_the_place_of_an_item_among_those_of_its_time_is_its_clients_or_that_of_its_arrival(given: dict[str, Any], order: int) -> None:
    item = Examiner(shipped_admission_policy(), SCOPE).examine(raw(event(**given)), NOW_US, 41)
    assert isinstance(item, Admissible)
    assert item.source_order == order
    plain = admissible(event())
    assert [item.payload_hash, item.dedupe_key] == [plain.payload_hash, plain.dedupe_key], "a resend with another place is the same payment"


@pytest.mark.parametrize(
    ("payload", "where", "remedy"),
    [
        (paid(entities={"customer": "5", "card no": 6}), "$.payload.entities['card no']", "type and length"),
        (paid(entities={"customer": "5", "terminal": ""}), "$.payload.entities.terminal", "type and length"),
        (paid(entities={"customer": "5", "": "6"}), "$.payload.entities['']", "type and length"),
        (paid(attributes={"a": "x", "b": None}), "$.payload.attributes.b", "type and length"),
        (paid(entities={"customer": " a-1"}), "$.payload.entities.customer", "without them"),
        (paid(currency="eur"), "$.payload.currency", "Did you mean 'EUR'?"),
        (paid(currency="EURO"), "$.payload.currency", "Did you mean 'EUR'?"),
        (paid(currency=""), "$.payload.currency", "ISO 4217 in capitals"),
    ],
)
def test_a_refusal_names_the_member_at_fault(payload: Any, where: str, remedy: str) -> None:
    item = examined(event(payload=payload))
    assert isinstance(item, RefusedEvent)
    assert item.where == where
    assert remedy in item.remedy


def test_a_label_of_another_value_is_told_those_that_there_are() -> None:
    item = examined(event("e-1", "label_assertion", {**LABEL, "label": "fraud"}))
    assert isinstance(item, RefusedEvent)
    assert (item.reason, item.where, item.remedy) == (Reason.SCHEMA_FAIL, "$.payload.label", "Send FRAUD or LEGIT, in capitals.")


def test_a_refused_item_keeps_the_ids_that_can_still_be_read() -> None:
    item = examined(event("e-9", surprise=1))
    assert isinstance(item, RefusedEvent)
    assert (item.event_id, item.event_type, item.ts_utc) == ("e-9", "transaction", "2018-04-01T00:00:31.000000Z")


@pytest.mark.parametrize(
    "document",
    [
        event(ts_utc="9" * 100_000),
        event(platform_run_id="9" * 100_000),
        event(payload=paid(amount_minor=10**400)),
        {**event(), "9" * 100_000: 1},
        event(event_id="9" * 100_000),
    ],
)
def test_what_is_said_about_an_item_does_not_grow_with_it(document: dict[str, Any]) -> None:
    item = examined(document)
    assert isinstance(item, RefusedEvent)
    assert len(item.detail) <= 500
    assert all(len(text or "") <= 256 for text in (item.event_id, item.event_type, item.ts_utc))
    assert item.raw == raw(document), "the whole item is set aside"


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_the_gate_knows_the_truth_of_every_generated_shape(name: str) -> None:
    truth = load_mapping(name).truth
    assert truth is not None
    for column in truth.columns():
        item = examined(event(payload=paid(attributes={column.swapcase(): "1"})))
        assert isinstance(item, RefusedEvent)
        assert item.reason is Reason.TRUTH_COLUMN_IN_LIVE_ROW


@pytest.mark.parametrize(
    "document",
    [
        event(payload=paid(attributes={"why": "stolen"})),
        event(payload=paid(attributes={"channel": "web", "W-H-Y": ""})),
        event(event_type="AUTH_REQUEST", payload=paid(entities={"Why": "c-1"})),
        event("c-1", "context_fact", {**CONTEXT, "attributes": {"why": "stolen"}}),
    ],
)
def test_the_gate_refuses_what_the_mapping_of_its_world_calls_the_truth(document: dict[str, Any]) -> None:
    item = examined(document, RunNames(truth_columns=("why",)))
    assert isinstance(item, RefusedEvent)
    assert item.reason is Reason.TRUTH_COLUMN_IN_LIVE_ROW
    assert isinstance(examined(document), Admissible), "in another world it is a name like any other"


TYPE_OF = {"payment": "transaction", "context_fact": "context_fact", "label_assertion": "label_assertion"}
TYPE_OF |= {event.record: event.output_id for event in engine_events("fraud")}
BORDER = [e for e in examples() if e.document in ("envelope", *TYPE_OF)]
GOOD, GOOD_LABEL = (next(e.value for e in BORDER if e.name == name) for name in ("transaction", "label_without_run_id"))


@pytest.mark.parametrize("example", BORDER, ids=str)
def test_the_compiled_reader_says_of_an_example_what_the_contract_says(example: Example) -> None:
    """The gate has a run where the contract has none: an accepted example's own, else that of the good example."""
    document, pins = example.value, GOOD
    if example.document != "envelope":
        kind = TYPE_OF[example.document]
        document = {**(GOOD_LABEL if kind == "label_assertion" else GOOD), "event_type": kind, "payload": document}
    elif example.reason is None:
        pins = {**GOOD, **document}
    policy = shipped_admission_policy(traffic_of(document.get("event_type")) if isinstance(document, dict) else "")
    item = Examiner(policy, {name: pins[name] for name in SCOPE}).examine(raw(document), NOW_US, 0)
    assert (item.reason if isinstance(item, RefusedEvent) else None) == example.reason, item


TEXT = st.text(max_size=12)
PAYLOAD = st.fixed_dictionaries(
    {
        "kind": st.text(min_size=1, max_size=8),
        "amount_minor": st.integers(0, 10**11 - 1),
        "currency": st.just("EUR"),
        "entities": st.dictionaries(st.text(min_size=1, max_size=8), st.none() | st.text(min_size=1, max_size=8), max_size=4),
    },
    optional={"attributes": st.dictionaries(st.text(min_size=1, max_size=8), TEXT, max_size=4)},
)


@given(PAYLOAD)
def test_the_fast_payload_hash_is_the_contracts(payload: dict[str, Any]) -> None:
    typed = PAYLOADS["payment"].decode(raw(payload))
    assert payload_hash("transaction", "v1", typed) == envelope.payload_hash("transaction", "v1", payload)


@pytest.mark.parametrize(
    ("standing", "verdict"),
    [
        (None, Verdict.ADMIT),
        (Standing(b"h", 7, RecordMetadata(0, 5)), Verdict.DUPLICATE),
        (Standing(b"h", 7, None, state=Admission.IN_FLIGHT), Verdict.IN_FLIGHT),
        (Standing(b"h", 7, None, state=Admission.AMBIGUOUS), Verdict.AMBIGUOUS),
        (Standing(b"h", 7, None, state=Admission.RELEASED), Verdict.REPUBLISH),
        (Standing(b"x", 7, RecordMetadata(0, 5)), Verdict.MISMATCH),
        (Standing(b"x", 7, None, state=Admission.RELEASED), Verdict.MISMATCH),
    ],
)
def test_what_is_known_of_an_id_decides(standing: Standing | None, verdict: Verdict) -> None:
    assert judge(b"h", standing) is verdict
