"""Columns of payments are examined together where nothing needs a second look, and end as each payment by itself would."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from effort import drawn
from gate_events import NOW_US, SCOPE, event, paid
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.bench.bodies import body_of
from assay.app.gate.admission import Admissible, Examiner, RefusedEvent
from assay.app.gate.body_arrow import arrow_items
from assay.app.gate.body_avro import avro_items
from assay.app.gate.plain_examiner import made_of
from assay.app.gate.plain_payments import PlainItem, whole_batches, written
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.records import RecordFramer
from assay.app.gate.run_names import RunNames
from assay.codecs.single_object import unpack
from assay.contracts import instants
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

ITEMS_MAX = 50
EXAMINER = Examiner(shipped_admission_policy(), SCOPE, RunNames(("customer", "terminal"), truth_columns=("why",)))
READERS: dict[str, Callable[[bytes, int], Sequence[bytes | PlainItem]]] = {"avro": avro_items, "arrow": arrow_items}


def good(number: int = 0) -> dict[str, Any]:
    names = {"customer": f"c-{number}", "terminal": "t-1"}
    return event(
        f"e-{number}", payload=paid(amount_minor=number, entities=names, attributes={"note": "", "n": str(number)}), producer="desk"
    )


def examined(form: str, events: Sequence[Any]) -> tuple[list[Admissible | RefusedEvent], bool]:
    """How each event ends, and whether all were examined together."""
    found: list[Admissible | RefusedEvent] = []
    together = True
    for at, item in enumerate(READERS[form](body_of(form, "payment", events), ITEMS_MAX)):
        made = made_of(EXAMINER, item, NOW_US, at) if isinstance(item, PlainItem) else None
        together = together and made is not None
        found.append(made or EXAMINER.examine(item if isinstance(item, bytes) else item.raw, NOW_US, at))
    return found, together


def alone(events: Sequence[Any]) -> list[Admissible | RefusedEvent]:
    return [EXAMINER.examine(msgspec.json.encode(one), NOW_US, at) for at, one in enumerate(events)]


def told(item: Admissible | RefusedEvent) -> Any:
    if isinstance(item, RefusedEvent):
        return item.reason
    envelope = {name: value for name, value in msgspec.structs.asdict(item.envelope).items() if name != "payload"}
    of = item.payload  # a payload of its own, or a row of a batch
    payload = of.kind, of.amount_minor, of.currency, of.entities, of.attributes or {}
    return item.event_class, envelope, payload, item.ts_us, item.payload_hash, item.dedupe_key, item.source_order


@pytest.mark.parametrize("form", READERS)
def test_plain_payments_are_examined_together_and_end_as_each_by_itself(form: str) -> None:
    events = [good(number) for number in range(20)]
    found, together = examined(form, events)
    assert together
    assert [told(item) for item in found] == [told(item) for item in alone(events)]
    framer = RecordFramer(Pins.of(SCOPE), str(SCOPE["run_id"]))
    made, single = (
        framer.framed("traffic", [item for item in items if isinstance(item, Admissible)], 3) for items in (found, alone(events))
    )
    assert made == single


def without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The event without these entities."""

    def changed(one: dict[str, Any]) -> dict[str, Any]:
        entities = {name: value for name, value in one["payload"]["entities"].items() if name not in names}
        return {**one, "payload": {**one["payload"], "entities": entities}}

    return changed


@given(data=st.data())
@settings(max_examples=drawn(60), deadline=None)
def test_rows_of_several_bodies_whole_or_in_part_are_the_records_that_each_is_by_itself(data: st.DataObject) -> None:
    events, found = list[Any](), list[Admissible | RefusedEvent]()
    for number in range(data.draw(st.integers(1, 4))):
        shape = data.draw(st.sampled_from([without(), without("customer"), without("terminal")]))
        body = [shape(good(100 * number + at)) for at in range(data.draw(st.integers(1, 5)))]
        by_column = data.draw(st.booleans())
        ended = examined("arrow", body)[0] if by_column else alone(body)
        kept = data.draw(st.lists(st.booleans(), min_size=len(body), max_size=len(body)) | st.just([True] * len(body)))
        events += [one for one, taken in zip(body, kept, strict=True) if taken]
        found += [one for one, taken in zip(ended, kept, strict=True) if taken]
    if not events:
        return
    framer = RecordFramer(Pins.of(SCOPE), str(SCOPE["run_id"]))
    made, single = (framer.framed("traffic", [one for one in items if isinstance(one, Admissible)], 3) for items in (found, alone(events)))
    assert (made.keys, made.partitions) == (single.keys, single.partitions)
    assert [_unordered(value) for value in made.values] == [_unordered(value) for value in single.values]


def test_rows_that_only_stand_where_those_of_a_whole_body_would_are_taken_one_by_one() -> None:
    first, second = (list(arrow_items(body_of("arrow", "payment", [good(at) for at in range(3)]), ITEMS_MAX)) for _ in "ab")
    assert whole_batches([*first, *second]) is not None
    for rows in ([first[0], first[2], second[2]], [*first[1:], *second], [*first, *second[:2]], [*first, b"{}"], [b"{}", *first]):
        assert whole_batches(rows) is None


def _unordered(value: bytes) -> dict[str, Any]:
    """A record without its number in order of arrival, which differs where others came before."""
    return {**unpack(value)[1], "source_order": None}


def changed(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda one: one.update(changes)


def in_payload(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda one: one["payload"].update(changes)


LATE = instants.text(NOW_US + 360_000_000)


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(changed(event_id=" e"), Reason.BLANKS_AROUND_ID, id="a blank before an id"),
        pytest.param(changed(event_id="e "), Reason.BLANKS_AROUND_ID, id="a blank behind an id"),
        pytest.param(changed(event_id=""), Reason.ENVELOPE_INVALID, id="no id"),
        pytest.param(changed(event_id="e" * 257), Reason.ENVELOPE_INVALID, id="a long id"),
        pytest.param(changed(event_id="e\x7f"), Reason.CONTROL_CHARACTER, id="a control character"),
        pytest.param(changed(event_type="context_fact"), Reason.SCHEMA_FAIL, id="a type of another payload"),
        pytest.param(changed(event_type="nothing"), Reason.EVENT_TYPE_UNKNOWN, id="an unknown type"),
        pytest.param(changed(schema_version="v2"), Reason.SCHEMA_VERSION_NOT_ALLOWED, id="another version"),
        pytest.param(lambda one: one.pop("schema_version"), Reason.SCHEMA_VERSION_REQUIRED, id="no version"),
        pytest.param(changed(seed=8), Reason.RUN_SCOPE_MISMATCH, id="another seed"),
        pytest.param(changed(seed=-1), Reason.PINS_INVALID, id="no seed at all"),
        pytest.param(changed(run_id="ab" * 16), Reason.RUN_SCOPE_MISMATCH, id="another run"),
        pytest.param(lambda one: one.pop("run_id"), Reason.PINS_MISSING, id="no run"),
        pytest.param(changed(producer="p" * 129), Reason.ENVELOPE_INVALID, id="a long producer"),
        pytest.param(changed(ts_utc=LATE), Reason.TIME_IN_FUTURE, id="six minutes from now"),
        pytest.param(changed(ts_utc="1989-12-31T23:59:59.999999Z"), Reason.TIME_TOO_EARLY, id="too early"),
        pytest.param(in_payload(amount_minor=-1), Reason.AMOUNT_OUT_OF_RANGE, id="a negative amount"),
        pytest.param(in_payload(amount_minor=10**11), Reason.AMOUNT_OUT_OF_RANGE, id="a huge amount"),
        pytest.param(in_payload(currency="XQZ"), Reason.CURRENCY_UNKNOWN, id="no currency"),
        pytest.param(in_payload(kind=""), Reason.SCHEMA_FAIL, id="no kind"),
        pytest.param(in_payload(kind="k" * 129), Reason.SCHEMA_FAIL, id="a long kind"),
        pytest.param(in_payload(entities={"customer": " c"}), Reason.BLANKS_AROUND_ID, id="a blank before an entity"),
        pytest.param(in_payload(entities={"customer": "c" * 257}), Reason.SCHEMA_FAIL, id="a long entity"),
        pytest.param(in_payload(entities={"custumer": "c"}), Reason.ENTITY_UNKNOWN, id="an unknown entity"),
        pytest.param(in_payload(entities={"card": "c"}), Reason.ENTITY_MISSING, id="no entity of the policy"),
        pytest.param(in_payload(attributes={"Fraud-Flag": "1"}), Reason.TRUTH_COLUMN_IN_LIVE_ROW, id="the truth"),
        pytest.param(in_payload(attributes={"why": "1"}), Reason.TRUTH_COLUMN_IN_LIVE_ROW, id="the truth of the world"),
        pytest.param(changed(event_id="4111111111111111"), Reason.PAN_IN_CLEAR, id="a card number as id"),
        pytest.param(in_payload(kind="4111-1111-1111-1111"), Reason.PAN_IN_CLEAR, id="a card number as kind"),
        pytest.param(in_payload(entities={"customer": "4111111111111111"}), Reason.PAN_IN_CLEAR, id="a card number as entity"),
        pytest.param(in_payload(attributes={"n": "4111 1111 1111 1111"}), Reason.PAN_IN_CLEAR, id="a card number as attribute"),
        pytest.param(in_payload(attributes={"4111111111111111": "n"}), Reason.PAN_IN_CLEAR, id="a card number as name"),
        pytest.param(in_payload(attributes={"n": "1" * 1025}), Reason.SCHEMA_FAIL, id="a long attribute"),
        pytest.param(in_payload(attributes={"n" * 129: "1"}), Reason.SCHEMA_FAIL, id="a long name"),
        pytest.param(in_payload(attributes={f"{i}": "" for i in range(513)}), Reason.SCHEMA_FAIL, id="attributes without end"),
        pytest.param(in_payload(entities={f"{i}": "e" for i in range(33)}), Reason.SCHEMA_FAIL, id="entities without end"),
    ],
)
def test_whatever_a_payment_by_itself_is_refused_for_it_is_refused_for_in_a_column(
    form: str, everywhere: bool, change: Callable[[dict[str, Any]], None], reason: Reason
) -> None:
    events = [copy.deepcopy(good(number)) for number in range(3)]
    for one in events if everywhere else events[1:2]:
        change(one)
    found, together = examined(form, events)
    assert not together
    assert [told(item) for item in found] == [told(item) for item in alone(events)]
    assert told(found[1]) is reason


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize(
    ("change", "together"),
    [
        pytest.param(in_payload(attributes={"note": '"', "n": "5"}), False, id="a quote"),
        pytest.param(in_payload(attributes={"note": "\\", "n": "5"}), False, id="a backslash"),
        pytest.param(in_payload(attributes={"note": "ü", "n": "5"}), False, id="beyond ASCII"),
        pytest.param(in_payload(attributes={"note": "100%s", "n": "5%"}), True, id="a percent sign"),
        pytest.param(changed(source_order=5), False, id="an order of its own"),
        pytest.param(changed(trace_id="t"), False, id="a trace"),
        pytest.param(changed(emitted_at_utc="2018-04-01T00:00:31.000001Z"), False, id="a time of sending"),
        pytest.param(lambda one: one.pop("producer"), False, id="no producer in one row"),
        pytest.param(in_payload(currency="USD"), True, id="another currency"),
        pytest.param(in_payload(entities={"customer": "c"}), False, id="a name less"),
        pytest.param(lambda one: one["payload"].pop("attributes"), False, id="no attributes in one row"),
    ],
)
def test_a_payment_that_needs_a_second_look_is_taken_all_the_same(
    form: str, change: Callable[[dict[str, Any]], None], together: bool
) -> None:
    events = [copy.deepcopy(good(number)) for number in range(3)]
    change(events[1])
    found, plain = examined(form, events)
    assert plain == together
    assert [told(item) for item in found] == [told(item) for item in alone(events)]
    assert {type(item) for item in found} == {Admissible}


WORDS = st.text('abc %"\\é\x7f', min_size=0, max_size=3)
ROWS = st.tuples(st.lists(st.sampled_from(["customer", "terminal", "a%s", "fraud"]), max_size=3, unique=True), st.integers(1, 4)).flatmap(
    lambda shape: st.lists(
        st.builds(
            event,
            event_id=st.text("ab %", min_size=1, max_size=3),
            producer=st.sampled_from(["desk", "%d"]),
            payload=st.fixed_dictionaries(
                {
                    "kind": st.just("purchase"),
                    "amount_minor": st.integers(0, 9),
                    "currency": st.sampled_from(["EUR", "USD"]),
                    "entities": st.fixed_dictionaries({"customer": WORDS}),
                    "attributes": st.fixed_dictionaries(dict.fromkeys(shape[0], WORDS)),
                }
            ),
        ),
        min_size=shape[1],
        max_size=shape[1],
    )
)


@pytest.mark.parametrize("form", READERS)
@settings(max_examples=drawn(200), deadline=None)
@given(events=ROWS)
def test_rows_of_one_shape_end_as_each_by_itself(form: str, events: Sequence[dict[str, Any]]) -> None:
    assert [told(item) for item in examined(form, events)[0]] == [told(item) for item in alone(events)]


def test_a_row_can_be_written_as_the_envelope_that_it_is_equal_to() -> None:
    for form, read in READERS.items():
        items = read(body_of(form, "payment", [good(1), good(2)]), ITEMS_MAX)
        assert [msgspec.json.decode(item.raw) for item in items if isinstance(item, PlainItem)] == [good(1), good(2)]


@pytest.mark.parametrize("form", READERS)
def test_a_seed_that_is_left_out_is_not_the_seed_zero(form: str) -> None:
    events = [{**good(0), "seed": 0}, {name: value for name, value in good(1).items() if name != "seed"}]
    examiner = Examiner(shipped_admission_policy(), {**SCOPE, "seed": 0})
    items = READERS[form](body_of(form, "payment", events), ITEMS_MAX)
    ended = [examiner.examine(item if isinstance(item, bytes) else item.raw, NOW_US, 0) for item in items]
    assert [made_of(examiner, item, NOW_US, at) for at, item in enumerate(items) if isinstance(item, PlainItem)] == []
    assert [type(item) for item in ended] == [Admissible, RefusedEvent]


def test_texts_are_written_with_what_they_share_and_what_is_their_own() -> None:
    assert written(["a%", ["1", "%s"], "b"], 2) == ["a%1b", "a%%sb"]
    assert written(["%"], 2) == ["%", "%"]
