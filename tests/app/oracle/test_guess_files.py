"""A guess finds how a file is written, of every kind that the import reads; what the import refuses, it refuses, too."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from guess_rows import ROWS, mapping_of
from small_worlds import NOW_US

from assay.app.oracle.guess.document import document
from assay.app.oracle.guess.guessing import guess
from assay.app.oracle.guess.leaves import Guess, said
from assay.app.oracle.guess.reading import read_sample
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import parse_mapping
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

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
        ("a.csv", CSV.encode("cp1252"), {"encoding": "cp1252"}),
        ("a.csv", CSV.replace("Müller", "M\x81Ü").encode("latin-1"), {"encoding": "latin-1"}),
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
    if form in (
        {"multiline": True},
        {"encoding": "latin-1"},
    ):  # the import refuses these characters in an id, the form is right all the same
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


def test_a_whole_file_of_many_rows_is_sampled_at_its_beginning_middle_and_end(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("payment_id,amount\n" + "".join(f"p{n},1.50\n" for n in range(600)))
    ids = read_sample(tmp_path / "a.csv", rows_max=9).columns[0].text.to_list()
    assert ids == ["p0", "p1", "p2", "p300", "p301", "p302", "p597", "p598", "p599"]


@pytest.mark.parametrize(
    ("name", "content", "reason", "said_"),
    [
        ("a.csv", b"", Reason.INPUT_EMPTY, "empty"),
        ("a.csv", b"\xff\xfe", Reason.INPUT_EMPTY, "empty"),
        ("a.csv", b"\xff\xfe\n\0", Reason.INPUT_EMPTY, "empty"),
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


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085"])
def test_a_line_of_json_may_hold_other_marks_of_lines(tmp_path: Path, mark: str) -> None:
    rows = [{**row, "note": f"a{mark}b"} for row in pl.DataFrame(ROWS).to_dicts()]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    assert read_sample(tmp_path / "a.jsonl").rows == len(rows)


def test_a_column_of_durations_is_left_out_and_said(tmp_path: Path) -> None:
    frame = pl.DataFrame({**ROWS, "paid_at": pl.Series(ROWS["paid_at"]) + "Z", "took": pl.Series([1] * 12).cast(pl.Duration("us"))})
    frame.write_parquet(tmp_path / "a.parquet")
    mapping, rows = imported_rows(tmp_path, tmp_path / "a.parquet")
    assert len(rows) == len(frame)
    assert "attributes" not in mapping
    assert "took: durations are not read; write them as numbers, such as seconds" in guess(read_sample(tmp_path / "a.parquet"), "a").notes


@pytest.mark.parametrize("nothing", [None, "0.00"])
def test_payments_alone_are_taken_where_the_answer_is_that_credits_are_none(tmp_path: Path, nothing: str | None) -> None:
    columns = {name: ROWS[name] for name in ("payment_id", "paid_at", "customer")}
    pl.DataFrame({**columns, "Debit": ["5.00", nothing] * 6, "Credit": [nothing, "7.00"] * 6}).write_csv(tmp_path / "a.csv")
    pl.DataFrame({**columns, "amount": ["5.00", "7.00"] * 6, "dr_cr": ["DR", "CR"] * 6}).write_csv(tmp_path / "b.csv")
    for name in ("a.csv", "b.csv"):
        found = guess(read_sample(tmp_path / name), "a")
        text = document(Guess(said(found.leaves, {**ANSWERS, "amount.sign": "positive"}), found.notes), "guessed")
        world = import_world(tmp_path / name, parse_mapping(text, name), DirectoryStore(tmp_path / "store"), NOW_US)
        assert world.stream_part(world.manifest.stream_view[0])["amount_minor"].to_list() == [500] * 6


@pytest.mark.parametrize(
    ("amount", "decimal", "minor"), [("1.000", ".", 100), ("1.000", ",", 100_000), ("1,500", ",", 150), ("1,500", ".", 150_000)]
)
def test_an_answer_to_the_mark_of_decimals_tells_the_mark_of_thousands(tmp_path: Path, amount: str, decimal: str, minor: int) -> None:
    pl.DataFrame({**ROWS, "amount": [amount] * 12}).write_csv(tmp_path / "a.csv")
    found = guess(read_sample(tmp_path / "a.csv"), "a")
    text = document(Guess(said(found.leaves, {**ANSWERS, "csv.decimal": decimal}), found.notes), "guessed")
    world = import_world(tmp_path / "a.csv", parse_mapping(text, "a.csv"), DirectoryStore(tmp_path / "store"), NOW_US)
    assert set(world.stream_part(world.manifest.stream_view[0])["amount_minor"]) == {minor}
