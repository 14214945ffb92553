"""The gate without its servers: bodies, items, whole admission groups. Quarantined and admitted together are what was sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

from fuzz.engine import Target, refusal
from gate_events import NOW_US, SCOPE, event, paid, raw, row
from gate_process import mark
from oracles.examples import examples

from assay.app.bench.bodies import arrow_body, avro_body
from assay.app.gate.admission import Admissible, Examiner, RefusedEvent, raw_of
from assay.app.gate.body_arrow import arrow_items
from assay.app.gate.body_avro import avro_items
from assay.app.gate.border import items_of, one_item
from assay.app.gate.calls import IngestCall
from assay.app.gate.group import Group
from assay.app.gate.media_types import BodyReader
from assay.app.gate.plain_examiner import made_of
from assay.app.gate.plain_payments import PlainItem
from assay.app.gate.policy import TOPIC_OF_CLASS, shipped_admission_policy
from assay.app.gate.receipts import ReceiptWriter
from assay.app.gate.records import RecordFramer
from assay.app.gate.requests import mark_of
from assay.app.gate.settling import _Outcomes
from assay.app.gate.short_forms import Reader, label_of, payment_of
from assay.app.gate.standing import RecordMetadata
from assay.codecs.single_object import unpack
from assay.contracts import envelope, instants
from assay.contracts.caller import OF_RUN_KEY
from assay.contracts.canonical import canonical
from assay.contracts.engine_events import ENGINE_EVENTS, engine_events
from assay.contracts.errors import Quarantine
from assay.contracts.pins import Pins
from assay.contracts.traffic_modes import TrafficName

PINS: Final = Pins.of(SCOPE)
FRAMER: Final = RecordFramer(PINS, str(SCOPE["run_id"]))
WORLD: Final = {name: SCOPE[name] for name in envelope.ROW_PINS}
BEFORE, AFTER = raw(event("before")), raw(event("after", "context_fact"))
ROWS: Final = [event.output_id for event in engine_events(TrafficName.FRAUD)]
ROW_BEFORE, ROW_AFTER = (raw({**row(output_id), "event_id": name}) for output_id, name in zip(ROWS[:2], ("before", "after"), strict=True))
ITEMS_MAX: Final = 50
PARTITIONS: Final = 3


@cache
def _examiner(traffic: str = "") -> Examiner:
    return Examiner(shipped_admission_policy(traffic), SCOPE)


@cache
def _writer() -> ReceiptWriter:
    return ReceiptWriter(shipped_admission_policy(), PINS, TOPIC_OF_CLASS, bytes(32))


class _Report(NamedTuple):
    """What a producer says of a record that was written."""

    place: RecordMetadata

    def partition(self) -> int:
        return self.place.partition

    def offset(self) -> int:
        return self.place.offset


def meet_item(data: bytes) -> Any:
    """One item between two good ones, admitted together: a good neighbour is admitted whatever it stands beside."""
    return _met(data, [_examiner().examine(item, NOW_US, 0) for item in (BEFORE, data, AFTER)])


def meet_row(data: bytes) -> Any:
    """The same in a run that streams a generated world."""
    return _met(data, [_examiner(TrafficName.FRAUD).examine(item, NOW_US, 0) for item in (ROW_BEFORE, data, ROW_AFTER)])


def _met(data: bytes, examined: list[Admissible | RefusedEvent]) -> Any:
    counts, published = _admitted(examined)
    item = examined[1]
    assert counts == {"ADMIT": 2 + isinstance(item, Admissible)} | ({"QUARANTINE": 1} if isinstance(item, RefusedEvent) else {})
    if isinstance(item, RefusedEvent):
        _contract_refuses(data, item)
        return refusal(Quarantine(item.reason, item.detail))
    name, record = unpack(published[item.envelope.event_id])
    document = json.loads(data)
    assert envelope.check(document) is None, "admitted, and the contract refuses it"
    assert (record["event_id"], record["ts_utc"]) == (document["event_id"], instants.parse(document["ts_utc"]))
    assert record["payload_hash"] == envelope.payload_hash(document["event_type"], document["schema_version"], document["payload"])
    return name, len(canonical(document)).bit_length()


def _contract_refuses(data: bytes, item: RefusedEvent) -> None:
    """What the gate refuses the contract refuses too, unless it is about this run, the clock or the truth, which it does not know.

    Which event types there are is of the run too.
    """
    if item.reason.value in ("TRAFFIC_MODES_MIXED", "EVENT_TYPE_UNKNOWN") and item.event_type in envelope.EVENT_TYPES:
        return
    if item.reason.value in ("RUN_SCOPE_MISMATCH", "TIME_IN_FUTURE", "TIME_TOO_EARLY", "TRUTH_COLUMN_IN_LIVE_ROW", "PINS_MISSING"):
        return
    try:
        document = json.loads(data.decode(), parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return
    refused = envelope.check(document)
    assert refused is not None or "\\u" in data.decode(), f"refused ({item.detail}), and the contract takes it"


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON allows a name twice; which of two counts is said nowhere, so the readers are not compared."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def _admitted(examined: list[Admissible | RefusedEvent]) -> tuple[dict[str, int], dict[str, bytes]]:
    """A group all of whose ids are new, brought to its end as the gate's threads do it: counts and published values by id."""
    group = Group(examined, 1)
    claiming = group.gather({})
    group.weigh({})
    published: dict[str, bytes] = {}
    for event_class, items in group.outgoing().items():
        chosen = [item for i in items if isinstance(item := examined[i], Admissible)]
        made = FRAMER.framed(event_class, chosen, PARTITIONS)
        assert len(made.values) == len(made.keys) == len(made.partitions) == len(items)
        published |= {item.envelope.event_id: value for item, value in zip(chosen, made.values, strict=True)}
        for i, partition in zip(items, made.partitions, strict=True):
            assert 0 <= partition < PARTITIONS
            group.publication.delivered(i, None, _Report(RecordMetadata(partition, i)))
    assert len(group.landed()) == len(claiming)
    outcomes = _Outcomes(group, _writer(), instants.text(NOW_US), [IngestCall([b""] * len(examined), False, caller=OF_RUN_KEY)])
    counts = dict(outcomes.answers[0].counts)
    lines = outcomes.receipts.data.splitlines()
    assert sum(counts.values()) == len(examined) == len(lines) == outcomes.receipts.lines == len(outcomes.answers[0].results)
    assert len(outcomes.quarantine) == counts.get("QUARANTINE", 0)
    for line in lines:
        assert json.loads(line)["receipt_id"]
    quarantined = [i for i, told in enumerate(outcomes.answers[0].results) if told["admission"] == "QUARANTINE"]
    for kept, i in zip(outcomes.quarantine, quarantined, strict=True):
        item = examined[i]
        _kept_whole(kept, item.raw if isinstance(item, RefusedEvent) else raw_of(item))
    return counts, published


def _kept_whole(line: str, raw_item: bytes) -> None:
    """A quarantine line is one line and holds the item as it came."""
    assert "\n" not in line
    held = json.loads(line)
    if "item_base64" in held:
        assert base64.b64decode(held["item_base64"]) == raw_item
    else:
        as_text: dict[str, Any] = {"parse_float": str, "parse_int": str}
        assert json.dumps(json.loads(line, **as_text)["envelope"]) == json.dumps(json.loads(raw_item, **as_text))


def meet_batch(body: bytes) -> Any:
    """A body of many items: all of them end somewhere, or none is taken."""
    return _met_body(body, items_of)


def meet_avro(body: bytes) -> Any:
    """The same in an Avro container."""
    return _met_body(body, avro_items)


def meet_arrow(body: bytes) -> Any:
    """The same in an Arrow stream."""
    return _met_body(body, arrow_items)


def _examined(item: bytes | PlainItem, at: int) -> Admissible | RefusedEvent:
    """A row of columns ends as the envelope in JSON that it is equal to."""
    if isinstance(item, bytes):
        return _examiner().examine(item, NOW_US, at)
    made, alone = made_of(_examiner(), item, NOW_US, at), _examiner().examine(item.raw, NOW_US, at)
    if made is None:
        return alone
    assert isinstance(alone, Admissible), "taken as a column, and refused by itself"
    assert _told(made) == _told(alone)
    return made


def _told(item: Admissible) -> tuple[Any, ...]:
    """What an item says, whether its payload is an object of its own or a row of columns."""
    of = item.payload
    payload = of.kind, of.amount_minor, of.currency, of.entities, of.attributes or {}
    return item.payload_hash, item.dedupe_key, item.ts_us, payload


def _met_body(body: bytes, read: BodyReader) -> Any:
    try:
        items = read(body, ITEMS_MAX)
    except Quarantine as refused:
        return refusal(refused)
    examined = [_examined(item, at) for at, item in enumerate(items)]
    if not items:
        return "empty"
    counts, _ = _admitted(examined)
    return (
        tuple(sorted(counts)),
        len(items).bit_length(),
        tuple(sorted({item.reason for item in examined if isinstance(item, RefusedEvent)})),
    )


def meet_call(body: bytes) -> Any:
    """The bodies of the other calls: one envelope, a mark, a payment and a label in the short form."""
    ended: list[Any] = []
    for read in (one_item, lambda given: mark_of(given, SCOPE, list(_examiner().policy.topics)), _short(payment_of), _short(label_of)):
        try:
            taken = read(body)
        except Quarantine as refused:
            ended.append(refusal(refused))
        else:
            ended.append(type(taken).__name__)
            if isinstance(taken, bytes):
                ended.append(sorted(_admitted([_examiner().examine(taken, NOW_US, 0)])[0]))
    return repr(ended)


def _items() -> list[bytes]:
    """Good items of this run, and every example of the contract as if it were of this run."""
    own = [
        event(),
        event("e-1", "context_fact"),
        event("e-1", "label_assertion", run_id=None),
        event(event_type="AUTH_REQUEST", trace_id="t"),
    ]
    own += [event(payload=paid(attributes={"a": "b", "ü": "😀"}, entities={"customer": None, "x": "y"}))]
    given = [{**e.value, **SCOPE} for e in examples("envelope") if isinstance(e.value, dict)]
    for e in examples():
        if e.document in ("payment", "context_fact", "label_assertion"):
            own.append(event("e-2", "transaction" if e.document == "payment" else e.document, e.value))
    return [raw(document) for document in own + given]


def _rows() -> list[bytes]:
    """A row of every output of a traffic, and the examples of rows as if they were of this run."""
    made = [row(output_id) for output_id in ROWS]
    named = {ENGINE_EVENTS[one["event_type"]].record: one for one in made}
    made += [{**named[e.document], "event_id": "e-2", "payload": {**e.value, **WORLD}} for e in examples() if e.document in named]
    return [raw(document) for document in made]


def _bodies() -> list[bytes]:
    good = _items()
    return [b"[" + b",".join(good[:3]) + b"]", b"[]", b"[" + BEFORE + b", " + AFTER + b"\n, 7, null]"]


def _containers() -> list[bytes]:
    events = [event("e-1"), event("e-2", payload=paid(attributes={"a": "b"})), event("e-3", event_type="AUTH_REQUEST", trace_id="t")]
    bodies = [avro_body("payment", events, codec, size) for codec, size in (("null", 1), ("null", 9_999), ("deflate", 9_999))]
    return [*bodies, avro_body("context_fact", [event("c-1", "context_fact")]), avro_body("payment", [])]


def _streams() -> list[bytes]:
    events = [event("e-1"), event("e-2", payload=paid(attributes={"a": "b"})), event("e-3", event_type="AUTH_REQUEST", trace_id="t")]
    return [arrow_body("payment", events), arrow_body("payment", events, 1), arrow_body("label_assertion", [event("l", "label_assertion")])]


def _calls() -> list[bytes]:
    person = {"amount_minor": 1999, "currency": "EUR", "entities": {"customer": "7"}}
    marks = [mark("2018-04-02T00:00:00.000000Z", final=True), mark("2018-04-02T00:00:00.000000Z", classes=["traffic", "label"])]
    return [raw(document) for document in (person, {**person, "event_id": "mine", "attributes": {"a": "b"}}, *marks, event())]


TARGETS: Final = (
    Target("gate_items", _items, meet_item, 200, text=True, document=True),
    Target("gate_rows", _rows, meet_row, 100, text=True, document=True),
    Target("gate_batches", _bodies, meet_batch, 60, text=True, document=True),
    Target("gate_avro", _containers, meet_avro, 60),
    Target("gate_arrow", _streams, meet_arrow, 60),
    Target("gate_calls", _calls, meet_call, 60, text=True, document=True),
)


def _short(read: Reader) -> Callable[[bytes], bytes]:
    """The envelope of an item in a short form."""
    return lambda given: read(given, SCOPE, NOW_US, 0).envelope(NOW_US)
