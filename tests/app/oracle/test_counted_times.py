"""Numbers that count from an origin, and formats, are read to the microsecond, or refused where they cannot be."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_worlds import ROWS, small_world

from assay.contracts import instants
from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.reasons import Reason

SECONDS, DAYS, NANOS = ({"column": "at", "unit": unit} for unit in ("s", "d", "ns"))
MONTHS = {"column": "at", "unit": "month", "origin": "2021-11-28T06:30:00+01:00"}


def fractional(form: str) -> dict[str, Any]:
    return {"column": "at", "zone": "UTC", "format": form}


@pytest.mark.parametrize(
    ("value", "time", "instant"),
    [
        (Decimal("1700000000.999999"), SECONDS, "2023-11-14T22:13:20.999999Z"),
        (Decimal("19723.75"), DAYS, "2024-01-01T18:00:00.000000Z"),
        ("1700000000.9999999", SECONDS, "2023-11-14T22:13:20.999999Z"),
        ("1700000000.", SECONDS, "2023-11-14T22:13:20.000000Z"),
        ("1.7e9", SECONDS, "2023-11-14T22:13:20.000000Z"),
        ("1700000000123456789.5", NANOS, "2023-11-14T22:13:20.123456Z"),
        ("1700000000123456789", NANOS, "2023-11-14T22:13:20.123456Z"),
        (1700000000123456789, NANOS, "2023-11-14T22:13:20.123456Z"),
        (Decimal("-0.0000005"), {**SECONDS, "origin": "2018-01-01T00:00:00Z"}, "2017-12-31T23:59:59.999999Z"),
        (1700000000.999999, SECONDS, "2023-11-14T22:13:20.999999Z"),
        ("2018-04-01 10:00:00.500", fractional("%Y-%m-%d %H:%M:%S.%f"), "2018-04-01T10:00:00.500000Z"),
        ("2018-04-01 10:00:00.1", fractional("%Y-%m-%d %H:%M:%S.%f"), "2018-04-01T10:00:00.100000Z"),
        ("2018-04-01 10:00:00.1", fractional("%Y-%m-%d %H:%M:%S%.f"), "2018-04-01T10:00:00.100000Z"),
    ],
)
def test_a_number_is_read_to_the_microsecond_and_cut_there(tmp_path: Path, value: Any, time: dict[str, Any], instant: str) -> None:
    assert instants.text(small_world(tmp_path, {**ROWS, "at": [value] * 4}, time=time).manifest.min_ts_us) == instant


@pytest.mark.parametrize(("value", "dtype"), [(743.0, pl.Float32), (0.5, pl.Float32), (743.0, pl.Float16)])
def test_a_small_float_that_holds_its_time_is_read(tmp_path: Path, value: float, dtype: Any) -> None:
    rows = pl.DataFrame({**ROWS, "at": pl.Series([value] * 4, dtype=dtype)})
    world = small_world(tmp_path, rows, time={**SECONDS, "origin": "2018-01-01T00:00:00Z"})
    assert world.manifest.min_ts_us == 1_514_764_800_000_000 + int(value * 10**6)


@pytest.mark.parametrize(
    ("value", "dtype", "unit"), [(1_700_000_001, pl.Float32, "s"), (19723.75, pl.Float32, "d"), (743.5, pl.Float16, "h")]
)
def test_a_small_float_that_cannot_hold_its_time_is_refused(tmp_path: Path, value: float, dtype: Any, unit: str) -> None:
    rows = pl.DataFrame({**ROWS, "at": pl.Series([0, 0, value, value], dtype=dtype)})
    with pytest.raises(Quarantine, match="cannot tell apart") as refusal:
        small_world(tmp_path, rows, time={"column": "at", "unit": unit, "origin": "2018-01-01T00:00:00Z"})
    assert (refusal.value.reason, refusal.value.where) == (Reason.INPUT_VALUE_INVALID, "column 'at', row 3")
    assert "Float64" in refusal.value.remedy


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (fractional("%Y-%m-%d %H:%M:%S,%f"), "'.%f', behind a point"),
        (fractional("%Y-%m-%d %H:%M:%S%f"), "'.%f', behind a point"),
        (fractional("%Y-%m-%d %H:%M:%S.%%%f"), "'.%f', behind a point"),
        (fractional("%Y-%m-%d %H:%M:%S %Z"), "use '%z'"),
        (fractional("%s"), "unit: s"),
        ({**DAYS, "zone": "America/New_York", "origin": "1899-12-30T00:00:00Z"}, "Leave 'zone' out"),
        ({"column": "at", "ambiguous": "latest"}, "'ambiguous' needs 'zone'"),
    ],
)
def test_a_declaration_that_would_be_skipped_is_refused(tmp_path: Path, time: dict[str, Any], said: str) -> None:
    with pytest.raises(AssayError) as refusal:
        small_world(tmp_path, time=time)
    assert refusal.value.reason is Reason.MAPPING_INVALID
    assert said in str(refusal.value)


def test_a_doubled_percent_sign_is_no_mark(tmp_path: Path) -> None:
    time = fractional("%Y-%m-%d %%Z")
    assert small_world(tmp_path, {**ROWS, "at": ["2018-04-01 %Z"] * 4}, time=time).manifest.rows == 4


def test_a_unit_is_not_declared_for_stored_times(tmp_path: Path) -> None:
    with pytest.raises(Quarantine, match="declares a 'unit'") as refusal:
        small_world(tmp_path, {**ROWS, "at": pl.Series([1_522_540_831_000] * 4).cast(pl.Datetime("ms", "UTC"))}, time=SECONDS)
    assert refusal.value.reason is Reason.INPUT_COLUMN_TYPE


@pytest.mark.parametrize(("first", "dtype"), [(2**24, pl.Float32), (2**11, pl.Float16), (2**53, pl.Float64)])
@pytest.mark.parametrize(
    ("column", "changes"),
    [
        ("who", {}),
        ("id", {"id": {"columns": ["id", "kind"]}}),
        ("channel", {}),
        ("fraud", {"truth": {"column": "fraud", "positive": [1], "delay": "7d"}}),
        ("type", {"filter": [{"column": "type", "keep": [1]}]}),
    ],
)
def test_a_number_that_a_float_does_not_hold_exactly_is_refused(
    tmp_path: Path, first: int, dtype: Any, column: str, changes: dict[str, Any]
) -> None:
    rows = pl.DataFrame({**ROWS, column: pl.Series([1, first - 1, first, 2], dtype=dtype)})
    with pytest.raises(Quarantine, match="does not hold exactly") as refusal:
        small_world(tmp_path, rows, **changes)
    assert (refusal.value.reason, refusal.value.where) == (Reason.INPUT_VALUE_INVALID, f"column '{column}', row 3")


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        (0, "2021-11-28T05:30:00.000000Z"),
        ("1", "2021-12-28T05:30:00.000000Z"),
        (3.0, "2022-02-28T05:30:00.000000Z"),
        ("-10", "2021-01-28T05:30:00.000000Z"),
        ("+26", "2024-01-28T05:30:00.000000Z"),
    ],
)
def test_months_are_counted_by_the_calendar(tmp_path: Path, value: Any, instant: str) -> None:
    assert instants.text(small_world(tmp_path, {**ROWS, "at": [value] * 4}, time=MONTHS).manifest.min_ts_us) == instant


@pytest.mark.parametrize("value", ["1.5", 0.5, "one", "1e9", 10**12, "-24500", float("nan")])
def test_a_month_that_the_calendar_does_not_have_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(Quarantine) as refused:
        small_world(tmp_path, {**ROWS, "at": [value] * 4}, time=MONTHS)
    assert refused.value.reason is Reason.INPUT_VALUE_INVALID
    assert refused.value.where == "column 'at', row 1"


def test_months_are_not_counted_from_a_day_that_some_months_lack(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"MAPPING_INVALID.*first 28 days of a month"):
        small_world(tmp_path, ROWS, time={**MONTHS, "origin": "2021-01-31T00:00:00Z"})
