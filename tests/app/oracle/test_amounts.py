"""Amounts are whole minor units of a currency that exists, whatever type the column has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_worlds import ROWS, small_world

from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.reasons import Reason

BY_CURRENCY = {"amount": {"column": "amount"}, "currency": {"column": "shop"}, "entities": {"customer": "who"}}


def world_of(folder: Path, codes: list[str], amounts: list[Any], **changes: Any) -> list[tuple[str, int]]:
    """Currency and minor units of each row, in the file's order. The column `shop` holds the codes."""
    world = small_world(folder, {**ROWS, "shop": codes, "amount": amounts}, **{**BY_CURRENCY, **changes})
    view = world.stream_part(world.manifest.stream_view[0]).sort("source_id")
    return view.select("currency", "amount_minor").rows()


def test_each_row_has_the_minor_unit_of_its_currency(tmp_path: Path) -> None:
    codes, amounts = ["EUR", "JPY", "KWD", "BTC"], ["1.25", "125", "0.125", "0.00000125"]
    found = world_of(tmp_path, codes, amounts, currencies={"EUR": 2, "JPY": 0, "KWD": 3, "BTC": 8})
    assert found == [(code, 125) for code in codes]


def test_currencies_of_the_standard_are_declared_by_their_codes(tmp_path: Path) -> None:
    assert world_of(tmp_path, ["EUR", "JPY", "EUR", "JPY"], ["1", "1", "2", "2"], currencies=["EUR", "JPY"])[:2] == [
        ("EUR", 100),
        ("JPY", 1),
    ]


def test_another_minor_unit_than_the_standards_is_declared(tmp_path: Path) -> None:
    assert world_of(tmp_path, ["EUR"] * 4, ["0.125"] * 4, currencies={"EUR": 3})[0] == ("EUR", 125)


@pytest.mark.parametrize(
    ("codes", "amounts", "changes", "reason", "where", "said"),
    [
        (["EUR", "XQZ", "EUR", "EUR"], ["1"] * 4, {}, Reason.INPUT_VALUE_INVALID, "column 'shop', row 2", "'currencies: {ABC: 2}'"),
        (["EUR", "XXX", "EUR", "EUR"], ["1"] * 4, {}, Reason.INPUT_VALUE_INVALID, "column 'shop', row 2", "'XXX'"),
        (["EUR", "EUR", "USD", "EUR"], ["1"] * 4, {}, Reason.INPUT_VALUE_INVALID, "column 'shop', row 3", "'currencies: [EUR, USD]'"),
        (["EUR", "EUR", "USD", "EUR"], ["1"] * 4, {"currencies": ["EUR"]}, Reason.INPUT_VALUE_INVALID, "column 'shop', row 3", "'USD'"),
        (["JPY"] * 4, ["1"] * 4, {"amount": {"column": "amount", "minor_unit_exponent": 2}}, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT,
         "column 'amount', row 1", "JPY has 0"),
        (["JPY"] * 4, ["1.5"] * 4, {}, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, "column 'amount', row 1", "'currencies: {JPY: 1}'"),
        (["EUR"] * 4, ["1.234"] * 4, {}, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, "column 'amount', row 1",
         "declare csv.decimal and csv.thousands"),
        (["EUR"] * 4, ["-5.00"] * 4, {}, Reason.AMOUNT_OUT_OF_RANGE, "column 'amount', row 1", "refunds"),
        (["EUR"] * 4, ["1"] * 4, {"currencies": ["XQZ"]}, Reason.MAPPING_INVALID, "mapping", "{XQZ: 2}"),
        (["EUR"] * 4, ["1"] * 4, {"currencies": {"EUR": 9}}, Reason.MAPPING_INVALID, "mapping", "8"),
    ],
)  # fmt: skip
def test_a_currency_that_is_not_known_and_a_unit_that_is_not_its_own_are_refused(
    tmp_path: Path, codes: list[str], amounts: list[str], changes: dict[str, Any], reason: Reason, where: str, said: str
) -> None:
    with pytest.raises(AssayError) as refusal:
        world_of(tmp_path, codes, amounts, **changes)
    assert (refusal.value.reason, refusal.value.where) == (reason, where)
    assert said in str(refusal.value)


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64, pl.Decimal(12, 2), pl.String, pl.Categorical])
def test_cents_survive_every_type_that_can_hold_them(tmp_path: Path, dtype: Any) -> None:
    amounts = pl.Series(["12.34", "0.07", "65432.10", "9999.99"]).cast(dtype)
    assert [minor for _, minor in world_of(tmp_path, ["EUR"] * 4, amounts)] == [1_234, 7, 6_543_210, 999_999]  # type: ignore[arg-type]  # a series


def test_an_amount_whose_cents_a_single_float_has_lost_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Quarantine, match="its type cannot tell apart") as refusal:
        world_of(tmp_path, ["EUR"] * 4, pl.Series([1.0, 2.0, 3.0, 123456.78], dtype=pl.Float32))  # type: ignore[arg-type]  # a series
    assert (refusal.value.reason, refusal.value.where) == (Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, "column 'amount', row 4")
    assert "decimal, text or Float64, not as Float32" in refusal.value.remedy


def test_a_single_float_that_is_no_whole_cent_is_refused_with_its_type(tmp_path: Path) -> None:
    with pytest.raises(Quarantine) as refusal:
        world_of(tmp_path, ["EUR"] * 4, pl.Series([1.0, 2.005, 3.0, 4.0], dtype=pl.Float32))  # type: ignore[arg-type]  # a series
    assert "Float32" in refusal.value.remedy


@pytest.mark.parametrize(
    ("value", "dtype", "code", "said"),
    [
        (20000.375, pl.Float32, "EUR", "not a whole number"),
        (15000.125, pl.Float32, "EUR", "not a whole number"),
        (8388607.5, pl.Float32, "JPY", "not a whole number"),
        (20000.375, pl.Float64, "EUR", "not a whole number"),
        (2049.0, pl.Float16, "EUR", "its type cannot tell apart"),
        (500.5, pl.Float16, "JPY", "not a whole number"),
    ],
)
def test_a_large_amount_is_whole_minor_units_too(tmp_path: Path, value: float, dtype: Any, code: str, said: str) -> None:
    with pytest.raises(Quarantine, match=said) as refusal:
        world_of(tmp_path, [code] * 4, pl.Series([1, 1, value, value], dtype=dtype), amount={"column": "amount"})  # type: ignore[arg-type]  # a series
    assert (refusal.value.reason, refusal.value.where) == (Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, "column 'amount', row 3")


@pytest.mark.parametrize(
    ("code", "amounts", "row"),
    [
        ("VND", ["250.000", "15.000", "500", "7"], 1),
        ("EUR", ["12.00", "1.000", "2.500", "12.500"], 2),
        ("EUR", ["0.50", "0", "999.990", "1"], 3),
        ("EUR", ["-1.000", "1", "2", "3"], 1),
    ],
)
def test_a_point_that_may_be_one_of_thousands_is_refused(tmp_path: Path, code: str, amounts: list[str], row: int) -> None:
    with pytest.raises(Quarantine, match="may be one of decimals or of thousands") as refusal:
        world_of(tmp_path, [code] * 4, amounts, amount={"column": "amount", "sign": "any"})
    assert (refusal.value.reason, refusal.value.where) == (Reason.INPUT_VALUE_INVALID, f"column 'amount', row {row}")
    assert 'csv: {decimal: ",", thousands: "."}' in refusal.value.remedy


def test_a_symbol_and_two_columns_hide_no_point_of_thousands(tmp_path: Path) -> None:
    with pytest.raises(Quarantine, match="may be one of decimals or of thousands"):
        world_of(tmp_path / "a", ["EUR"] * 4, ["1 \u20ac", "1.000 \u20ac", "1", "1"], amount={"column": "amount", "symbol": "\u20ac"})
    with pytest.raises(Quarantine, match="may be one of decimals or of thousands") as refusal:
        small_world(tmp_path / "b", {**ROWS, "in": [None, "0", None, "1.000"], "amount": ["1", "2", "3", None]},
                    amount={"debit": "amount", "credit": "in", "sign": "any"})  # fmt: skip
    assert refusal.value.where == "column 'in', row 4"


@pytest.mark.parametrize(
    ("code", "amounts", "csv", "minor"),
    [
        ("EUR", ["1.000", "2.500"], {"decimal": "."}, [100, 250]),
        ("EUR", ["1.000", "2.500"], {"decimal": ",", "thousands": "."}, [100_000, 250_000]),
        ("VND", ["250.000", "500"], {"decimal": ",", "thousands": "."}, [250_000, 500]),
        ("EUR", ["1.000", "0.500"], {}, [100, 50]),
        ("EUR", ["1.000", "1000.500"], {}, [100, 100_050]),
        ("EUR", ["1.0000", "2.50"], {}, [100, 250]),
        ("KWD", ["1.000", "2.125"], {}, [1_000, 2_125]),
        ("CLF", ["1.000", "2.1250"], {}, [10_000, 21_250]),
    ],
)
def test_a_point_with_one_meaning_is_read(tmp_path: Path, code: str, amounts: list[str], csv: dict[str, Any], minor: list[int]) -> None:
    found = world_of(tmp_path, [code] * 4, [*amounts, "1", "1"], csv=csv)
    assert [one for _, one in found][:2] == minor


def test_a_number_that_is_no_text_has_a_decimal_point(tmp_path: Path) -> None:
    assert world_of(tmp_path, ["EUR"] * 4, pl.Series(["1.000"] * 4).cast(pl.Decimal(9, 3)))[0] == ("EUR", 100)  # type: ignore[arg-type]  # a series


@pytest.mark.parametrize("amounts", [["125", "7", "0", "99"], [125, 7, 0, 99], [125.0, 7.0, 0.0, 99.0]])
def test_amounts_may_count_minor_units(tmp_path: Path, amounts: list[Any]) -> None:
    minor = {"column": "amount", "unit": "minor"}
    found = world_of(tmp_path, ["EUR", "JPY", "EUR", "KWD"], amounts, amount=minor, currencies=["EUR", "JPY", "KWD"])
    assert [value for _, value in found] == [125, 7, 0, 99]


def test_a_fraction_of_a_minor_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Quarantine) as refusal:
        world_of(tmp_path, ["EUR"] * 4, ["1", "2.5", "3", "4"], amount={"column": "amount", "unit": "minor"})
    assert refusal.value.reason is Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT
    assert "a fraction of a minor unit: '2.5'" in refusal.value.what


def test_the_usual_unit_may_be_written_and_is_the_same_world(tmp_path: Path) -> None:
    worlds = [
        small_world(tmp_path / str(at), ROWS, amount={"column": "amount", **unit}).manifest.manifest_fingerprint
        for at, unit in enumerate([{}, {"unit": "major"}])
    ]
    assert worlds[0] == worlds[1]
