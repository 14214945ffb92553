"""A file whose first line is a row has no header, for the guess and for the import; columns that are called by numbers have one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_worlds import NOW_US

from assay.app.cli import main
from assay.app.oracle.guess.guessing import guess
from assay.app.oracle.guess.headers import row_as_header
from assay.app.oracle.guess.leaves import Guess
from assay.app.oracle.guess.reading import read_sample
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import parse_document
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Quarantine, Stop

ULB = ["0,-1.3598,2.536,149.62,0", "0,1.1918,0.166,2.69,0", "1,-1.3583,1.773,378.66,1"]
TABFORMER = [f"{n},0,2002,9,{n + 1},06:2{n},$134.0{n},Swipe Transaction,35272{n},La Verne,CA,91750.0,5300,,No" for n in range(4)]
PROCESSOR = [f"txn_00000{n},2024-02-0{n + 1}T10:00:00Z,1{n}.50,EUR,captured,fp_11{n}" for n in range(4)]
DATED = [f"0{n + 1}/02/2024,GB{n},refund" for n in range(4)]
CODED = [f"{n}0.5 EUR,x{n}" for n in range(4)]


def fields(lines: list[str]) -> list[list[str]]:
    return [line.split(",") for line in lines]


@pytest.mark.parametrize("lines", [ULB, TABFORMER, PROCESSOR, DATED, CODED], ids=["ULB", "TabFormer", "processor", "dates", "codes"])
def test_a_first_line_that_is_a_row_is_none_of_names(lines: list[str]) -> None:
    first, *rows = fields(lines)
    assert row_as_header(first, rows).startswith("the first line is a row as all others: ")
    named = [f"name {place}" for place in range(len(first))]
    assert not row_as_header(named, [first, *rows])


@pytest.mark.parametrize(
    "header",
    ["Time,V1,V2,Amount,Class", "0,1,2,3,4", ",0,1,2,3", "1,2,3,4,5", "2019,2020,amount,2022,2023", "0,0,0,amount,0", ",,,,"],
)
def test_names_stay_names_also_where_some_are_numbers(header: str) -> None:
    assert not row_as_header(header.split(","), fields(ULB))


def test_a_file_of_texts_alone_tells_nothing() -> None:
    assert not row_as_header(["a", "b"], [["c", "d"], ["e", "f"]])
    assert not row_as_header(["1", "b"], [])


def guess_of(folder: Path, lines: list[str]) -> Guess:
    (folder / "in.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return guess(read_sample(folder / "in.csv"), "in")


def world_of(folder: Path, **changes: Any) -> SealedWorld:
    document = {
        "mapping": "m", "revision": "1", "output_id": "o", "id": {"row": True}, "time": {"column": "column_2"},
        "amount": {"column": "column_3"}, "currency": {"column": "column_4"}, "kind": {"column": "column_5"},
        "entities": {"card": "column_6"}, "csv": {"header": False}, **changes,
    }  # fmt: skip
    return import_world(folder / "in.csv", parse_document(document, "m"), DirectoryStore(folder / "store"), NOW_US)


def test_the_guess_counts_the_first_row_and_asks_for_the_names(tmp_path: Path) -> None:
    found = guess_of(tmp_path, PROCESSOR)
    lines = {leaf.place: leaf for leaf in found.leaves}
    assert lines["csv.header"].ask.startswith("the names of the columns")
    assert "txn_000000" in lines["csv.header"].why
    assert lines["time.column"].value == "column_2"
    assert "attributes" not in lines, "one of the columns may be the truth"
    assert "csv.header" not in {leaf.place for leaf in guess_of(tmp_path, ["id,at,amount,currency,state,card", *PROCESSOR]).leaves}


def test_names_that_are_said_make_the_guess_that_a_header_makes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = "id,at,amount,currency,state,card"
    (tmp_path / "without.csv").write_text("\n".join(PROCESSOR), encoding="utf-8")
    (tmp_path / "with.csv").write_text("\n".join([names, *PROCESSOR]), encoding="utf-8")
    mappings = []
    for name, answers in (("without", ["--set", f"csv.header=[{names}]"]), ("with", [])):
        assert called("guess", str(tmp_path / f"{name}.csv"), "--json", *answers) == 0
        told = json.loads(capsys.readouterr().out)
        mappings.append({line["place"]: line["value"] for line in told["lines"] if line["place"] not in ("mapping", "output_id")})
    assert mappings[0].pop("csv.header") == names.split(",")
    assert mappings[0] == mappings[1]


@pytest.mark.parametrize(
    ("answer", "code"), [("csv.header=[a, b]", 65), ("csv.header=[a", 2), ("csv.header=false", 0), ("csv.header=no", 2)]
)
def test_names_that_are_said_wrongly_are_refused(tmp_path: Path, answer: str, code: int) -> None:
    (tmp_path / "in.csv").write_text("\n".join(PROCESSOR), encoding="utf-8")
    assert called("guess", str(tmp_path / "in.csv"), "--set", answer) == code
    (tmp_path / "in.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    assert called("guess", str(tmp_path / "in.jsonl"), "--set", "csv.header=[b]") == 2


def called(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["oracle", *arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "time": {"column": "at"},
            "amount": {"column": "b"},
            "currency": {"column": "c"},
            "kind": {"column": "d"},
            "entities": {"card": "e"},
            "csv": {"header": ["id", "at", "b", "c", "d", "e"]},
        },
    ],
)
def test_the_import_takes_the_first_line_for_a_row(tmp_path: Path, changes: dict[str, Any]) -> None:
    guess_of(tmp_path, PROCESSOR)
    world = world_of(tmp_path, **changes)
    rows = world.stream_part(world.manifest.stream_view[0])
    assert rows["amount_minor"].to_list() == [1050, 1150, 1250, 1350]
    assert rows["entity.card"].to_list() == ["fp_110", "fp_111", "fp_112", "fp_113"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"header": ["id", "at"]}, "csv.header names 2 columns, the rows have 6 fields"),
        ({"header": ["id", "at", "id", "b", "c", "d"]}, "'header' names a column twice"),
        ({"header": True}, "csv.header"),
        ({}, "the mapping names the column 'column_2'"),
    ],
)
def test_names_that_do_not_fit_the_rows_are_refused(tmp_path: Path, form: dict[str, Any], said: str) -> None:
    guess_of(tmp_path, [line.replace("10.50", "0.50") for line in PROCESSOR])
    with pytest.raises((Quarantine, Stop)) as refusal:
        world_of(tmp_path, csv=form)
    assert said in refusal.value.what


def test_a_missing_column_beside_a_number_as_a_name_has_the_remedy_of_a_file_without_header(tmp_path: Path) -> None:
    guess_of(tmp_path, ULB)
    with pytest.raises(Quarantine) as refusal:
        world_of(tmp_path, csv={})
    assert "csv.header" in refusal.value.remedy


def test_rows_at_fault_are_counted_from_the_first_line(tmp_path: Path) -> None:
    guess_of(tmp_path, [PROCESSOR[0], PROCESSOR[1].replace("11.50", "x"), *PROCESSOR[2:]])
    with pytest.raises(Quarantine) as refusal:
        world_of(tmp_path)
    assert "row 2" in refusal.value.where
    (tmp_path / "in.csv").write_text("\n".join([PROCESSOR[0], f"{PROCESSOR[1]},", *PROCESSOR[2:]]), encoding="utf-8")
    with pytest.raises(Quarantine) as refusal:
        world_of(tmp_path)
    assert refusal.value.where.endswith("row 2")
