"""A value is a text whatever stands beside it, and a value without one is refused by its column."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.connect.values import Number, json_record, texts
from assay.contracts.errors import Quarantine

UTC = dt.UTC


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"12.50"', "12.50"),
        ("12.50", "12.5"),
        ("12.00", "12"),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("-0.10", "-0.1"),
        ("100", "100"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1e99999999999999999999", "1e99999999999999999999"),
        ("1e50", "1e50"),
        ("true", "true"),
        ("false", "false"),
        ("null", None),
        ('""', ""),
        ('"a\\u00e9"', "aé"),
    ],
)
def test_a_json_value_has_one_text(value: str, text: str | None) -> None:
    assert texts(json_record(f'{{"a": {value}}}'.encode()), ["a"]) == [text]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (12.5, "12.5"),
        (Decimal("12.50"), "12.5"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC), "2026-01-02T03:04:05.006000+00:00"),
        (dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),  # noqa: DTZ001 - a local time has no zone
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (True, "true"),
    ],
)
def test_an_avro_value_has_one_text(value: Any, text: str) -> None:
    assert texts({"a": value}, ["a"]) == [text]


def test_only_numbers_are_numbers() -> None:
    number, text, flag = texts(json_record(b'{"a": 1.5, "b": "1.5", "c": true}'), ["a", "b", "c"])
    assert isinstance(number, Number)
    assert not isinstance(text, Number)
    assert not isinstance(flag, Number)


def test_a_field_of_an_object_is_named_with_points_and_a_name_with_points_goes_first() -> None:
    record = {"a": {"b": {"c": "deep"}, "x": "1"}, "a.x": "whole", "n": None}
    assert texts(record, ["a.b.c", "a.x", "n.m", "gone.x", "a.b.q"]) == ["deep", "whole", None, None, None]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"\xff", "is no JSON"),
        (b"{", "is no JSON"),
        (b"[1]", "no object"),
        (b'"a"', "no object"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": 1, "a": 2}', "'a' is given twice"),
        (b'{"a": {"b": 1, "b": 2}}', "'b' is given twice"),
        (b'{"a":' * 100_000, "is no JSON"),
    ],
)
def test_what_is_no_object_is_refused(value: bytes, fault: str) -> None:
    with pytest.raises(Quarantine, match=fault) as refused:
        json_record(value)
    assert (refused.value.reason.value, refused.value.where) == ("RECORD_UNREADABLE", "value")


@pytest.mark.parametrize(("value", "kind"), [({"x": 1}, "an object"), ([1], "a list"), (b"\0", "bytes"), (dt.timedelta(1), "timedelta")])
def test_a_value_without_a_text_is_refused_by_its_column(value: Any, kind: str) -> None:
    with pytest.raises(Quarantine) as refused:
        texts({"a": {"b": value}}, ["a.b"])
    assert (refused.value.reason.value, refused.value.where, refused.value.what) == (
        "INPUT_COLUMN_TYPE",
        "column 'a.b'",
        f"the field holds {kind}",
    )
    if isinstance(value, list):
        with pytest.raises(Quarantine):
            texts({"a": value}, ["a.b"])


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_a_number_keeps_its_value(number: Any) -> None:
    value = str(number) if isinstance(number, Decimal) else json.dumps(number)
    (text,) = texts(json_record(f'{{"a": {value}}}'.encode()), ["a"])
    assert text is not None
    assert Decimal(text) == Decimal(value)
    (typed,) = texts({"a": number}, ["a"])
    assert typed == text
