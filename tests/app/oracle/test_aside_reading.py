"""Rows that were set aside are read again as they stood: columns of any name, values of any type, under the numbers that the rows had."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_worlds import NOW_US, ROWS, mapping, write

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.reading import read_input, read_whole
from assay.app.oracle.refusing import ROW
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.reasons import Reason

#: the third row is at fault in a column that no test is about
BAD = {**ROWS, "kind": ["card", "card", None, "card"]}


def imported(file: Path, aside: Path | None = None, **changes: Any) -> SealedWorld:
    return import_world(file, mapping(**{"truth": None, **changes}), DirectoryStore(file.parent / "store"), NOW_US, aside=aside)


def corrected(aside: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The file with the values of each row changed."""
    lines = [json.loads(line) for line in aside.read_text(encoding="utf-8").split("\n") if line]
    for line in lines:
        change(line["values"])
    aside.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return aside


def with_kind(values: dict[str, Any]) -> None:
    values["kind"] = "card"


def view(world: SealedWorld) -> pl.DataFrame:
    return pl.concat([world.stream_part(part) for part in world.manifest.stream_view])


def again(folder: Path, rows: dict[str, Any] | pl.DataFrame, name: str = "in.parquet", **changes: Any) -> SealedWorld:
    """The world of the third row alone, set aside for its kind and corrected."""
    imported(write(folder / name, rows), folder / "bad.jsonl", **changes)
    return imported(corrected(folder / "bad.jsonl", with_kind), **changes)


@pytest.mark.parametrize(
    "column", ["code", "column", "detail", "remedy", "assay.row", "assay.mine", "row", "assay", "values", "code_right"]
)
def test_a_column_of_any_name_keeps_it(tmp_path: Path, column: str) -> None:
    rows = {**BAD, column: ["a", "b", "c", "d"], "code": ["a", "b", "c", "d"]}
    world = again(tmp_path, rows, attributes=[column])
    assert view(world)[f"attribute.{column}"].to_list() == ["c"]


def test_what_assay_says_of_a_row_is_no_column_that_a_pattern_fits(tmp_path: Path) -> None:
    rows = {name: values for name, values in BAD.items() if name != "fraud"}
    columns = view(again(tmp_path, rows, attributes=[{"pattern": "*"}])).columns
    assert [name for name in columns if name.startswith("attribute.")] == ["attribute.channel", "attribute.why"]


def test_columns_of_one_name_that_no_mapping_names_are_set_aside_under_names_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("id,at,amount,who,shop,kind,channel,x,x,x [2]\np1,2018-04-01T00:00:31Z,1,7,,card,web,1,2,3\np2,,1,7,,card,web,4,5,6\n")
    imported(file, tmp_path / "bad.jsonl")
    values = json.loads((tmp_path / "bad.jsonl").read_text())["values"]
    assert {name: value for name, value in values.items() if name.startswith("x")} == {"x": "4", "x [3]": "5", "x [2]": "6"}


def test_unmapped_columns_that_no_import_would_read_stop_no_setting_aside(tmp_path: Path) -> None:
    lines = [{**{name: values[n] for name, values in BAD.items()}, "more": ["text", {"a": 1}, [1], None][n]} for n in range(4)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    imported(tmp_path / "in.jsonl", tmp_path / "bad.jsonl")
    assert json.loads((tmp_path / "bad.jsonl").read_text())["values"]["more"] == "[1]"


def test_unmapped_columns_of_several_types_or_of_some_files_stop_no_setting_aside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    frame = pl.DataFrame(BAD)
    far = pl.Series("far", [2**63 - 1] * 3).cast(pl.Datetime("ms"))
    first = frame[:1].with_columns(pl.lit(True).alias("some"), pl.lit("x").alias("other"), pl.lit([1]).alias("far"))
    write(tmp_path / "in" / "a.parquet", first)
    write(tmp_path / "in" / "b.parquet", frame[1:].with_columns(far, pl.lit(1.5).alias("some")))
    imported(tmp_path / "in", tmp_path / "bad.jsonl")
    values = json.loads((tmp_path / "bad.jsonl").read_text())["values"]
    assert (values["some"], values["other"], values["far"]) == ("1.5", None, str(2**63 - 1))


MANY = pl.DataFrame(
    {
        "text": ["a", 'quote " \u2028 ü', ""],
        "flag": [True, None, False],
        "whole": [1, 2**63 - 1, None],
        "double": [0.1, 1e300, None],
        "odd": [float("nan"), float("-inf"), 0.1],
        "single": pl.Series([0.1, 16_777_216.0, None], dtype=pl.Float32),
        "half": pl.Series([0.1, 65504.0, float("nan")], dtype=pl.Float16),
        "price": pl.Series([Decimal("2.500"), Decimal("-0.001"), None], dtype=pl.Decimal(10, 3)),
        "naive": pl.Series([1_522_540_801_000_005, None, -62_135_424_000_000_000]).cast(pl.Datetime("us")),
        "berlin": pl.Series(
            [datetime(2018, 10, 28, 0, 30, tzinfo=UTC), datetime(2018, 10, 28, 1, 30, tzinfo=UTC), None]
        ).dt.convert_time_zone("Europe/Berlin"),
        "nano": pl.Series([1, 2**63 - 1, -(2**63)]).cast(pl.Datetime("ns", "UTC")),
        "far": pl.Series([1, 2**63 - 1, -(2**63)]).cast(pl.Datetime("us")),
        "far_milli": pl.Series([1, 2**63 - 1, -(2**63)]).cast(pl.Datetime("ms", "UTC")),
        "day": [date(2018, 4, 1), date(9999, 12, 31), None],
        "far_day": pl.Series([1, 2**31 - 1, -(2**31)], dtype=pl.Int32).cast(pl.Date),
        "clock": [time(1, 2, 3, 5), None, time(0)],
        "span": [timedelta(seconds=1), None, timedelta(days=-1)],
        "raw": [b"\xff\xfe", b"", None],
        "none": pl.Series([None, None, None], dtype=pl.Float32),
        "list": [[1, 2], None, []],
        "object": [{"a": 1}, {"a": None}, {"a": 2}],
    }
)


def test_values_of_every_type_are_read_back_the_same(tmp_path: Path) -> None:
    frame = MANY.with_columns(pl.Series("id", ["p1", "p2", "p3"]), pl.Series("kind", [None, None, None], dtype=pl.String))
    rest = pl.DataFrame({name: values[:1] * 3 for name, values in ROWS.items() if name not in frame.columns})
    last = pl.DataFrame({"id": "p4", "kind": "card", **{name: values[:1] for name, values in ROWS.items() if name in rest.columns}})
    write(tmp_path / "in.parquet", pl.concat([pl.concat([frame, rest], how="horizontal"), last], how="diagonal"))
    imported(tmp_path / "in.parquet", tmp_path / "bad.jsonl")
    first = read_input(tmp_path / "in.parquet", MANY.columns, CsvForm())[:3]
    for found in (read_input(tmp_path / "bad.jsonl", MANY.columns, CsvForm()), read_whole(tmp_path / "bad.jsonl", CsvForm())):
        assert_frame_equal(found.select(*MANY.columns).with_columns(pl.col("text").replace("", None)), first.drop(ROW))


def test_values_without_a_form_in_json_are_set_aside_as_text(tmp_path: Path) -> None:
    rows = pl.DataFrame({**BAD, "deep": [[b"\xff"]] * 4, "huge": pl.Series([2**64 - 1] * 4, dtype=pl.UInt64)})
    imported(write(tmp_path / "in.parquet", rows), tmp_path / "bad.jsonl")
    values = json.loads((tmp_path / "bad.jsonl").read_text())["values"]
    assert (values["deep"], values["huge"]) == (r"[b'\xff']", str(2**64 - 1))


@pytest.mark.parametrize("form", [{}, {"decimal": ","}])
def test_a_decimal_stays_one_whatever_its_digits_and_the_form_of_text(tmp_path: Path, form: dict[str, str]) -> None:
    rows = {**BAD, "amount": pl.Series([Decimal("2.500")] * 4, dtype=pl.Decimal(10, 3))}
    assert view(again(tmp_path, rows, csv=form))["amount_minor"].to_list() == [250]


def test_an_entity_that_is_nan_is_none_once_more(tmp_path: Path) -> None:
    assert view(again(tmp_path, {**BAD, "who": [7.0, 8.0, float("nan"), 9.0]}))["entity.customer"].to_list() == [None]
    assert view(again(tmp_path / "..", {**BAD, "who": [7.0, 8.0, 9.0, 9.0]}, "other.parquet"))["entity.customer"].to_list() == ["9"]


SINGLE = pl.Series([1, 2, 16_777_216, 4], dtype=pl.Float32)


@pytest.mark.parametrize(("column", "values"), [("id", SINGLE), ("amount", pl.Series([1, 2, 1_234_567.8, 3], dtype=pl.Float32))])
def test_a_float_that_is_not_exact_is_refused_until_it_is_written_anew(tmp_path: Path, column: str, values: pl.Series) -> None:
    imported(write(tmp_path / "in.parquet", {**ROWS, column: values}), tmp_path / "bad.jsonl")
    with pytest.raises(Quarantine, match="Float32"):
        imported(tmp_path / "bad.jsonl")
    corrected(tmp_path / "bad.jsonl", lambda row: row.update({column: 16_777_217}))
    assert view(imported(tmp_path / "bad.jsonl")).row(0, named=True)["source_id"] == ("16777217" if column == "id" else "p3")
    corrected(tmp_path / "bad.jsonl", lambda row: row.update({column: "16777217"}))
    assert view(imported(tmp_path / "bad.jsonl"))["amount_minor"].to_list() == [1_677_721_700 if column == "amount" else 99_999_999_999]


def test_rows_keep_their_numbers_so_that_the_number_of_a_row_is_one_id_in_both_worlds(tmp_path: Path) -> None:
    first = imported(write(tmp_path / "in.parquet", BAD), tmp_path / "bad.jsonl", id={"row": True})
    assert sorted(view(first)["source_id"]) == ["1", "2", "4"]
    with pytest.raises(Quarantine, match="row 3"):
        imported(tmp_path / "bad.jsonl", id={"row": True})
    assert view(imported(corrected(tmp_path / "bad.jsonl", with_kind), id={"row": True}))["source_id"].to_list() == ["3"]


def test_rows_of_a_folder_that_are_set_aside_once_more_keep_their_places(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.parquet", pl.DataFrame(BAD)[:1])
    write(tmp_path / "in" / "b.parquet", pl.DataFrame({**BAD, "kind": ["card", None, None, None]})[1:])
    imported(tmp_path / "in", tmp_path / "bad.jsonl")
    corrected(tmp_path / "bad.jsonl", lambda row: row.update(kind=None if row["id"] == "p3" else "card"))
    imported(tmp_path / "bad.jsonl", tmp_path / "worse.jsonl")
    (line,) = map(json.loads, (tmp_path / "worse.jsonl").read_text().splitlines())
    assert [line["assay"][name] for name in ("row", "file", "file_row")] == [3, "b.parquet", 2]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_rows_of_a_file_in_another_encoding_are_read_by_the_same_mapping(tmp_path: Path, encoding: str) -> None:
    file = write(tmp_path / "in.csv", {**BAD, "channel": ["é"] * 4})
    form: dict[str, Any] = {"csv": {"encoding": encoding, "preamble": 1}}
    file.write_bytes(("a title\n" + file.read_text(encoding="utf-8")).encode(encoding))
    imported(file, tmp_path / "bad.jsonl", **form)
    assert view(imported(corrected(tmp_path / "bad.jsonl", with_kind), **form))["attribute.channel"].to_list() == ["é"]


#: fault → the rows set aside, the place of the refusal, and its words
LINE = {"assay": {"row": 3}, "values": {name: values[2] for name, values in ROWS.items()}}
REFUSED: dict[str, tuple[list[dict[str, Any]], Reason, str]] = {
    "a line of another kind": ([LINE, LINE["values"]], Reason.INPUT_FILE_UNREADABLE, "line 2.*|not a row that was set aside"),
    "a row number that is none": ([LINE, {**LINE, "assay": {"row": "4"}}], Reason.INPUT_FILE_UNREADABLE, "not a row that was set aside"),
    "a row twice": ([LINE, LINE], Reason.INPUT_FILE_UNREADABLE, r"row 3 is there twice \(at .*line 2\)"),
    "rows of two files": (
        [{**LINE, "assay": {"row": 1 + n, "types": {"amount": kind}}} for n, kind in enumerate(("Float32", "Float64"))],
        Reason.INPUT_FILE_UNREADABLE,
        "the column 'amount' held Float64, and Float32 in lines before",
    ),
    "a type that is none": (
        [{**LINE, "assay": {"row": 3, "types": {"amount": "money"}}}],
        Reason.INPUT_VALUE_INVALID,
        "no type is called 'money'",
    ),
    "a value of another type": (
        [{**LINE, "assay": {"row": 3, "types": {"amount": "Decimal(10, 1)"}}}],
        Reason.INPUT_VALUE_INVALID,
        r"the column held Decimal\(10, 1\), which '999999999.99' is not \(at .*line 1, column 'amount'\)",
    ),
    "a time of another type": (
        [{**LINE, "assay": {"row": 3, "types": {"at": "Datetime(us)"}}}],
        Reason.INPUT_VALUE_INVALID,
        r"the column held Datetime\(us\), which '2018-04-02 00:00:00.5Z' is not",
    ),
    "a float beside text": (
        [
            {"assay": {"row": 3 + n, "types": {"id": "Float64"}}, "values": {**LINE["values"], "id": value}}
            for n, value in enumerate(("9007199254740993", 7.0))
        ],
        Reason.INPUT_COLUMN_TYPE,
        r"a number beside text \(at .*line 2, column 'id'\)",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_file_of_rows_set_aside_that_says_something_else_is_refused(tmp_path: Path, fault: str) -> None:
    lines, reason, said = REFUSED[fault]
    (tmp_path / "bad.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(AssayError, match=said) as refused:
        imported(tmp_path / "bad.jsonl")
    assert refused.value.reason is reason


def test_a_number_with_a_point_beside_text_is_refused_where_text_has_a_comma(tmp_path: Path) -> None:
    form: dict[str, Any] = {"csv": {"decimal": ",", "thousands": "."}}
    imported(write(tmp_path / "in.csv", {**ROWS, "amount": ["1,00", "x", "y", "2,00"]}), tmp_path / "bad.jsonl", **form)
    corrected(tmp_path / "bad.jsonl", lambda row: row.update(amount={"x": "3,00", "y": 1.234}[row["amount"]]))
    with pytest.raises(Quarantine, match=r"a number beside text \(at .*line 2, column 'amount'\)"):
        imported(tmp_path / "bad.jsonl", **form)
    corrected(tmp_path / "bad.jsonl", lambda row: row.update(amount="1,23"))
    assert view(imported(tmp_path / "bad.jsonl", **form))["amount_minor"].to_list() == [123, 123]


def test_an_unmapped_value_of_another_type_stops_no_setting_aside(tmp_path: Path) -> None:
    rows = {**ROWS, "kind": ["card", None, None, "card"], "more": pl.Series([Decimal("1.5")] * 4)}
    imported(write(tmp_path / "in.parquet", rows), tmp_path / "bad.jsonl")
    corrected(tmp_path / "bad.jsonl", lambda row: row.update(more="abc", kind="card" if row["id"] == "p2" else None))
    imported(tmp_path / "bad.jsonl", tmp_path / "worse.jsonl")
    assert json.loads((tmp_path / "worse.jsonl").read_text())["values"]["more"] == "abc"


def test_a_packed_file_of_rows_set_aside_is_read(tmp_path: Path) -> None:
    imported(write(tmp_path / "in.parquet", BAD), tmp_path / "bad.jsonl")
    (tmp_path / "bad.jsonl.gz").write_bytes(gzip.compress(corrected(tmp_path / "bad.jsonl", with_kind).read_bytes()))
    assert view(imported(tmp_path / "bad.jsonl.gz", id={"row": True}))["source_id"].to_list() == ["3"]


def test_json_lines_of_somebody_with_a_column_assay_are_theirs(tmp_path: Path) -> None:
    lines = [{**{name: values[n] for name, values in ROWS.items()}, "assay": {"row": 7}, "values": {"id": 1}} for n in range(4)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert imported(tmp_path / "in.jsonl").manifest.rows == 4


TWINS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a fault of another column": ({"amount": ["1", "2", "x", "4"]}, {}),
    "a fault of the filter's column": ({"why": ["a", "a", " a", "a"]}, {"filter": [{"column": "why", "keep": ["a"]}]}),
    "a fault of an id of two columns": ({"amount": ["1", "2", "x", "4"]}, {"id": {"columns": ["id", "channel"]}}),
}


@pytest.mark.parametrize("twins", TWINS)
def test_a_row_that_shares_its_id_with_a_row_at_fault_is_set_aside_too(tmp_path: Path, twins: str) -> None:
    columns, changes = TWINS[twins]
    rows = {**ROWS, "id": ["p1", "p2", "p1", "p4"], "channel": ["web"] * 4, **columns}
    world = imported(write(tmp_path / "in.parquet", rows), tmp_path / "bad.jsonl", **changes)
    assert [json.loads(line)["assay"]["row"] for line in (tmp_path / "bad.jsonl").read_text().splitlines()] == [1, 3]
    assert world.manifest.aside == {"INPUT_ID_DUPLICATE": 1, "INPUT_VALUE_INVALID": 1}


def test_a_row_that_the_filter_drops_is_nobodys_twin(tmp_path: Path) -> None:
    rows = {**ROWS, "id": ["p1", "p2", "p1", "p4"], "amount": ["1", "2", "x", "4"], "why": ["a", "a", "b", "a"]}
    world = imported(write(tmp_path / "in.parquet", rows), tmp_path / "bad.jsonl", filter=[{"column": "why", "keep": ["a"]}])
    assert (world.manifest.rows, world.manifest.aside) == (3, {})
