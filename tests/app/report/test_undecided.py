"""Why a payment has no decision: quarantined, not decided yet, never sent, or unknown. And how a payment is found by the bank's own id."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from gate_events import event, paid
from records import label
from shown_runs import decision_on, gate_wrote, shown_run
from small_worlds import NOW_US, ROWS, mapping, write

from assay.app.cli import main
from assay.app.oracle.importer import import_world
from assay.app.report.decision_search import find
from assay.app.report.paid import Paid, paid_of, short_id, told_by
from assay.app.run.directory import Run
from assay.codecs.quarantine import quarantine_value
from assay.codecs.single_object import pack
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.handles import QUARANTINE, RTDL, TRAFFIC
from assay.contracts.reasons import Reason

PAYMENT = {
    "event_id": "pay-3", "event_type": "transaction", "ts_utc": 5, "run_id": b"\0" * 16, "producer": "p", "payload_hash": b"\0" * 32,
    "kind": "card", "amount_minor": 1250, "currency": "XYZ", "entities": [], "attributes": {}, "source_order": 0,
}  # fmt: skip
Bus = Callable[[Run, str], Iterable[bytes | None]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    found = shown_run(tmp_path)
    gate_wrote(found, admitted=["pay-1", "pay-3"], refused=[event("pay-2", payload=paid(amount_minor=-1))])
    return found


def nothing(*_: object) -> list[bytes | None]:
    return []


def silent(*_: object) -> list[bytes | None]:
    raise Retry(Reason.BROKER_UNREACHABLE, "nothing answers")


def set_aside(run: Run, handle: str) -> list[bytes | None]:
    """A lane refused payment pay-3; another letter cannot be read and names the id, too. A label has the id of payment pay-1."""
    if handle != QUARANTINE:
        return []
    raw = pack("payment", {**PAYMENT, "pins": decision_on(run, "p1")["pins"]})
    letters = [(b"pay-3, not Avro", Reason.BYTES_GARBAGE), (raw, Reason.CURRENCY_NOT_OF_POLICY)]
    letters.append((label("pay-1", 6, "pay-3", 5), Reason.LABEL_SUBJECT_UNKNOWN))
    return [None, *(quarantine_value(TRAFFIC, 1, at, reason, "in words", 5, data) for at, (data, reason) in enumerate(letters))]


@pytest.mark.parametrize(
    ("wanted", "bus", "kind", "reason", "code", "says"),
    [
        ("pay-2", silent, Stop, Reason.EVENT_QUARANTINED, 1, "quarantined, because AMOUNT_OUT_OF_RANGE"),
        ("pay-1", nothing, Retry, Reason.DECISION_PENDING, 75, "admitted, and not decided yet"),
        ("pay-1", silent, Retry, Reason.DECISION_PENDING, 75, "FP_BUS_RTDL_V1 and FP_BUS_QUARANTINE_V1 were not searched: nothing answers"),
        ("pay-1", set_aside, Retry, Reason.DECISION_PENDING, 75, "admitted, and not decided yet"),
        ("pay-3", silent, Retry, Reason.DECISION_PENDING, 75, "a lane may have decided or refused it since"),
        ("pay-3", set_aside, Stop, Reason.EVENT_QUARANTINED, 1, "quarantined by a lane, because CURRENCY_NOT_OF_POLICY: in words"),
        ("p3", nothing, Stop, Reason.DECISION_NOT_FOUND, 66, "the gate has not seen it"),
        ("pay-4", nothing, Stop, Reason.DECISION_NOT_FOUND, 66, "'pay-4' is unknown"),
        ("pay-4", silent, Stop, Reason.DECISION_NOT_FOUND, 66, "FP_BUS_RTDL_V1 was not searched"),
        ("pay", nothing, Stop, Reason.DECISION_NOT_FOUND, 66, "'pay' is unknown"),
        ("\ud800", nothing, Stop, Reason.DECISION_NOT_FOUND, 66, "is unknown"),
    ],
)
def test_what_is_not_decided_is_told_apart(
    run: Run, wanted: str, bus: Bus, kind: type[AssayError], reason: Reason, code: int, says: str
) -> None:
    with pytest.raises(kind) as refused:
        find(run, wanted, bus)
    assert refused.value.reason is reason
    assert refused.value.exit_code == code
    assert says in str(refused.value)


def test_an_id_that_is_unknown_may_be_of_a_row_that_was_set_aside_at_import(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "some.csv", {**ROWS, "amount": ["1.00", "x", "3.00", "4.00"]})
    world = import_world(file, mapping(), run.store, NOW_US, aside=tmp_path / "aside.jsonl")
    config = run.config.model_copy(update={"manifest_fingerprint": world.manifest.manifest_fingerprint})
    with pytest.raises(Stop) as refused:
        find(run.model_copy(update={"config": config}), "p2", nothing)
    assert refused.value.reason is Reason.DECISION_NOT_FOUND
    assert "1 row set aside at import (INPUT_VALUE_INVALID 1)" in refused.value.what
    assert "the file that --quarantine-rows named" in refused.value.remedy


def test_a_duplicate_that_was_changed_does_not_put_its_payment_into_quarantine(tmp_path: Path) -> None:
    """The first one was admitted; what is under its id in quarantine is another payload."""
    run = shown_run(tmp_path)
    gate_wrote(run, admitted=["pay-1"], refused=[event("pay-1", payload=paid(amount_minor=-1))], sealed=False)
    with pytest.raises(Retry) as refused:
        find(run, "pay-1", nothing)
    assert refused.value.reason is Reason.DECISION_PENDING


def test_a_payment_is_found_by_the_id_that_it_has_in_its_file(run: Run) -> None:
    by_file = find(run, "p1", silent)
    assert by_file == find(run, by_file.decision["source_event"]["event_id"], silent)


def test_a_payment_of_the_file_that_is_not_audited_yet_is_found_on_the_bus(run: Run) -> None:
    fresh = decision_on(run, "p2")
    found = find(run, "p2", lambda _, handle: [pack("decision_response", fresh)] if handle == RTDL else [])
    assert found.decision["source_event"] == fresh["source_event"]


def shown(run: Run, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(["decision", "show", "p1", "--run", str(run.directory), *options])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_show_begins_with_the_payment_the_outcome_and_the_reasons_in_words(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.rstrip() for line in shown(run, capsys).splitlines()]
    event_id = find(run, "p1").decision["source_event"]["event_id"]
    assert lines[:10] == [
        "customer  7",
        "57.16 EUR · 2018-04-01T00:00:31.000000Z",
        f"card {event_id} · p1 in the file",
        "STEP_UP, score 35   (STEP_UP from 30)",
        "",
        "MANY  +30 points",
        "  payments of this customer within 1d: 4 (at least 3)",
        "DEAR  +5 points",
        "  amount: 57.16 EUR (more than 2 times the mean payment of this customer within",
        "  1d, which is 37.14 EUR)",
    ]
    assert [line.split() for line in lines[12:14]] == [["count_1d", "*", "4"], ["mean_1d", "*", "37.14", "EUR"]]


def test_hashes_come_last(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(run, capsys).splitlines()
    names = [line.split("  ")[0] for line in lines[lines.index("") + 1 :] if line]
    first = names.index("audit id")
    assert names[first - 9 : first] == [
        "posture",
        "action",
        "decided at",
        "record",
        "journal",
        "basis",
        "bundle",
        "proof",
        "vouched for by",
    ]
    assert all("sha256" not in line for line in lines[: lines.index(next(line for line in lines if line.startswith("audit id")))])


def test_json_rounds_nothing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(shown(run, capsys, "--json"))
    payment = {
        "amount_minor": 5716,
        "currency": "EUR",
        "amount": "57.16 EUR",
        "entities": {"customer": "7"},
        "kind": "card",
        "source_id": "p1",
    }
    assert told["payment"] == payment
    assert told["features"] == {"count_1d": 4, "mean_1d": 3714.285714285714, "is_night": 1}
    assert [(reason["code"], reason["points"]) for reason in told["reasons"]] == [("MANY", 30), ("DEAR", 5)]


@pytest.mark.parametrize(("first", "typed"), [("p1", True), ("p 1ü", True), ("-p1", False), ("p\u202e1", False)])
def test_a_payment_is_called_by_its_id_in_the_file_where_a_person_can_type_it(tmp_path: Path, first: str, *, typed: bool) -> None:
    made = shown_run(tmp_path, id=[first, "p2", "p3", "p4"], wanted=first)
    source = decision_on(made, first)["source_event"]
    assert short_id(made, source["ts_utc"], source["event_id"]) == (first if typed else source["event_id"])
    assert short_id(made, source["ts_utc"], "live") == "live"


def test_what_the_decision_says_goes_before_the_world_and_suffices_without_one(run: Run) -> None:
    told = {"entities": {"customer": "7", "merchant": "told", "shop": ""}}
    decision = {**decision_on(run, "p1"), **told}
    assert paid_of(run, decision).entities == {"customer": "7", "merchant": "told"}
    other = {**decision, "source_event": {**decision["source_event"], "event_id": "live"}}
    assert paid_of(run, other) == Paid(5716, "EUR", {"customer": "7", "merchant": "told"})


def test_an_older_decision_says_nothing_and_its_payment_is_found_in_the_world(run: Run) -> None:
    older = {**decision_on(run, "p1"), "amount_minor": 0, "currency": "", "entities": {}}
    assert told_by(older) == Paid()
    assert paid_of(run, older)[:5] == (5716, "EUR", {"customer": "7"}, "card", "p1")


def test_a_decision_of_nobodys_payment_says_so() -> None:
    told: dict[str, Any] = {"amount_minor": 0, "currency": "", "entities": {}}
    assert told_by(told).amount == "amount no longer at hand"
