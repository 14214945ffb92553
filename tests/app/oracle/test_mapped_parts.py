"""Ids, times and amounts of several columns, units from an origin, signs, and rows that are taken or left out."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from small_worlds import ROWS, small_world

from assay.contracts import instants
from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.reasons import Reason

INVALID, MISSING, OUT_OF_RANGE = Reason.INPUT_VALUE_INVALID, Reason.INPUT_VALUE_MISSING, Reason.AMOUNT_OUT_OF_RANGE
BERLIN = {"column": "at", "zone": "Europe/Berlin"}
TWO = {"debit": "out", "credit": "in"}


def rows_of(folder: Path, rows: dict[str, Any], *columns: str, **changes: Any) -> list[Any]:
    """These columns of the world, by source id; one column without its tuples."""
    world = small_world(folder, {**ROWS, **rows}, **changes)
    view = world.stream_part(world.manifest.stream_view[0]).sort("source_id").select(columns)
    return view.to_series().to_list() if len(columns) == 1 else view.rows()


def test_an_id_of_several_columns_keeps_them_apart(tmp_path: Path) -> None:
    rows = {"a": ["x|", "x", "x\\", "x"], "b": ["y", "|y", "|y", "y"]}
    assert rows_of(tmp_path, rows, "source_id", id={"columns": ["a", "b"]}) == sorted(["x\\||y", "x|\\|y", "x\\\\|\\|y", "x|y"])


def test_an_id_may_be_the_number_of_the_row(tmp_path: Path) -> None:
    assert rows_of(tmp_path, {"id": ["same"] * 4}, "source_id", "amount_minor", id={"row": True})[1] == ("2", 0)


def test_bytes_of_utf8_are_text(tmp_path: Path) -> None:
    assert rows_of(tmp_path, {"who": ["ü".encode(), None, b"8", b"9"]}, "entity.customer") == ["ü", None, "8", "9"]


def test_not_a_number_is_no_id(tmp_path: Path) -> None:
    assert rows_of(tmp_path, {"who": [1.0, float("nan"), 3.0, None]}, "entity.customer") == ["1", None, "3", None]


@pytest.mark.parametrize(
    ("rows", "identity", "reason", "where"),
    [
        ({"a": ["x", None, "y", "z"]}, {"columns": ["kind", "a"]}, MISSING, "column 'a', row 2"),
        ({"a": ["x", "y", "z", "x"]}, {"columns": ["kind", "a"]}, Reason.INPUT_ID_DUPLICATE, "column 'kind, a', row 1"),
        ({"a": ["x" * 255, "y", "z", "w"]}, {"columns": ["kind", "a"]}, INVALID, "column 'kind, a', row 1"),
    ],
)
def test_an_id_of_several_columns_is_refused_by_them(
    tmp_path: Path, rows: dict[str, Any], identity: dict[str, Any], reason: Reason, where: str
) -> None:
    with pytest.raises(Quarantine) as refusal:
        small_world(tmp_path, {**ROWS, **rows}, id=identity)
    assert (refusal.value.reason, refusal.value.where) == (reason, where)


@pytest.mark.parametrize(
    ("values", "time", "first"),
    [
        ({"y": [2019] * 4, "m": [1] * 4, "d": [2] * 4, "t": ["06:21"] * 4},
         {"columns": ["y", "m", "d", "t"], "format": "%Y %m %d %H:%M", "zone": "Europe/Berlin"}, "2019-01-02T05:21:00.000000Z"),
        ({"at": ["31/12/2018 11:59 PM"] * 4}, {"column": "at", "zone": "UTC", "format": "%d/%m/%Y %I:%M %p"},
         "2018-12-31T23:59:00.000000Z"),
        ({"at": ["31/12/18 23:59 +0200"] * 4}, {"column": "at", "format": "%d/%m/%y %H:%M %z"}, "2018-12-31T21:59:00.000000Z"),
        ({"at": [20181231] * 4}, {"column": "at", "format": "%Y%m%d", "zone": "UTC"}, "2018-12-31T00:00:00.000000Z"),
        ({"at": [date(2018, 12, 31)] * 4}, {"column": "at", "format": "%Y-%m-%d", "zone": "UTC"}, "2018-12-31T00:00:00.000000Z"),
        ({"at": [25] * 4}, {"column": "at", "unit": "h", "origin": "2018-01-01T00:00:00Z"}, "2018-01-02T01:00:00.000000Z"),
        ({"at": [0.0] * 4}, {"column": "at", "unit": "s", "origin": "2018-01-01T00:00:00+01:00"}, "2017-12-31T23:00:00.000000Z"),
        ({"at": [1.5] * 4}, {"column": "at", "unit": "d", "origin": "2018-01-01T00:00:00Z"}, "2018-01-02T12:00:00.000000Z"),
        ({"at": ["406.25"] * 4}, {"column": "at", "unit": "s", "origin": "2018-01-01T00:00:00Z"}, "2018-01-01T00:06:46.250000Z"),
        ({"at": ["90"] * 4}, {"column": "at", "unit": "min", "origin": "2018-01-01T00:00:00Z"}, "2018-01-01T01:30:00.000000Z"),
        ({"at": ["2018-10-28 02:30:00"] * 4}, {**BERLIN, "ambiguous": "earliest"}, "2018-10-28T00:30:00.000000Z"),
        ({"at": ["2018-10-28 02:30:00"] * 4}, {**BERLIN, "ambiguous": "latest"}, "2018-10-28T01:30:00.000000Z"),
    ],
)  # fmt: skip
def test_a_time_is_read_as_it_is_written(tmp_path: Path, values: dict[str, Any], time: dict[str, Any], first: str) -> None:
    assert instants.text(small_world(tmp_path, {**ROWS, **values}, time=time).manifest.min_ts_us) == first


@pytest.mark.parametrize(
    ("values", "time", "reason", "said"),
    [
        ({"at": ["31/12/2018"] * 4}, {"column": "at", "format": "%d/%m/%Y"}, Reason.TIME_ZONE_MISSING, "zone: UTC"),
        ({"at": ["12/31/2018"] * 4}, {"column": "at", "format": "%d/%m/%Y", "zone": "UTC"}, INVALID, "format"),
        ({"at": ["31/12/18"] * 4}, {"column": "at", "format": "%d/%m/%Y", "zone": "UTC"}, INVALID, "before 1990"),
        ({"at": [date(2018, 12, 31)] * 4}, {"column": "at", "zone": "UTC"}, Reason.INPUT_COLUMN_TYPE, "format: '%Y-%m-%d'"),
        ({"at": ["2018-10-28 02:30:00"] * 4}, {**BERLIN, "ambiguous": "refuse"}, INVALID, "ambiguous"),
        ({"at": ["2018-03-25 02:30:00"] * 4}, {**BERLIN, "ambiguous": "latest"}, INVALID, "never"),
        ({"y": ["2019", None, "2019", "2019"]}, {"columns": ["y", "kind"], "format": "%Y", "zone": "UTC"}, INVALID, "'2019 card'"),
        ({"at": [1e30, 1.0, 1.0, 1.0]}, {"column": "at", "unit": "d"}, INVALID, "a year outside 1 to 9999, counted in d"),
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_read_is_refused(
    tmp_path: Path, values: dict[str, Any], time: dict[str, Any], reason: Reason, said: str
) -> None:
    with pytest.raises(AssayError) as refusal:
        small_world(tmp_path, {**ROWS, **values}, time=time)
    assert refusal.value.reason is reason
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("values", "amount", "minor"),
    [
        ({"amount": ["-1.50", "0", "-2", "-3"]}, {"column": "amount", "sign": "negative"}, [150, 0, 200, 300]),
        ({"amount": [-1.5, 0.0, 2.0, -3.0]}, {"column": "amount", "sign": "any"}, [150, 0, 200, 300]),
        ({"amount": ["$1.50", "$0", "2$", "$ 3.00"]}, {"column": "amount", "symbol": "$"}, [150, 0, 200, 300]),
        ({"amount": ["$-1.50", "-$0", "2 $", "+$3"]}, {"column": "amount", "symbol": "$", "sign": "any"}, [150, 0, 200, 300]),
        ({"amount": ["EUR 1.50", "0", "2 EUR", "3"]}, {"column": "amount", "symbol": "EUR"}, [150, 0, 200, 300]),
        ({"out": ["1.50", "0", "2", "3"], "in": [None, "", "0.00", None]}, TWO, [150, 0, 200, 300]),
        ({"out": [1.5, None, None, 3.0], "in": [None, 0.0, 2.0, 0.0]}, {"debit": "out", "credit": "in", "sign": "any"}, [150, 0, 200, 300]),
    ],
)
def test_an_amount_is_read_as_it_is_written(tmp_path: Path, values: dict[str, Any], amount: dict[str, Any], minor: list[int]) -> None:
    assert rows_of(tmp_path, values, "amount_minor", amount=amount) == minor


@pytest.mark.parametrize(
    ("values", "amount", "reason", "where", "said"),
    [
        ({"amount": ["-1", "2", "-3", "-4"]}, {"column": "amount", "sign": "negative"}, OUT_OF_RANGE, "column 'amount', row 2", "'2'"),
        ({"amount": ["$1"] * 4}, {"column": "amount"}, INVALID, "column 'amount', row 1", "amount.symbol"),
        ({"out": ["1", None, "2", "3"], "in": [None] * 4}, TWO, MISSING, "column 'out, in', row 2", "neither"),
        ({"out": ["1"] * 4, "in": [None, None, "2", None]}, TWO, INVALID, "column 'out, in', row 3", "'1 and 2'"),
        ({"out": [None] * 4, "in": ["2"] * 4}, TWO, OUT_OF_RANGE, "column 'out, in', row 1", "'- and 2' (and 3 more rows"),
    ],
)  # fmt: skip
def test_an_amount_of_another_sign_or_of_two_columns_is_refused(
    tmp_path: Path, values: dict[str, Any], amount: dict[str, Any], reason: Reason, where: str, said: str
) -> None:
    with pytest.raises(Quarantine) as refusal:
        small_world(tmp_path, {**ROWS, **values}, amount=amount)
    assert (refusal.value.reason, refusal.value.where) == (reason, where)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("values", "filters", "taken"),
    [
        (["a", "b", None, "a"], [{"column": "type", "keep": ["A"]}], ["p1", "p4"]),
        (["a", "b", None, "a"], [{"column": "type", "drop": ["a"]}], ["p2", "p3"]),
        ([1.0, 2.0, 3.0, 1.0], [{"column": "type", "keep": [1, 3]}], ["p1", "p3", "p4"]),
        (["a", "b", None, "a"], [{"column": "type", "keep": ["a", "x"], "drop": ["b", "y"]}], ["p1", "p4"]),
        (["a", "b", None, "a"], [{"column": "type", "drop": [None]}], ["p1", "p2", "p4"]),
        (["a", "b", None, "a"], [{"column": "type", "keep": [None]}], ["p3"]),
        (["a", "b", None, "a"], [{"column": "type", "keep": [None, "b"]}], ["p2", "p3"]),
        (["a", "b", None, "a"], [{"column": "type", "drop": [None, "b"]}], ["p1", "p4"]),
        (["a", "b", "c", "a"], [{"column": "type", "drop": [None, "c"]}], ["p1", "p2", "p4"]),
        (["a", "b", None, "a"], [{"column": "type", "keep": ["a", None], "drop": ["b"]}], ["p1", "p3", "p4"]),
        (["a", "b", None, "a"], [{"column": "type", "keep": ["a"]}, {"column": "kind", "keep": ["card"]}], ["p1", "p4"]),
    ],
)
def test_rows_are_taken_as_asked(tmp_path: Path, values: list[Any], filters: list[dict[str, Any]], taken: list[str]) -> None:
    assert rows_of(tmp_path, {"type": values}, "source_id", filter=filters, truth=None) == taken


def test_a_row_that_is_not_taken_is_not_judged_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    rows = {"type": ["refund", "sale", "sale", "sale"], "amount": ["-5", "1", "2", "3"]}
    filters = [{"column": "type", "keep": ["sale"]}]
    assert rows_of(tmp_path / "a", rows, "amount_minor", filter=filters, truth=None) == [100, 200, 300]
    with pytest.raises(Quarantine) as refusal:
        small_world(tmp_path / "b", {**ROWS, **rows, "amount": ["-5", "1", "2", "-3"]}, filter=filters, truth=None)
    assert refusal.value.where == "column 'amount', row 4"


@pytest.mark.parametrize("keep_or_drop", [{"drop": ["reversed"]}, {"keep": ["booked"]}, {"keep": ["booked"], "drop": ["reversed"]}])
@pytest.mark.parametrize(
    ("value", "remedy"), [("reversed ", "csv.trim"), (" booked", "csv.trim"), ("NA", "csv.nulls"), ("NULL", "csv.nulls")]
)
def test_a_filter_sees_blanks_and_words_for_nothing(tmp_path: Path, keep_or_drop: dict[str, Any], value: str, remedy: str) -> None:
    rows = {"type": ["booked", "reversed", value, "reversed"]}
    with pytest.raises(Quarantine) as refusal:
        small_world(tmp_path, {**ROWS, **rows}, filter=[{"column": "type", **keep_or_drop}], truth=None)
    assert (refusal.value.reason, refusal.value.where) == (INVALID, "column 'type', row 3")
    assert remedy in refusal.value.remedy


def test_a_filter_may_name_a_word_for_nothing(tmp_path: Path) -> None:
    rows = {"type": ["NA", "b", None, "b"]}
    assert rows_of(tmp_path, rows, "source_id", filter=[{"column": "type", "drop": ["NA"]}], truth=None) == ["p2", "p3", "p4"]


@pytest.mark.parametrize(
    ("filters", "reason", "said"),
    [
        ([{"column": "type", "keep": ["saels"]}], INVALID, "'saels' of filter.keep; the column has 'sale', 'refund'"),
        ([{"column": "type", "drop": ["refnud"]}], INVALID, "'refnud' of filter.drop"),
        ([{"column": "type", "keep": ["sale"], "drop": ["x"]}], INVALID, "'refund' (at column 'type', row 1)"),
        ([{"column": "type", "keep": ["sale"]}, {"column": "type", "drop": ["sale"]}], Reason.INPUT_EMPTY, "no row is taken"),
        ([{"column": "fraud", "keep": ["no"]}], Reason.TRUTH_COLUMN_IN_LIVE_ROW, "'fraud' is also mapped to filter"),
        ([{"column": "type"}], Reason.MAPPING_INVALID, "'keep'"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(tmp_path: Path, filters: list[dict[str, Any]], reason: Reason, said: str) -> None:
    with pytest.raises(AssayError) as refusal:
        small_world(tmp_path, {**ROWS, "type": ["refund", "sale", "sale", "sale"]}, filter=filters)
    assert refusal.value.reason is reason
    assert said in str(refusal.value)
