"""What a gate examines holds tokens and no declared id, in whatever form it came; a refused item is kept without its ids, or not at all."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from gate_events import LABEL, NOW_US, SCOPE, event, paid, raw
from said_ready import OPEN

from assay.app.bench.bodies import body_of
from assay.app.gate.admission import Admissible, Examiner, RefusedEvent, raw_of
from assay.app.gate.arrivals import Arrivals
from assay.app.gate.body_arrow import arrow_items
from assay.app.gate.body_avro import avro_items
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.marks import LastMarks
from assay.app.gate.plain_payments import PlainItem
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.pseudonyms import Pseudonyms
from assay.app.gate.receipts import mismatch
from assay.app.gate.run_names import ANY_NAMES, RunNames
from assay.app.gate.short_forms import Item, label_of, payment_of, short_items
from assay.app.vault.key import VaultKey
from assay.app.vault.tables import PREFIX
from assay.app.vault.tokens import Vault
from assay.contracts.canonical import hex64
from assay.contracts.reasons import Reason

RUN, KEY = str(SCOPE["platform_run_id"]), VaultKey("k" * 32)
SEEN = "id-in-clear"
DECLARED = ("card", "customer")
ENTITIES = {"card": f"{SEEN}-card", "customer": SEEN, "terminal": "t-1"}
NAMES = RunNames(("customer", "terminal"))


def arrivals(dsn: str, names: RunNames = ANY_NAMES, declared: Sequence[str] = DECLARED) -> Arrivals:
    examiner, index = Examiner(shipped_admission_policy(), SCOPE, names), AdmissionIndex(dsn)
    pseudonyms = Pseudonyms(declared, Vault(KEY, index.ask), examiner) if declared else None
    return Arrivals(examiner, index, names, RUN, LastMarks(index, RUN, 0), lambda: OPEN, pseudonyms)


def examined(dsn: str, *items: Item, names: RunNames = ANY_NAMES) -> list[Admissible | RefusedEvent]:
    return arrivals(dsn, names).examine(items, NOW_US, 0)


def admitted(dsn: str, *items: Item) -> list[Admissible]:
    found = [item for item in examined(dsn, *items) if isinstance(item, Admissible)]
    assert len(found) == len(items)
    return found


def everything(item: Admissible | RefusedEvent) -> str:
    """All of an item that could be kept or told."""
    kept = raw_of(item) if isinstance(item, Admissible) else item.raw
    return repr(item) + kept.decode("utf-8", "backslashreplace") + repr(mismatch(item) if isinstance(item, Admissible) else "")


def in_forms() -> dict[str, Item]:
    """The same payment, in each form in which one may come."""
    document = event(payload=paid(entities=ENTITIES))
    (avro,), (arrow,) = avro_items(body_of("avro", "payment", [document]), 9), arrow_items(body_of("arrow", "payment", [document]), 9)
    return {"json": raw(document), "spread": json.dumps(document, indent=1).encode(), "avro": avro, "arrow": arrow}


def test_each_form_of_a_payment_ends_the_same_and_with_tokens(dsn: str) -> None:
    forms = in_forms()
    assert {type(forms[name]) for name in ("avro", "arrow")} == {PlainItem}, "the fast way is tried"
    found = admitted(dsn, *forms.values())
    assert len({item.payload_hash for item in found}) == len({item.dedupe_key for item in found}) == 1
    for item in found:
        assert SEEN not in everything(item)
        assert item.payload.entities["terminal"] == "t-1"
        assert [item.payload.entities[name][:4] for name in DECLARED] == [PREFIX, PREFIX]
        assert item.payload.entities["card"] != item.payload.entities["customer"]


def test_the_payload_hash_is_that_of_the_payment_with_tokens(dsn: str) -> None:
    (item,) = admitted(dsn, raw(event(payload=paid(entities=ENTITIES))))
    (plain,) = arrivals(dsn, declared=()).examine([raw(event(payload=paid(entities=item.payload.entities)))], NOW_US, 0)
    assert isinstance(plain, Admissible)
    assert (plain.payload_hash, plain.dedupe_key) == (item.payload_hash, item.dedupe_key)


def test_columns_in_which_ids_differ_and_ids_are_shared_have_the_tokens_of_their_rows(dsn: str) -> None:
    documents = [event(f"e-{n}", payload=paid(entities={"card": f"c-{n % 3}", "customer": "same", "terminal": "t"})) for n in range(7)]
    columns = arrow_items(body_of("arrow", "payment", documents), 9)
    assert {type(item) for item in columns} == {PlainItem}
    assert len(arrivals(dsn, declared=()).examine(columns, NOW_US, 0)) == 7, "looked at before, in clear"
    found = admitted(dsn, *columns, *map(raw, documents))
    assert [item.payload_hash for item in found[:7]] == [item.payload_hash for item in found[7:]]
    assert len({item.payload.entities["card"] for item in found}) == 3


def test_the_short_form_is_kept_as_it_was_posted_but_for_its_ids(dsn: str) -> None:
    body = {"amount_minor": 1, "currency": "EUR", "entities": ENTITIES, "event_id": "mine"}
    (item,) = admitted(dsn, payment_of(raw(body), SCOPE, NOW_US, 0))
    assert SEEN not in everything(item)
    assert json.loads(raw_of(item)) == {**body, "entities": item.payload.entities}


def test_an_id_that_the_gate_gives_out_tells_nothing_of_the_payment() -> None:
    """Else who knows amount and time could try ids until the digest is the same."""
    body = raw({"amount_minor": 1, "currency": "EUR", "entities": ENTITIES})
    first, second = payment_of(body, SCOPE, NOW_US, 0), payment_of(body, SCOPE, NOW_US, 0)
    assert first.event_id == second.event_id, "within a process"
    document = {name: value for name, value in json.loads(first.envelope(0)).items() if name != "event_id"}
    assert first.event_id not in {hex64({**document, "posted_us": NOW_US, "item": 0, **more}) for more in ({}, {"salt": ""})}


def test_facts_have_tokens_and_labels_are_as_they_were(dsn: str) -> None:
    fact = raw(event("f-1", "context_fact", {"entities": {"card": SEEN, "merchant": "m"}}))
    label = raw(event("l-1", "label_assertion", LABEL))
    found = admitted(dsn, fact, label)
    assert SEEN not in everything(found[0])
    assert raw_of(found[1]) == label
    payment = payment_of(raw({"amount_minor": 1, "currency": "EUR", "entities": ENTITIES, "event_id": "mine"}), SCOPE, NOW_US - 9, 0)
    short = label_of(raw({"payment": "mine", "label": "FRAUD"}), SCOPE, NOW_US, 0)
    assert admitted(dsn, payment, short)[1].payload.subject_event_id == "mine"


def test_a_card_number_that_is_replaced_is_admitted_and_any_other_is_refused(dsn: str) -> None:
    card = "4111111111111111"
    items = [event(payload=paid(entities={**ENTITIES, name: card})) for name in ("card", "terminal")]
    replaced, refused = examined(dsn, *map(raw, items))
    assert isinstance(replaced, Admissible)
    assert card not in everything(replaced)
    assert isinstance(refused, RefusedEvent)
    assert refused.reason is Reason.PAN_IN_CLEAR
    assert card not in everything(refused)


REFUSED_WITH_TOKENS: list[tuple[Any, Reason]] = [
    (event(payload=paid(entities=ENTITIES, amount_minor=-1)), Reason.AMOUNT_OUT_OF_RANGE),
    (event(payload=paid(entities=ENTITIES, currency="XQZ")), Reason.CURRENCY_UNKNOWN),
    (event(payload=paid(entities=ENTITIES), seed=8), Reason.RUN_SCOPE_MISMATCH),
    (event(payload=paid(entities=ENTITIES), run_id=None), Reason.PINS_MISSING),
    (event(payload=paid(entities={**ENTITIES, "customer": f"{SEEN} "})), Reason.BLANKS_AROUND_ID),
    (event(payload=paid(entities={"customer": None, "account": "a"})), Reason.ENTITY_MISSING),
]


@pytest.mark.parametrize(("document", "reason"), REFUSED_WITH_TOKENS)
def test_a_refused_item_in_a_known_form_is_kept_with_tokens(dsn: str, document: Any, reason: Reason) -> None:
    (item,) = examined(dsn, raw(document), names=NAMES)
    assert isinstance(item, RefusedEvent)
    assert item.reason is reason
    assert json.loads(item.raw).keys() == document.keys()
    assert SEEN not in everything(item)


GOOD = raw(event(payload=paid(entities=ENTITIES)))
WITHHELD: list[tuple[bytes, Reason]] = [
    (GOOD[:-4], Reason.ENVELOPE_INVALID),
    (f'["{SEEN}"]'.encode(), Reason.ENVELOPE_INVALID),
    (raw(event(payload={**paid(), "Entities": ENTITIES})), Reason.SCHEMA_FAIL),
    (raw(event(payload={**paid(), "customer": SEEN})), Reason.SCHEMA_FAIL),
    (raw(event(customer=SEEN)), Reason.ENVELOPE_INVALID),
    (raw(event(payload=[ENTITIES])), Reason.ENVELOPE_INVALID),
    (raw(event(payload=paid(entities={"costumer": SEEN}))), Reason.ENTITY_UNKNOWN),
    (raw(event(payload=paid(entities={"customer": [SEEN]}))), Reason.SCHEMA_FAIL),
    (raw(event(event_type="nothing", payload=paid(entities=ENTITIES))), Reason.EVENT_TYPE_UNKNOWN),
    (raw(event(payload=paid(entities={}))).replace(b'"entities":{}', f'"entities":{{"customer":"{SEEN}","customer":"c"}}'.encode()),
     Reason.KEY_DUPLICATE),
    (raw(event(payload=paid(entities={"customer": f"{SEEN}\x07"}))), Reason.CONTROL_CHARACTER),
    (GOOD.replace(b'"entities":', b'"entities":{"customer":"c"},"entities":'), Reason.KEY_DUPLICATE),
    (GOOD.replace(b'"payload":', b'"payload":' + raw({"entities": ENTITIES}) + b',"payload":'), Reason.KEY_DUPLICATE),
    (GOOD[:-3] + b'},"entities":{"customer":"c"}}}', Reason.KEY_DUPLICATE),
    (raw(event(payload=paid(entities=ENTITIES), seed=8))[:-1] + b',"payload":' + raw(paid()) + b"}", Reason.RUN_SCOPE_MISMATCH),
]  # fmt: skip


@pytest.mark.parametrize(("item", "reason"), WITHHELD)
def test_of_an_item_whose_ids_may_stand_anywhere_size_and_a_keyed_digest_are_kept(dsn: str, item: bytes, reason: Reason) -> None:
    (found,) = examined(dsn, item, names=NAMES)
    (plain,) = arrivals(dsn, NAMES, declared=()).examine([item], NOW_US, 0)
    assert isinstance(found, RefusedEvent)
    assert isinstance(plain, RefusedEvent)
    assert (found.reason, found.event_id) == (plain.reason, plain.event_id) == (reason, found.event_id)
    kept = json.loads(found.raw)["withheld"]
    assert kept.keys() == {"bytes", "hmac_sha256"}
    assert len(kept["hmac_sha256"]) == 64
    told = everything(found)
    assert [form for form in (SEEN, base64.b64encode(item).decode()) if form in told] == []


def test_an_item_of_an_array_that_cannot_be_read_is_not_kept_either(dsn: str) -> None:
    bodies = [{"amount_minor": "x", "currency": "EUR", "entities": ENTITIES}, {"amount_minor": 1, "customer": SEEN}, SEEN]
    items, _ = short_items(raw(bodies), payment_of, SCOPE, NOW_US, 9)
    found = examined(dsn, *items)
    assert [isinstance(item, RefusedEvent) and list(msgspec.json.decode(item.raw)) for item in found] == [["withheld"]] * 3
    assert [item for item in found if SEEN in everything(item)] == []


def test_a_client_cannot_say_itself_that_a_body_is_withheld(dsn: str) -> None:
    (item,) = examined(dsn, raw({"withheld": {"bytes": 1, "note": SEEN}}))
    assert SEEN not in everything(item)


def test_two_bodies_that_are_not_kept_are_told_apart(dsn: str) -> None:
    first, second = examined(dsn, GOOD[:-4], GOOD[:-5])
    assert isinstance(first, RefusedEvent)
    assert isinstance(second, RefusedEvent)
    assert first.raw != second.raw


def test_a_run_that_declares_nothing_has_its_ids_as_they_came(dsn: str) -> None:
    (item,) = arrivals(dsn, declared=()).examine([GOOD], NOW_US, 0)
    assert isinstance(item, Admissible)
    assert (item.payload.entities, raw_of(item)) == (ENTITIES, GOOD)
