"""Amounts and currencies: integer minor units of a currency that exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import polars as pl

from assay.app.oracle.mapping_parts import AmountColumn, CsvForm, Value
from assay.app.oracle.refusing import refuse_row, refuse_type, values_of
from assay.app.oracle.text_columns import constant_or_column, refuse_null
from assay.contracts.currencies import ISO_4217
from assay.contracts.limits import AMOUNT_MINOR_END
from assay.contracts.reasons import Reason

#: how far an amount may be from a whole minor unit
MINOR_UNIT_TOLERANCE = 1e-6
#: a step of a float type at 1; an amount may be this many steps from a whole minor unit
_STEPS: Final = 4
_STEP: Final[Mapping[type[pl.DataType], float]] = {pl.Float32: 2.0**-23, pl.Float64: 2.0**-52}


def currency(frame: pl.DataFrame, spec: Value, declared: dict[str, int] | None) -> pl.Series:
    """The code of each row. `declared`: code → exponent, of the currencies that the mapping declares.

    Raises INPUT_VALUE_INVALID for a code that neither ISO 4217 nor the mapping has, and for several currencies that are not declared.
    """
    series = constant_or_column(frame, spec)
    column = spec.column or "currency"
    view = frame if spec.column else frame.with_columns(series.alias(column))
    wrong = ~series.is_in(list(ISO_4217 if declared is None else declared))
    if declared is None:
        what, remedy = "not a currency", "Write the three letters of ISO 4217; declare any other as 'currencies: {ABC: 2}' in the mapping."
    else:
        what, remedy = f"not one of the mapping's currencies ({', '.join(declared)})", "Add it to 'currencies' in the mapping."
    refuse_row(view, wrong, Reason.INPUT_VALUE_INVALID, column, what, remedy)
    if declared is None and series.n_unique() > 1:
        found = ", ".join(series.unique().sort().to_list())
        what = f"a second currency (the file has {found})"
        remedy = f"Amounts of several currencies cannot be added; declare 'currencies: [{found}]' in the mapping if they belong together."
        refuse_row(view, series != series[0], Reason.INPUT_VALUE_INVALID, column, what, remedy)
    return series


def amount(frame: pl.DataFrame, spec: AmountColumn, currencies: pl.Series, declared: dict[str, int] | None, form: CsvForm) -> pl.Series:
    """Integer minor units, 0 up to AMOUNT_MINOR_END.

    Raises AMOUNT_NOT_WHOLE_MINOR_UNIT for a value further than 1e-6 minor units from a whole one (or 4 steps of the column's type, where
    those are larger) and for a minor unit that is not the currency's, AMOUNT_OUT_OF_RANGE for a negative or too large one.
    """
    series = values_of(frame, spec.column)
    if not (series.dtype.is_numeric() or series.dtype == pl.String):
        refuse_type(spec.column, series.dtype, "a number")
    refuse_null(frame, series, spec.column)
    exponents = _exponents(frame, spec, currencies, ISO_4217 if declared is None else declared)
    written = _decimal_points(series, form) if series.dtype == pl.String else series
    major = written.cast(pl.Float64, strict=False)
    unreadable = ~major.is_finite().fill_null(False)
    remedy = "Write a decimal number; declare csv.decimal and csv.thousands for numbers such as 1.234,50."
    refuse_row(frame, unreadable, Reason.INPUT_VALUE_INVALID, spec.column, "not a number", remedy)
    minor = major * exponents.replace_strict({exponent: 10.0**exponent for exponent in exponents.unique()}, return_dtype=pl.Float64)
    _refuse_out_of_range(frame, spec, major, minor)
    _refuse_broken(frame, spec, series.dtype, currencies, exponents, minor)
    return minor.round().cast(pl.Int64)


def _exponents(frame: pl.DataFrame, spec: AmountColumn, currencies: pl.Series, known: Mapping[str, int]) -> pl.Series:
    """The exponent of each row's minor unit: the currency's. The mapping's has to be the same."""
    own = currencies.replace_strict(dict(known), return_dtype=pl.Int64)
    if spec.minor_unit_exponent is not None:
        wrong = own != spec.minor_unit_exponent
        if wrong.any():
            code, exponent = currencies.filter(wrong)[0], own.filter(wrong)[0]
            what = f"minor_unit_exponent is {spec.minor_unit_exponent} in the mapping, and {code} has {exponent}"
            remedy = (
                f"Leave minor_unit_exponent out: each row then has its currency's. If this file counts {code} otherwise, declare "
                f"'currencies: {{{code}: {spec.minor_unit_exponent}}}'."
            )
            refuse_row(frame, wrong, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, spec.column, what, remedy)
    return own


def _decimal_points(series: pl.Series, form: CsvForm) -> pl.Series:
    """Numbers as Python writes them; null where one is not written as declared."""
    if form.decimal is None and form.thousands is None:
        return series
    point, group = re.escape(form.decimal or "."), form.thousands
    whole = r"[0-9]+" if group is None else rf"(?:[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}})+|[0-9]+)"
    written = series.set(~series.str.contains(rf"^[+-]?{whole}(?:{point}[0-9]+)?$"), None)
    if group is not None:
        written = written.str.replace_all(group, "", literal=True)
    return written.str.replace(form.decimal or ".", ".", literal=True)


def _refuse_out_of_range(frame: pl.DataFrame, spec: AmountColumn, major: pl.Series, minor: pl.Series) -> None:
    remedy = "A payment's amount is not negative: take refunds and credits out of the file, or import them as a file of their own."
    refuse_row(frame, major < 0, Reason.AMOUNT_OUT_OF_RANGE, spec.column, "a negative amount (a refund or credit?)", remedy)
    remedy = f"Amounts are from 0 to less than {AMOUNT_MINOR_END} minor units; check the minor unit declared in the mapping."
    large = minor.round() >= AMOUNT_MINOR_END
    refuse_row(frame, large, Reason.AMOUNT_OUT_OF_RANGE, spec.column, "an amount out of range", remedy)


def _refuse_broken(
    frame: pl.DataFrame, spec: AmountColumn, dtype: pl.DataType, currencies: pl.Series, exponents: pl.Series, minor: pl.Series
) -> None:
    step = _STEP.get(type(dtype), 2.0**-52)
    coarse = minor * step >= 1
    what = f"an amount whose minor units {dtype} cannot tell apart"
    refuse_row(frame, coarse, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, spec.column, what, "Write the column as decimal, text or Float64.")
    tolerance = (minor * _STEPS * step).clip(lower_bound=MINOR_UNIT_TOLERANCE)
    broken = (minor - minor.round()).abs() > tolerance
    shown = ", ".join(str(exponent) for exponent in exponents.filter(broken).unique().sort())
    what = f"an amount that is not a whole number of 10**-{shown}"
    finer = f"'currencies: {{{currencies.filter(broken)[0]}: {exponents.filter(broken)[0] + 1}}}'" if broken.any() else ""
    remedy = f"Correct the amount, or declare a finer minor unit: {finer} without minor_unit_exponent."
    if dtype == pl.Float32:
        remedy += " The column is Float32, which holds about seven digits; Float64, decimal or text hold all."
    refuse_row(frame, broken, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, spec.column, what, remedy)
