"""Times are those that the file's writer meant: no century is guessed, no unit, no zone."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_worlds import ROWS, small_world

from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.reasons import Reason

GOOD = "2018-04-01T00:00:31Z"


@pytest.mark.parametrize(
    "text", ["18-04-01T00:00:31Z", "05-06-07 08:00:00Z", "224-01-15T00:00:00Z", "+2018-04-01T00:00:31Z", "02018-04-01T00:00:31Z",
             "-2018-04-01T00:00:31Z", "2018-04-01", "2018-04-01T00:00Z", "2018-04-01T24:00:01Z", "2018-02-30T00:00:00Z"]
)  # fmt: skip
def test_a_time_that_is_not_written_with_a_full_date_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Quarantine) as refusal:
        small_world(tmp_path, {**ROWS, "at": [GOOD, text, GOOD, GOOD]})
    assert (refusal.value.reason, refusal.value.where) == (Reason.INPUT_VALUE_INVALID, "column 'at', row 2")
    assert text in refusal.value.what


@pytest.mark.parametrize("text", ["2018-4-1 0:00:31Z", "2018-04-01t00:00:31z", "2018-04-01T02:00:31+02", "2018-04-01 02:00:31.000+0200"])
def test_a_time_may_be_written_a_little_otherwise(tmp_path: Path, text: str) -> None:
    assert small_world(tmp_path, {**ROWS, "at": [text] * 4}).manifest.min_ts_us == 1_522_540_831_000_000


@pytest.mark.parametrize(
    ("values", "time"),
    [
        ([1_522_540_831] * 4, {"column": "at", "unit": "ms"}),
        ([1_522_540_831_000] * 4, {"column": "at", "unit": "us"}),
        ([1_522_540_831_000_000] * 4, {"column": "at", "unit": "ns"}),
        (pl.Series([1_522_540_831] * 4).cast(pl.Datetime("ms")), {"column": "at", "zone": "UTC"}),
        (pl.Series([1_522_540_831_000] * 4).cast(pl.Datetime("ns")), {"column": "at", "zone": "UTC"}),
        (["1889-04-01T00:00:31Z"] * 4, {"column": "at"}),
    ],
)
def test_a_time_of_a_wrong_unit_is_refused_as_too_old(tmp_path: Path, values: Any, time: dict[str, Any]) -> None:
    with pytest.raises(Quarantine, match="a time before 1990-01-01") as refusal:
        small_world(tmp_path, {**ROWS, "at": values}, time=time)
    assert (refusal.value.reason, refusal.value.where) == (Reason.INPUT_VALUE_INVALID, "column 'at', row 1")
    assert "unit" in refusal.value.remedy
    assert "earliest" in refusal.value.remedy


@pytest.mark.parametrize("earliest", ["1889-04-01", date(1889, 4, 1)])
def test_old_payments_are_taken_where_that_is_declared(tmp_path: Path, earliest: Any) -> None:
    old = small_world(tmp_path, {**ROWS, "at": ["1889-04-01T00:00:00Z"] * 4}, time={"column": "at", "earliest": earliest})
    assert old.manifest.min_ts_us < 0
    assert small_world(tmp_path / "a", time={"column": "at", "earliest": earliest}).manifest.parameter_hash == old.manifest.parameter_hash


def test_a_label_is_not_older_than_a_payment_can_be(tmp_path: Path) -> None:
    told = [1_522_540_831, 1_522_540_831, None, 1_522_540_831]
    truth = {"column": "fraud", "positive": ["yes"], "time": {"column": "why", "unit": "ms"}}
    with pytest.raises(Quarantine, match="a time before 1990-01-01") as refusal:
        small_world(tmp_path, {**ROWS, "why": told}, truth=truth)
    assert refusal.value.where == "column 'why', row 1"


@pytest.mark.parametrize(
    "time",
    [
        {"column": "at", "zone": ""},
        {"column": "at", "zone": " "},
        {"column": "at", "earliest": "1889"},
        {"column": "at", "earliest": "1889-02-30"},
    ],
)
def test_a_zone_and_a_day_that_do_not_exist_are_refused(tmp_path: Path, time: dict[str, Any]) -> None:
    with pytest.raises(AssayError) as refusal:
        small_world(tmp_path, time=time)
    assert refusal.value.reason is Reason.MAPPING_INVALID


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("20240101 13005", "%Y%m%d %H%M%S"), ("2024111 130005", "%Y%m%d %H%M%S"), ("2024010113005", "%Y%m%d %H%M%S"),
        ("20240101 13005.5", "%Y%m%d %H%M%S.%f"), ("20240101 130", "%Y%m%d %H%M"), (2024111, "%Y%m%d"), ("24111", "%y%m%d"),
        ("2024-01-01 130", "%F %H%M"), ("20241", "%Y%j"), ("2024-01-113:00", "%Y-%m-%d%H:%M"), ("2024111 10:30", "%Y %m %d %H:%M"),
        ("2024111T10:30", "%Y%m%dT%R"),
    ],
)  # fmt: skip
def test_a_number_that_lost_its_zero_is_refused_where_nothing_separates_it(tmp_path: Path, text: object, form: str) -> None:
    with pytest.raises(Quarantine, match="a number without all its digits") as refusal:
        small_world(tmp_path, {**ROWS, "at": [text] * 4}, time={"column": "at", "zone": "UTC", "format": form})
    assert (refusal.value.reason, refusal.value.where) == (Reason.INPUT_VALUE_INVALID, "column 'at', row 1")
    assert (form in refusal.value.what, "013005 for 1:30:05" in refusal.value.remedy) == (True, True)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("20240203 040500", "%Y%m%d %H%M%S"), ("20240203040500", "%Y%m%d %H%M%S"), ("20240203040500.0", "%Y%m%d%H%M%S.%f"),
        ("20240203060500+0200", "%Y%m%d%H%M%S%z"), ("3Feb2024 4:5", "%d%b%Y %H:%M"), ("2024 2 3 4:5", "%Y %m %d %H:%M"),
        ("2024-2-3  4:5:0", "%F %T"), ("2024034 0405", "%Y%j %H%M"), ("240203 0405AM", "%y%m%d %I%M%p"),
        ("%20240203%0405", "%%%Y%m%d%%%H%M"),
    ],
)  # fmt: skip
def test_a_number_with_all_its_digits_or_a_separator_is_taken(tmp_path: Path, text: str, form: str) -> None:
    offset = {} if "%z" in form else {"zone": "UTC"}
    world = small_world(tmp_path, {**ROWS, "at": [text] * 4}, time={"column": "at", "format": form, **offset})
    assert world.manifest.min_ts_us == 1_706_933_100_000_000


def test_numbers_of_two_columns_keep_their_lost_zeros_apart(tmp_path: Path) -> None:
    time = {"columns": ["day", "clock"], "zone": "UTC", "format": "%Y%m%d %H%M%S"}
    with pytest.raises(Quarantine, match="20240101 13005") as refusal:
        small_world(tmp_path, {**ROWS, "day": [20240101] * 4, "clock": [130005, 13005, 130005, 130005]}, time=time)
    assert refusal.value.where == "column 'day, clock', row 2"
