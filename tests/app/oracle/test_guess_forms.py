"""A guess finds how a file is written and where its parts stand; what several readings fit is asked, never chosen."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from small_worlds import NOW_US

from assay.app.oracle.guess.document import document
from assay.app.oracle.guess.guessing import guess
from assay.app.oracle.guess.leaves import Guess, said
from assay.app.oracle.guess.reading import read_sample
from assay.app.oracle.guess.sample import sample_of
from assay.app.oracle.guess.words import words
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import TODO, parse_mapping
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason
from assay.contracts.truth_names import gate_truth_names

ANSWERS = {
    "time.zone": "UTC",
    "time.unit": "h",
    "time.origin": "2024-01-01T00:00:00Z",
    "time.format": "%d/%m/%Y %H:%M",
    "currency.constant": "EUR",
    "truth.delay": "7d",
    "amount.sign": "any",
    "csv.decimal": ".",
}
ROWS: dict[str, list[Any]] = {
    "payment_id": [f"p{n}" for n in range(12)],
    "paid_at": [f"2024-02-{n + 1:02} 10:00:00" for n in range(12)],
    "amount": [f"{n + 1}.50" for n in range(12)],
    "customer": [f"c{n % 4}" for n in range(12)],
    "is_fraud": [str(int(n == 5)) for n in range(12)],
}


def guess_of(**changes: list[Any]) -> Guess:
    """The guess for these columns, some of them changed."""
    return guess(sample_of(pl.DataFrame({**ROWS, **changes}, strict=False), "all 12 rows", []), "small")


def mapping_of(found: Guess, **answers: Any) -> dict[str, Any]:
    """The mapping that the guess writes."""
    read = yaml.safe_load(document(Guess(said(found.leaves, answers), found.notes), "guessed"))
    assert isinstance(read, dict)
    return read


def imported_rows(folder: Path, file: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    """The mapping with all questions answered, and the payments of the file imported with it."""
    found = guess(read_sample(file), file.name.split(".")[0])
    text = document(Guess(said(found.leaves, ANSWERS), found.notes), "guessed")
    world = import_world(file, parse_mapping(text, file.name), DirectoryStore(folder / "store"), NOW_US)
    (part,) = world.manifest.stream_view
    return yaml.safe_load(text), world.stream_part(part)


CSV = "payment_id,paid_at,amount,customer,is_fraud\np1,2024-02-01 10:00:00,1.50,Müller,0\np2,2024-02-02 10:00:00,1234.50,Zoë,1\n"


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("a.csv", CSV.encode(), None),
        ("a.csv", b"\xef\xbb\xbf" + CSV.encode(), None),
        ("a.csv", CSV.replace("\n", "\r\n").encode(), None),
        ("a.csv.gz", gzip.compress(CSV.encode()), None),
        ("a.csv", CSV.replace(",", "|").encode(), {"separator": "|"}),
        ("a.tsv", CSV.replace(",", "\t").encode(), None),
        ("a.csv", CSV.replace(",", ";").replace("1.50", "1,50").replace("1234.50", "1.234,50").encode(),
         {"separator": ";", "decimal": ",", "thousands": "."}),
        ("a.csv", CSV.replace("1.50", '"1.50"').replace("1234.50", '"1,234.50"').encode(), {"decimal": ".", "thousands": ","}),
        ("a.csv", CSV.encode("cp1252"), {"encoding": "latin-1"}),
        ("a.csv", CSV.replace("Müller", "M\u2019Ü").encode("cp1252"), {"encoding": "cp1252"}),
        ("a.csv", CSV.encode("utf-16"), {"encoding": "utf-16"}),
        ("a.csv", b"Account statement\n\nfrom;to\n" + CSV.encode(), {"preamble": 3}),
        ("a.csv", CSV.replace("Müller", r'"M \"X\""').encode(), {"escape": "\\"}),
        ("a.csv", CSV.replace("Müller", '"M\nX"').encode(), {"multiline": True}),
        ("a.csv", CSV.replace("Müller", 'M "X"').encode(), {"quote": "none"}),
        ("a.csv", CSV.replace("Müller", " Müller ").encode(), {"trim": True}),
        ("a.csv", CSV.replace("Müller", "NULL").encode(), {"nulls": ["NULL"]}),
        ("a.jsonl", "".join(json.dumps(row) + "\n" for row in pl.read_csv(CSV.encode()).to_dicts()).encode(), None),
    ],
)  # fmt: skip
def test_the_form_of_a_text_file_is_found(tmp_path: Path, name: str, content: bytes, form: dict[str, Any] | None) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    if form == {"multiline": True}:  # the import refuses a line break in an id, the form is right all the same
        assert mapping_of(guess(read_sample(file), "a")).get("csv") == form
        return
    mapping, rows = imported_rows(tmp_path, file)
    assert mapping.get("csv") == form
    assert mapping["id"] == "payment_id"
    assert rows["amount_minor"].to_list() == [150, 123450]


def test_zstd_and_a_folder_of_partitions_are_read(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS)
    (tmp_path / "packed").mkdir()
    frame.lazy().sink_csv(tmp_path / "packed" / "a.csv.zst", compression="zstd")
    for number, day in enumerate(("2024-01-01", "2024-01-02")):
        folder = tmp_path / "payments" / f"load={day}"
        folder.mkdir(parents=True)
        frame.slice(6 * number, 6).write_parquet(folder / "a.parquet")
    for path in (tmp_path / "packed" / "a.csv.zst", tmp_path / "payments"):
        mapping, rows = imported_rows(tmp_path / path.name, path)
        assert len(rows) == len(frame)
        assert mapping["truth"]["column"] == "is_fraud"


def test_a_large_file_is_read_at_its_beginning_middle_and_end(tmp_path: Path) -> None:
    rows = "".join(f"p{n},2024-02-01 10:00:00,1.50,c{n % 9},{int(n > 3990)}\n" for n in range(4000))
    (tmp_path / "a.csv").write_text("payment_id,paid_at,amount,customer,is_fraud\n" + rows)
    sample = read_sample(tmp_path / "a.csv", rows_max=300, window=9000)
    ids = next(column for column in sample.columns if column.name == "payment_id").text.to_list()
    assert (sample.rows, sample.read) == (300, "300 rows from the beginning, the middle and the end")
    assert (ids[0], ids[-1]) == ("p0", "p3999")
    assert ids[100].startswith("p1") or ids[100].startswith("p2")
    assert sample.rows == len(set(ids))


def test_a_large_file_with_line_breaks_in_fields_is_read_at_its_beginning(tmp_path: Path) -> None:
    rows = "".join(f'p{n},2024-02-01 10:00:00,1.50,"c{n % 9}\na",0\n' for n in range(4000))
    (tmp_path / "a.csv").write_text("payment_id,paid_at,amount,customer,is_fraud\n" + rows)
    for window in range(9000, 9040):
        sample = read_sample(tmp_path / "a.csv", window=window)
        assert [leaf.place for leaf in sample.form] == ["csv.multiline"]
        assert sample.read.endswith("from the beginning of the file") or sample.read.endswith(" and the end")
        assert next(column for column in sample.columns if column.name == "amount").distinct == 1


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


def test_a_whole_file_of_many_rows_is_sampled_at_its_beginning_middle_and_end(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("payment_id,amount\n" + "".join(f"p{n},1.50\n" for n in range(600)))
    ids = read_sample(tmp_path / "a.csv", rows_max=9).columns[0].text.to_list()
    assert ids == ["p0", "p1", "p2", "p300", "p301", "p302", "p597", "p598", "p599"]


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


@pytest.mark.parametrize(
    ("name", "content", "reason", "said_"),
    [
        ("a.csv", b"", Reason.INPUT_EMPTY, "empty"),
        ("a.csv", b"id,amount\n", Reason.INPUT_EMPTY, "no rows"),
        ("a.csv", b"id,amount,who\np1,1.50,a\np2,2.50\np3,1.00,c\np4,1.00,c\np5,1.00,c\n", Reason.INPUT_FILE_UNREADABLE, "2 fields"),
        ("a.jsonl", b"[1]\n", Reason.INPUT_FILE_UNREADABLE, "JSON object"),
        ("a.parquet", b"PAR1", Reason.INPUT_FILE_UNREADABLE, "damaged"),
        ("a.csv.gz", b"\x1f\x8b\x08\x00", Reason.INPUT_FILE_UNREADABLE, "damaged"),
        ("a.xlsx", b"PK", Reason.INPUT_FILE_UNREADABLE, ".csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, reason: Reason, said_: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Quarantine) as refusal:
        read_sample(tmp_path / name)
    assert refusal.value.reason == reason
    assert said_ in str(refusal.value)
