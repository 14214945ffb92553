"""Receipts say what was decided about which event under which policy, and a quarantine record holds the item as it came."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from gate_events import SCOPE, admissible, event, examined, paid

from assay.app.gate.admission import RefusedEvent
from assay.app.gate.answer_types import ReceiptFound
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.receipts import ReceiptWriter, actor_json, mismatch
from assay.app.gate.standing import RecordMetadata, Verdict
from assay.contracts.caller import Caller
from assay.contracts.ids import receipt_id
from assay.contracts.pins import Pins

ACTOR = actor_json(Caller("HUMAN::ana", "HUMAN", "api_key", "k-1"))
AT = "2026-01-01T00:00:00.000001Z"
WRITER = ReceiptWriter(
    shipped_admission_policy(), Pins.of(SCOPE), {"traffic": "ns.traffic", "context": "ns.context", "label": "ns.labels"}, bytes(32)
)


@pytest.mark.parametrize("event_id", ["e-1", 'quote"back\\slash', "ünï\u00a0\u2028💳"])
def test_a_receipt_of_an_admission_is_one_line_with_all_required_fields(event_id: str) -> None:
    item = admissible(event(event_id))
    receipt, line = WRITER.admitted(item, Verdict.ADMIT, RecordMetadata(2, 77), AT, ACTOR)
    read = json.loads(line)
    assert "\n" not in line
    assert receipt == read["receipt_id"] == receipt_id("ADMIT", event_id)
    assert read["eb_ref"] == {"topic": "ns.traffic", "partition": 2, "offset": "77", "offset_kind": "kafka_offset"}
    assert read["run_config_digest"] == bytes(32).hex()
    assert read["policy_rev"] == {"policy_id": "none", "revision": "0"}
    assert read["admission_policy"] == {"policy_id": "ig_policy", "revision": "3", "content_digest": shipped_admission_policy().digest}
    expected = {"decision": "ADMIT", "event_id": event_id, "event_class": "traffic", "admitted_at_utc": AT, "reason_codes": []}
    pins = {name: SCOPE[name] for name in ("platform_run_id", "scenario_run_id", "manifest_fingerprint")}
    assert {**read, **expected, **pins} == read
    assert read["payload_hash"] == item.payload_hash.hex()


def test_a_duplicate_points_to_the_place_of_the_first() -> None:
    receipt, line = WRITER.admitted(admissible(event("e-1")), Verdict.DUPLICATE, RecordMetadata(0, 3), AT, ACTOR)
    read = json.loads(line)
    assert (read["decision"], read["reason_codes"], read["eb_ref"]["offset"]) == ("DUPLICATE", ["DUPLICATE"], "3")
    assert receipt == receipt_id("DUPLICATE", "e-1")


def test_a_quarantine_keeps_the_whole_item() -> None:
    refused = examined(event("e-1", surprise="ä"))
    assert isinstance(refused, RefusedEvent)
    _, line, record = WRITER.quarantined(refused, AT, ACTOR)
    assert json.loads(record)["envelope"] == event("e-1", surprise="ä")
    assert json.loads(line)["evidence_refs"][0]["ref"].endswith(json.loads(record)["quarantine_id"])


@pytest.mark.parametrize("item", [b'{"event_id":"\xff"}', b'{"\xed\xa0\x80":1}', b"7", b"[" * 5_000 + b"]" * 5_000])
def test_what_is_no_object_of_text_is_kept_too(item: bytes) -> None:
    refused = examined(item)
    assert isinstance(refused, RefusedEvent)
    record = json.loads(WRITER.quarantined(refused, AT, ACTOR)[2])
    assert base64.b64decode(record["item_base64"]) == item
    assert record["event_id"] == "unknown"


def _quarantined(document: Any) -> tuple[str, str, str]:
    """The ids of a refused item: told to its sender, of its receipt, of its quarantine record."""
    refused = examined(document)
    assert isinstance(refused, RefusedEvent)
    receipt, line, record = WRITER.quarantined(refused, AT, ACTOR)
    return receipt, json.loads(line)["receipt_id"], json.loads(record)["quarantine_id"]


NAMELESS = [
    7,
    b"8",
    b'{"event_id":"\xff"}',
    event(event_id=None),
    event(event_id=""),
    {**event(), "event_id": 1},
    event("unknown", surprise=1),
]
CUT = [event("x" * 256 + last) for last in "ab"]


def test_a_receipt_that_is_looked_up_has_the_form_that_the_specification_tells() -> None:
    refused = [examined(document) for document in [*NAMELESS, *CUT, event("e-1", payload=paid(amount_minor=-1))]]
    lines = [WRITER.quarantined(one, AT, ACTOR)[1] for one in refused if isinstance(one, RefusedEvent)]
    lines.append(WRITER.admitted(admissible(event("e-2")), Verdict.ADMIT, RecordMetadata(2, 77), AT, ACTOR)[1])
    found = [msgspec.json.decode(line, type=ReceiptFound) for line in lines]
    assert {one.decision for one in found} == {"ADMIT", "QUARANTINE"}
    assert {one.ts_utc is None for one in found} == {True, False}


def test_no_two_refused_items_without_an_id_share_one() -> None:
    ids = [_quarantined(document) for document in [*NAMELESS, *CUT]]
    assert len(set(ids)) == len(ids)
    assert all(len(set(same)) == 1 for same in ids), "receipt and record of one item have the same"
    assert [_quarantined(document) for document in [*NAMELESS, *CUT]] == ids, "and an item sent again has its own again"


def test_two_payloads_under_one_event_id_have_quarantine_ids_of_their_own() -> None:
    ids = [_quarantined(event("e-1", payload=paid(amount_minor=amount))) for amount in (-1, -2)]
    assert ids[0] != ids[1]
    mismatches = [mismatch(admissible(event("e-1", payload=paid(amount_minor=amount)))) for amount in (1, 2)]
    written = [WRITER.quarantined(refused, AT, ACTOR) for refused in mismatches]
    assert written[0][0] != written[1][0]
    assert [json.loads(record)["quarantine_id"] for _, _, record in written] == [receipt for receipt, _, _ in written]


def test_a_refusal_says_where_it_is_and_what_helps_in_receipt_and_record() -> None:
    refused = examined(event("e-1", payload=paid(currency="EUE")))
    assert isinstance(refused, RefusedEvent)
    for line in WRITER.quarantined(refused, AT, ACTOR)[1:]:
        told = json.loads(line)
        assert (told["where"], told["remedy"].split("?")[0]) == ("$.payload.currency", "Did you mean 'EUR'")


def test_an_item_on_many_lines_is_kept_on_one_with_its_numbers_as_they_were() -> None:
    refused = examined(b'{\n "seed": 1e2,\n "event_id": "e-1"\n}')
    assert isinstance(refused, RefusedEvent)
    record = WRITER.quarantined(refused, AT, ACTOR)[2]
    assert "\n" not in record
    assert '"seed":1e2' in record


def test_a_mismatch_names_the_payload_that_came_second() -> None:
    item = admissible(event("e-1", payload=paid(amount_minor=9)))
    assert item.payload_hash.hex() in mismatch(item).detail
