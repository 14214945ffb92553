"""Text files in the forms that people have: read as their mapping declares, refused with the declaration that is missing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_worlds import NOW_US, ROWS, mapping, write

from assay.app.oracle.importer import import_world
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

HEADER = "id,at,amount,who,shop,kind,channel,fraud,why\n"
ROW = "p1,2018-04-01T00:00:31Z,57.16,7,,card,web,yes,\n"


def imported(folder: Path, name: str, content: bytes | str, **changes: Any) -> SealedWorld:
    """Import these bytes as a file of this name."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return import_world(file, mapping(**changes), DirectoryStore(folder / "store"), NOW_US)


def view_of(world: SealedWorld) -> pl.DataFrame:
    return world.stream_part(world.manifest.stream_view[0])


def row(**values: str) -> str:
    """The small row with other values."""
    held = dict(zip(HEADER.strip().split(","), ROW.rstrip("\n").split(","), strict=True)) | values
    return ",".join(held.values()) + "\n"


@pytest.mark.parametrize(
    ("name", "content", "csv"),
    [
        ("plain.csv", HEADER + ROW, {}),
        ("mark.csv", b"\xef\xbb\xbf" + (HEADER + ROW).encode(), {}),
        ("lines.csv", "\r\n" + (HEADER + ROW).replace("\n", "\r\n") + "\r\n\r\n", {}),
        ("packed.csv.gz", gzip.compress((HEADER + ROW).encode()), {}),
        ("tabs.tsv", (HEADER + ROW).replace(",", "\t"), {}),
        ("pipes.csv", (HEADER + ROW).replace(",", "|"), {"separator": "|"}),
        ("wide.csv", (HEADER + ROW).encode("utf-16"), {"encoding": "utf-16"}),
        ("preamble.csv", "Report of\nthe day\n" + HEADER + ROW, {"preamble": 2}),
        ("quoted.csv", (HEADER + ROW).replace(",web,", ",'web',"), {"quote": "'"}),
        ("trimmed.csv", HEADER + row(who=" 7 ", fraud="yes ", at=" 2018-04-01T00:00:31Z", amount=" 57.16"), {"trim": True}),
        ("comma.csv", (HEADER + ROW).replace(",", ";").replace("57.16", "57,16"), {"separator": ";", "decimal": ","}),
        ("nulls.csv", HEADER + row(shop="NULL", why=r"\N"), {"nulls": [None, r"\N"]}),
    ],
)  # fmt: skip
def test_a_text_file_is_read_as_its_mapping_declares(tmp_path: Path, name: str, content: bytes | str, csv: dict[str, Any]) -> None:
    world = imported(tmp_path, name, content, csv=csv)
    plain = imported(tmp_path, "reference.csv", HEADER + ROW)
    assert world.manifest.manifest_fingerprint == plain.manifest.manifest_fingerprint, "the form of a file is no part of its world"


def test_json_lines_are_read(tmp_path: Path) -> None:
    lines = pl.DataFrame(ROWS).write_ndjson()
    world = imported(tmp_path, "in.jsonl", lines)
    whole = import_world(write(tmp_path / "in.parquet", ROWS), mapping(), DirectoryStore(tmp_path / "store"), NOW_US)
    assert world.manifest == whole.manifest


@pytest.mark.parametrize(
    ("text", "amount_minor", "csv"),
    [
        ("1.234,50", 123_450, {"separator": ";", "decimal": ",", "thousands": "."}),
        ("12,5", 1_250, {"separator": ";", "decimal": ","}),
        ("1'234'567.89", 123_456_789, {"thousands": "'"}),
        ("1 234", 123_400, {"thousands": " "}),
        ("-0", 0, {}),
    ],
)
def test_numbers_are_read_with_their_marks(tmp_path: Path, text: str, amount_minor: int, csv: dict[str, Any]) -> None:
    content = (HEADER + row(amount="AMOUNT")).replace(",", csv.get("separator", ",")).replace("AMOUNT", text)
    assert view_of(imported(tmp_path, "in.csv", content, csv=csv))["amount_minor"].to_list() == [amount_minor]


def test_escaped_marks_and_escapes_are_read_within_quoted_fields_only(tmp_path: Path) -> None:
    content = HEADER + row(who=r'"a\"b"', shop=r"C:\\x", channel=r'"c:\\d,\"e\" \n"', why='"say ""hi"""')
    view = view_of(imported(tmp_path, "in.csv", content, csv={"escape": "\\"}))
    assert view.select("entity.customer", "entity.merchant", "attribute.channel").row(0) == ('a"b', r"C:\\x", r'c:\d,"e" \n')


def test_a_backslash_is_text_where_marks_are_doubled(tmp_path: Path) -> None:
    view = view_of(imported(tmp_path, "in.csv", HEADER + row(channel='"C:\\"'), csv={"escape": '"'}))
    assert view["attribute.channel"].to_list() == ["C:\\"]


def test_a_column_that_is_not_mapped_may_hold_line_breaks_where_that_is_declared(tmp_path: Path) -> None:
    content = HEADER.strip() + ",note\n" + ROW.strip() + ',"two\nlines"\n'
    assert imported(tmp_path, "in.csv", content, csv={"multiline": True}).manifest.rows == 1


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_u_feff_of_a_value_stays_in_every_row(tmp_path: Path, mark: str) -> None:
    frame = pl.DataFrame({"who": ["\ufeffx"] * 4, **{name: values for name, values in ROWS.items() if name != "who"}})
    assert view_of(imported(tmp_path, "in.csv", mark + frame.write_csv()))["entity.customer"].to_list() == ["\ufeffx"] * 4


@pytest.mark.parametrize("name", ["in.TSV", "in.Tsv.gz"])
def test_the_end_of_a_name_may_be_in_capitals(tmp_path: Path, name: str) -> None:
    text = (HEADER + ROW).replace(",", "\t").encode()
    world = imported(tmp_path, name, gzip.compress(text) if name.endswith("gz") else text)
    assert world.manifest.rows == 1


@pytest.mark.parametrize(
    ("name", "blank", "csv"), [("in.csv", "  ", {"trim": True}), ("in.jsonl", "", {}), ("in.jsonl", " ", {"trim": True})]
)
def test_a_blank_time_of_a_label_is_none(tmp_path: Path, name: str, blank: str, csv: dict[str, Any]) -> None:
    frame = pl.DataFrame({**ROWS, "why": [blank, "2018-05-01T00:00:00Z", blank, "2018-05-01T00:00:00Z"], "fraud": [None, "yes", "", "no"]})
    truth = {"column": "fraud", "positive": ["yes"], "time": {"column": "why"}, "emit": "all"}
    content = frame.write_csv() if name == "in.csv" else frame.write_ndjson()
    assert imported(tmp_path, name, content, csv=csv, truth=truth).truth()["label"].drop_nulls().sort().to_list() == [0, 1]


@pytest.mark.parametrize(
    ("column", "odd", "csv", "said"),
    [
        ("who", "[1]", {}, "a list or an object"),
        ("shop", '{"a": 1}', {}, "a list or an object"),
        ("amount", "2.125", {"decimal": ",", "thousands": "."}, "a number with a point of its own"),
        ("amount", "2.125", {"decimal": ","}, "a number with a point of its own"),
    ],
)
def test_a_value_of_json_that_is_no_text_is_refused_beside_text(
    tmp_path: Path, column: str, odd: str, csv: dict[str, Any], said: str
) -> None:
    lines = [json.loads(line) for line in pl.DataFrame(ROWS).write_ndjson().splitlines()]
    lines[1][column], lines[2][column] = json.loads(odd), "12"
    with pytest.raises(Quarantine, match=said) as refusal:
        imported(tmp_path, "in.jsonl", "\n".join(map(json.dumps, lines)), csv=csv)
    assert (refusal.value.reason, refusal.value.where) == (
        Reason.INPUT_COLUMN_TYPE,
        f"{tmp_path / 'in.jsonl'}, line 2, column '{column}'",
    )


UNREADABLE, INVALID = Reason.INPUT_FILE_UNREADABLE, Reason.INPUT_VALUE_INVALID
REFUSED: list[tuple[str, bytes | str, dict[str, Any], Reason, str, str, str]] = [
    ("a.csv", HEADER + ROW.replace("web", '"w\nb"'), {}, UNREADABLE, "a.csv, row 1", "line break", "csv.multiline"),
    ("b.csv", HEADER + ROW.replace("web", '5" pipe'), {}, UNREADABLE, "b.csv, row 1", "middle of a field", "csv.quote: none"),
    ("c.csv", HEADER + ROW + "p2,2018\n" + ROW, {}, UNREADABLE, "c.csv, row 2", "2 fields, the header has 9", "quote a field"),
    ("d.csv", (HEADER + ROW).encode("utf-16"), {}, UNREADABLE, "d.csv", "UTF-16", "csv.encoding: utf-16"),
    ("e.csv", (HEADER + ROW).encode("utf-16-le"), {}, UNREADABLE, "e.csv", "NUL", "utf-16"),
    ("f.csv", HEADER + row(channel="ü"), {"encoding": "ascii"}, UNREADABLE, "f.csv", "not ascii", "csv.encoding"),
    ("g.csv.gz", gzip.compress((HEADER + ROW).encode())[:-9], {}, UNREADABLE, "g.csv.gz", "unpacked", "whole file"),
    ("h.csv", (HEADER + ROW).replace(",", "\t"), {}, Reason.INPUT_COLUMN_MISSING, "h.csv", "separated by a tab", "csv.separator"),
    ("i.csv", "Report\n" + HEADER + ROW, {}, UNREADABLE, "i.csv, row 1", "9 fields, the header has 1", "csv.preamble"),
    ("j.csv", HEADER + row(who=" 7"), {}, INVALID, "column 'who', row 1", "blanks around", "csv.trim"),
    ("k.csv", HEADER + row(kind="card "), {}, INVALID, "column 'kind', row 1", "blanks around", "csv.trim"),
    ("l.csv", HEADER + row(fraud="yes "), {}, INVALID, "column 'fraud', row 1", "blanks around", "csv.trim"),
    ("m.csv", HEADER + row(who="   "), {}, INVALID, "column 'who', row 1", "blanks around", "csv.trim"),
    ("n.csv", HEADER + row(amount='"1,5"'), {}, INVALID, "column 'amount', row 1", "number", "csv.decimal"),
    ("o.csv", HEADER + row(amount="1'23.50"), {"thousands": "'"}, INVALID, "column 'amount', row 1", "number", "csv.thousands"),
    ("p.csv", HEADER + row(fraud="NA"), {"nulls": ["NULL"]}, INVALID, "column 'fraud', row 1", "nothing is known", "csv.nulls"),
    ("u.csv", HEADER + row(who="7 "), {"nulls": []}, INVALID, "column 'who', row 1", "blanks around", "csv.trim"),
    ("q.csv", HEADER, {}, Reason.INPUT_EMPTY, "q.csv", "no rows", "with rows"),
    ("r.csv", "\n\n", {}, Reason.INPUT_EMPTY, "r.csv", "is empty", "with rows"),
    ("s.jsonl", '{"id":1}\n{"id":', {}, UNREADABLE, "s.jsonl, line 2", "no JSON", "one object"),
    ("v.jsonl", '{"id":1}\n\n{"id":1,"amount":1,"amount":2}', {}, UNREADABLE, "v.jsonl, line 3", "'amount' is given twice", "one object"),
    ("w.jsonl", '{"id":1}\n[1]', {}, UNREADABLE, "w.jsonl, line 2", "no object", "one object"),
    ("x.jsonl", '{"id":1} {"id":2}', {}, UNREADABLE, "x.jsonl, line 1", "no JSON", "one object"),
    ("t.jsonl", "\n", {}, Reason.INPUT_EMPTY, "t.jsonl", "is empty", "with rows"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "csv", "reason", "where", "what", "remedy"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_text_file_that_may_be_read_differently_is_refused(
    tmp_path: Path, name: str, content: bytes | str, csv: dict[str, Any], reason: Reason, where: str, what: str, remedy: str
) -> None:
    with pytest.raises(Quarantine) as refusal:
        imported(tmp_path, name, content, csv=csv)
    assert refusal.value.reason is reason
    assert where in refusal.value.where
    assert what in refusal.value.what
    assert remedy in refusal.value.remedy


@pytest.mark.parametrize("word", ["NULL", "Null", "null", "NA", "N/A", "n/a", "NaN", "None", r"\N", "-", "<NA>", "#N/A", "nil"])
@pytest.mark.parametrize("column", ["who", "shop", "id", "kind"])
def test_a_word_for_nothing_is_no_id(tmp_path: Path, column: str, word: str) -> None:
    with pytest.raises(Quarantine) as refusal:
        imported(tmp_path, "in.csv", HEADER + row(**{column: word}))
    assert (refusal.value.reason, refusal.value.where) == (Reason.INPUT_VALUE_INVALID, f"column '{column}', row 1")
    assert "csv.nulls" in refusal.value.remedy


def test_a_word_for_nothing_is_an_id_where_that_is_declared(tmp_path: Path) -> None:
    view = view_of(imported(tmp_path, "in.csv", HEADER + row(who="None"), csv={"nulls": []}))
    assert view["entity.customer"].to_list() == ["None"]


def test_a_refusal_shows_the_first_three_rows_and_counts_all(tmp_path: Path) -> None:
    rows = "".join(row(id=f"p{n}", amount=f"{n}.005") for n in range(1, 6))
    with pytest.raises(Quarantine) as refusal:
        imported(tmp_path, "in.csv", HEADER + row(id="p0") + rows)
    assert refusal.value.where == "column 'amount', row 2"
    assert "'1.005' (and 4 more rows: row 3: '2.005', row 4: '3.005', …)" in refusal.value.what


def test_a_file_packed_by_zstd_is_read(tmp_path: Path) -> None:
    lines = pl.DataFrame({"line": (HEADER + ROW).splitlines()})
    file = tmp_path / "in.csv.zst"
    lines.lazy().sink_csv(file, include_header=False, quote_style="never", separator="|", compression="zstd")
    world = import_world(file, mapping(), DirectoryStore(tmp_path / "store"), NOW_US)
    assert view_of(world).row(0) == view_of(imported(tmp_path, "in.csv", HEADER + ROW)).row(0)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(Quarantine, match="cannot be unpacked"):
        import_world(file, mapping(), DirectoryStore(tmp_path / "store"), NOW_US)
