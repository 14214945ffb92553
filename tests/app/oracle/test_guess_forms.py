"""A guess finds where the parts of a payment stand; what several readings fit is asked, never chosen."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from guess_rows import ROWS, guess_of, mapping_of

from assay.app.oracle.guess.document import document
from assay.app.oracle.guess.guessing import guess
from assay.app.oracle.guess.sample import sample_of
from assay.app.oracle.guess.words import words
from assay.app.oracle.mapping import TODO, parse_mapping
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.truth_names import gate_truth_names


@pytest.mark.parametrize(
    ("values", "time"),
    [
        ([f"2024-02-0{n % 9 + 1}T10:00:00Z" for n in range(12)], {"column": "paid_at"}),
        ([f"2024-02-0{n % 9 + 1} 10:00:00+01:00" for n in range(12)], {"column": "paid_at"}),
        ([f"2024-02-0{n % 9 + 1} 10:00:00" for n in range(12)], {"column": "paid_at", "zone": TODO}),
        ([f"{n + 8:02}/02/2024 10:30" for n in range(12)], {"column": "paid_at", "format": "%d/%m/%Y %H:%M", "zone": TODO}),
        ([f"02/{n + 8:02}/2024 10:30" for n in range(12)], {"column": "paid_at", "format": "%m/%d/%Y %H:%M", "zone": TODO}),
        ([f"{n % 9 + 1:02}/02/2024 10:30" for n in range(12)], {"column": "paid_at", "format": TODO, "zone": TODO}),
        ([f"{n % 9 + 1:02}/02/24 10:30" for n in range(12)], {"column": "paid_at", "format": TODO, "zone": TODO}),
        ([f"{n + 10}.02.2024" for n in range(12)], {"column": "paid_at", "format": "%d.%m.%Y", "zone": TODO}),
        ([f"{n + 10} Feb 2024" for n in range(12)], {"column": "paid_at", "format": "%d %b %Y", "zone": TODO}),
        ([20240210 + n for n in range(12)], {"column": "paid_at", "format": "%Y%m%d", "zone": TODO}),
        ([1_700_000_000 + n for n in range(12)], {"column": "paid_at", "unit": "s"}),
        ([1_700_000_000_000 + n for n in range(12)], {"column": "paid_at", "unit": "ms"}),
        ([str(1_700_000_000_000_000 + n) for n in range(12)], {"column": "paid_at", "unit": "us"}),
    ],
)
def test_a_time_is_known_by_its_form_and_asked_for_where_it_may_be_two(values: list[Any], time: dict[str, Any]) -> None:
    assert mapping_of(guess_of(paid_at=values))["time"] == time


def test_a_day_and_a_time_of_day_in_two_columns_are_one_time() -> None:
    days, clocks = [f"{n + 8:02}.02.2024" for n in range(12)], [f"{n:02}:15" for n in range(12)]
    frame = pl.DataFrame({"Datum": days, "Uhrzeit": clocks, **{name: ROWS[name] for name in ("payment_id", "amount", "customer")}})
    found = mapping_of(guess(sample_of(frame, "all", []), "small"))
    assert found["time"] == {"columns": ["Datum", "Uhrzeit"], "format": "%d.%m.%Y %H:%M", "zone": TODO}


@pytest.mark.parametrize(
    ("changes", "part", "value"),
    [
        ({"amount": [f"-{n}.5" for n in range(1, 13)]}, "amount", {"column": "amount", "sign": "negative"}),
        ({"amount": [f"{n - 6}.5" for n in range(1, 13)]}, "amount", {"column": "amount", "sign": TODO}),
        ({"amount": [f"{n}.50 EUR" for n in range(12)]}, "currency", {"constant": "EUR"}),
        ({"amount": [f"€ {n}.50" for n in range(12)]}, "currency", {"constant": "EUR"}),
        ({"amount": [f"${n}.50" for n in range(12)]}, "currency", {"constant": TODO}),
        ({"amount": [f"{n + 1}.000" for n in range(12)]}, "csv", {"decimal": TODO}),
        ({"amount": [f"{n + 1},125" for n in range(12)]}, "csv", {"decimal": TODO}),
        ({"amount": [f"{n}.125" for n in range(12)]}, "currencies", {TODO: 3}),
        ({"ccy": ["EUR", "USD"] * 6}, "currency", {"column": "ccy"}),
        ({"ccy": ["EUR", "USD"] * 6}, "currencies", ["EUR", "USD"]),
        ({"ccy": ["EUR"] * 12}, "currencies", ["EUR"]),
        ({"is_fraud": ["no", "YES"] + ["no"] * 10}, "truth", {"column": "is_fraud", "positive": ["YES"], "delay": TODO}),
        ({"is_fraud": ["0"] * 12}, "truth", {"column": "is_fraud", "positive": [1], "delay": TODO}),
        ({"is_fraud": ["1"] * 11 + ["0"]}, "truth", {"column": "is_fraud", "positive": TODO, "delay": TODO}),
        ({"is_fraud": ["a", "b"] * 6}, "truth", {"column": "is_fraud", "positive": TODO, "delay": TODO}),
        ({"is_fraud": [None] * 12, "Class": ["1", "2"] * 6}, "truth",
         {"column": "Class", "positive": TODO, "delay": TODO, "also": ["is_fraud"]}),
        ({"amount": ["x"] * 12, "total_all": ["1.5"] * 12}, "currency", {"constant": TODO}),
        ({"amount": ["x"] * 12, "paid_gbp": ["1.5"] * 12}, "currency", {"constant": "GBP"}),
        ({"payment_id": [f"p{n // 2}" for n in range(12)], "line": [str(n % 2) for n in range(12)]}, "id",
        {"columns": ["payment_id", "line"]}),
        ({"payment_id": ["p"] * 12}, "id", {"row": True}),
        ({"customer": ["4111", "4112", "4113"] * 4}, "entities", {"customer": "customer"}),
        ({"txnRef": ["C123456", "C223456", "C323456"] * 4}, "entities", {"customer": "customer"}),
        ({"ipaddress": ["10.0.0.1", "10.0.0.2", "10.0.0.1"] * 4}, "entities", {"customer": "customer", "ip": "ipaddress"}),
        ({"merchantid": ["7", "8", "9"] * 4}, "entities", {"customer": "customer", "merchant": "merchantid"}),
        ({"accountbalance": ["7", "8", "9"] * 4}, "entities", {"customer": "customer"}),
        ({"ccy": ["usd"] * 12}, "currency", {"constant": TODO}),
        ({"Created UTC": ROWS["paid_at"], "paid_at": ["x"] * 12}, "time", {"column": "Created UTC", "zone": "UTC"}),
        ({"month": ["0", "1", "2"] * 4, "paid_at": ["x"] * 12}, "time", {"column": "month", "unit": "month", "origin": TODO}),
        ({"terminalId": ["1", "2", "3"] * 4}, "entities", {"customer": "customer", "terminal": "terminalId"}),
    ],
)  # fmt: skip
def test_a_part_is_found_by_names_and_values(changes: dict[str, Any], part: str, value: Any) -> None:
    assert mapping_of(guess_of(**changes))[part] == value


@pytest.mark.parametrize(("nothing", "drop"), [(None, "[null]"), ("0.00", "[0]")])
def test_debits_and_credits_are_two_columns_whose_sign_is_asked_for(nothing: str | None, drop: str) -> None:
    debits, credits_ = ["5.00", nothing] * 6, [nothing, "7.00"] * 6
    frame = pl.DataFrame({**{name: ROWS[name] for name in ("payment_id", "paid_at", "customer")}, "Debit": debits, "Credit": credits_})
    found = guess(sample_of(frame, "all", []), "small")
    assert mapping_of(found)["amount"] == {"debit": "Debit", "credit": "Credit", "sign": TODO}
    assert f"filter: [{{column: Debit, drop: {drop}}}]" in next(leaf.ask for leaf in found.open if leaf.place == "amount.sign")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("TransactionAmt", ("transaction", "amt")),
        ("cc_num", ("cc", "num")),
        ("TX_DATETIME", ("tx", "datetime")),
        ("customerid", ("customer", "id")),
        ("isfraud", ("is", "fraud")),
        ("oldbalanceOrg", ("old", "balance", "org")),
        ("card1", ("card", "1")),
        ("Währung", ("wahrung",)),
        ("Is Fraud?", ("is", "fraud")),
        ("timestamp", ("timestamp",)),
        ("idea", ("idea",)),
    ],
)
def test_the_words_of_a_name_are_those_a_person_reads(name: str, found: tuple[str, ...]) -> None:
    assert words(name) == found


@pytest.mark.parametrize("name", sorted(gate_truth_names()))
def test_a_column_that_the_gate_takes_for_the_truth_never_travels_with_a_payment(name: str) -> None:
    for values in (["0", "1"] * 6, [f"v{n}" for n in range(12)], [str(n * 7919) for n in range(12)], ["x", "y", "z"] * 4):
        for changes in ({}, {"is_fraud": [None] * 12}):
            found = mapping_of(guess_of(**changes, **{name.upper(): values}))
            assert name.upper() not in [*found.get("attributes", []), *found["entities"].values(), *found["kind"].values(), found["id"]]


def test_without_a_truth_a_column_with_its_name_does_not_travel_either() -> None:
    notes = {"payment_id": [f"p{n}" for n in range(40)], "amount": ["1.50"] * 40, "fraud_note": [f"text {n}" for n in range(40)]}
    found = mapping_of(guess(sample_of(pl.DataFrame(notes), "all", []), "small"))
    assert "attributes" not in found
    assert "truth" not in found


def test_a_column_whose_values_only_frauds_have_is_kept_with_the_truth() -> None:
    rows = 200
    frame = pl.DataFrame({
        "payment_id": [f"p{n}" for n in range(rows)], "paid_at": ["2024-02-02 10:00:00Z"] * rows, "amount": ["1.50"] * rows,
        "customer": [f"c{n % 7}" for n in range(rows)], "is_fraud": [int(n % 5 == 0) for n in range(rows)],
        "case_state": ["open" if n % 5 == 0 else "none" for n in range(rows)], "region": ["web", "pos"] * (rows // 2),
    })  # fmt: skip
    found = mapping_of(guess(sample_of(frame, "all", []), "small"))
    assert found["truth"]["also"] == ["case_state"]
    assert found["attributes"] == ["region"]


def test_what_the_file_does_not_tell_is_refused_by_its_place_until_it_is_said() -> None:
    found = guess_of()
    assert [leaf.place for leaf in found.open] == ["time.zone", "currency.constant", "truth.delay"]
    with pytest.raises(Stop) as refusal:
        parse_mapping(document(found, "guessed"), "here.yaml")
    assert refusal.value.reason == Reason.MAPPING_INVALID
    assert refusal.value.what.startswith("time.zone, currency.constant, truth.delay: TODO")
    assert "comment above" in refusal.value.remedy


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"is_fraud": [None] * 12}, "is_fraud: no row read has a value"),
        ({"card": ["4.11E+15", "4.12E+15", "c"] * 4}, "card: a spreadsheet kept the first digits"),
        ({"status": ["booked", "Reversed"] * 6}, "'status' has Reversed, booked: take rows that are no payments out with 'filter'"),
        ({"booked_at": ["2024-02-02 11:00:00"] * 12}, "booked_at could be the time, too; 'paid_at' fits best"),
        ({"outcome": ["a", "b", "c"] * 4}, "outcome: take it out of the payments if it is not known before they are decided"),
        ({"amount": [str(n) for n in range(12)]}, "all amounts of 'amount' are whole numbers"),
        ({"parts": [[1]] * 12}, "parts: lists, objects and bytes are not read"),
    ],
)
def test_what_is_doubtful_is_said(changes: dict[str, list[Any]], note: str) -> None:
    assert any(one.startswith(note) for one in guess_of(**changes).notes)


def test_every_line_has_its_reason_above_it_in_eighty_columns() -> None:
    lines = document(guess_of(), "guessed").splitlines()
    assert all(len(line) < 80 for line in lines)
    for before, line in zip(lines, lines[1:], strict=False):
        if not line.lstrip().startswith("#") and not line.endswith(":"):
            assert before.lstrip().startswith("#")
