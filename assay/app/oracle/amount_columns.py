"""Amounts and currencies: integer minor units of a currency that exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import polars as pl

from assay.app.oracle.mapping_amount import AmountColumn
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.mapping_parts import Value
from assay.app.oracle.refusing import refuse_row, refuse_type, values_of
from assay.app.oracle.text_columns import as_text, constant_or_column, refuse_null
from assay.contracts.currencies import ISO_4217
from assay.contracts.limits import AMOUNT_MINOR_END
from assay.contracts.reasons import Reason

#: how far an amount may be from a whole minor unit
MINOR_UNIT_TOLERANCE = 1e-6
#: a step of a float type at 1; of a smaller type, an amount may be half a step from a whole minor unit, and a few steps of a double
_STEP: Final[Mapping[type[pl.DataType], float]] = {pl.Float16: 2.0**-10, pl.Float32: 2.0**-23, pl.Float64: 2.0**-52}
_DOUBLE_STEPS: Final = 4
#: digits of a group of thousands
_GROUP: Final = 3
#: a number that may be of one group and another
_GROUPED: Final = r"^[+-]?[0-9]{1,3}\.[0-9]{3}$"


def currency(frame: pl.DataFrame, spec: Value, declared: dict[str, int] | None) -> pl.Series:
    """The code of each row. `declared`: code → exponent, of the currencies that the mapping declares.

    Raises INPUT_VALUE_INVALID for a code that neither ISO 4217 nor the mapping has, and for several currencies that are not declared.
    """
    series = constant_or_column(frame, spec)
    column = spec.column or "currency"
    view = frame if spec.column else frame.with_columns(series.alias(column))
    known = list(ISO_4217 if declared is None else declared)
    wrong = ~series.is_in(known)
    if series.filter(wrong).str.strip_chars().str.to_uppercase().is_in(known).any():
        what, remedy = "a currency in another spelling", "Write three capital letters without blanks, as in EUR."
    elif declared is None:
        what, remedy = "not a currency", "Write the three letters of ISO 4217; declare any other as 'currencies: {ABC: 2}' in the mapping."
    else:
        what = f"not one of the mapping's currencies ({', '.join(declared)})"
        remedy = "Add it to 'currencies' in the mapping, with its exponent if ISO 4217 does not have it: '{ABC: 2}'."
    refuse_row(view, wrong, Reason.INPUT_VALUE_INVALID, column, what, remedy)
    if declared is None and series.n_unique() > 1:
        found = ", ".join(series.unique().sort().to_list())
        what = f"a second currency (the file has {found})"
        remedy = f"Amounts of several currencies cannot be added; declare 'currencies: [{found}]' in the mapping if they belong together."
        refuse_row(view, series != series[0], Reason.INPUT_VALUE_INVALID, column, what, remedy, of_file=True)
    return series


def amount(frame: pl.DataFrame, spec: AmountColumn, currencies: pl.Series, declared: dict[str, int] | None, form: CsvForm) -> pl.Series:
    """Integer minor units, 0 up to AMOUNT_MINOR_END.

    Raises AMOUNT_NOT_WHOLE_MINOR_UNIT for a value further than 1e-6 minor units from a whole one (or than its type can be, where that is
    more) and for a minor unit that is not the currency's, AMOUNT_OUT_OF_RANGE for a too large one or one of another sign,
    INPUT_VALUE_INVALID for text that is no number or whose point may group thousands.
    """
    frame = _beside(frame, spec)
    known = _Amounts(frame, spec, currencies, _exponents(frame, spec, currencies, ISO_4217 if declared is None else declared))
    if spec.column is not None:
        major, step = _number(frame, spec.column, spec, form)
        refuse_null(frame, major, spec.column)
    else:
        major, step = _one_of_two(frame, spec, form)
    major = _unsigned(known, major)
    minor = major if spec.unit == "minor" else major * _scale(known.exponents)
    large = minor.round() >= AMOUNT_MINOR_END
    remedy = f"Amounts are from 0 to less than {AMOUNT_MINOR_END} minor units; check the unit and the minor unit declared in the mapping."
    refuse_row(frame, large, Reason.AMOUNT_OUT_OF_RANGE, spec.name, "an amount out of range", remedy)
    _refuse_broken(known, minor, step)
    for column in spec.names:
        _refuse_groups(known, column, form)
    return minor.round().cast(pl.Int64)


def _scale(exponents: pl.Series) -> pl.Series:
    """Minor units of one unit of each row's currency."""
    return exponents.replace_strict({exponent: 10.0**exponent for exponent in exponents.unique()}, return_dtype=pl.Float64)


class _Amounts(NamedTuple):
    """What is known of each row before its amount is."""

    frame: pl.DataFrame
    spec: AmountColumn
    currencies: pl.Series
    exponents: pl.Series


def _number(frame: pl.DataFrame, column: str, spec: AmountColumn, form: CsvForm) -> tuple[pl.Series, float]:
    """A column's numbers, null where it has none, and the step of its type at 1."""
    series = values_of(frame, column)
    if not (series.dtype.is_numeric() or series.dtype == pl.String):
        refuse_type(column, series.dtype, "a number")
    written = series
    if series.dtype == pl.String:
        written = _plain_numbers(series, spec, form)
    major = written.cast(pl.Float64, strict=False)
    unreadable = ~major.is_finite().fill_null(False) & series.is_not_null()
    remedy = "Write a decimal number; declare csv.decimal and csv.thousands for numbers such as 1.234,50, amount.symbol for $12.34."
    refuse_row(frame, unreadable, Reason.INPUT_VALUE_INVALID, column, "not a number", remedy)
    return major, _STEP.get(type(series.dtype), 2.0**-52)


def _one_of_two(frame: pl.DataFrame, spec: AmountColumn, form: CsvForm) -> tuple[pl.Series, float]:
    """Debits, and credits as negative numbers. A zero beside the other is no amount."""
    (debit, debit_step), (credit, credit_step) = (_number(frame, column, spec, form) for column in spec.names)
    neither = debit.is_null() & credit.is_null()
    refuse_row(frame, neither, Reason.INPUT_VALUE_MISSING, spec.name, "neither a debit nor a credit", "Every row needs one of them.")
    debit, credit = debit.fill_null(0.0), credit.fill_null(0.0)
    both = (debit != 0) & (credit != 0)
    refuse_row(frame, both, Reason.INPUT_VALUE_INVALID, spec.name, "a debit and a credit in one row", "Every row is one payment.")
    return debit - credit, max(debit_step, credit_step)


def _beside(frame: pl.DataFrame, spec: AmountColumn) -> pl.DataFrame:
    """The frame with the debit and the credit of each row as one text, for messages; a missing one is `-`."""
    if spec.column is not None:
        return frame
    written = [as_text(frame, column).fill_null("-") for column in spec.names]
    return frame.with_columns(pl.select(pl.concat_str(written, separator=" and ")).to_series().alias(spec.name))


def _unsigned(known: _Amounts, major: pl.Series) -> pl.Series:
    """Amounts without the sign that the mapping says payments have."""
    frame, spec = known.frame, known.spec
    if spec.sign == "any":
        return major.abs()
    if spec.sign == "negative":
        remedy = "The mapping says that payments are negative (amount.sign); take other rows out with 'filter', or declare 'sign: any'."
        refuse_row(frame, major > 0, Reason.AMOUNT_OUT_OF_RANGE, spec.name, "a positive amount (a refund or credit?)", remedy)
        return -major
    if spec.debit is not None:
        remedy = (
            f"A payment's amount is not negative, and a credit counts as negative. Take credits out: 'filter: [{{column: {spec.debit}, "
            "drop: [null]}]'; or declare 'amount.sign: any'."
        )
        refuse_row(frame, major < 0, Reason.AMOUNT_OUT_OF_RANGE, spec.name, "a credit, or a negative debit", remedy)
        return major
    remedy = (
        "A payment's amount is not negative. Take refunds and credits out with 'filter'; declare 'amount.sign: negative' if "
        "payments are written so, 'sign: any' if the sign says nothing."
    )
    refuse_row(frame, major < 0, Reason.AMOUNT_OUT_OF_RANGE, spec.name, "a negative amount (a refund or credit?)", remedy)
    return major


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
            refuse_row(frame, wrong, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, spec.name, what, remedy, of_file=True)
    return own


def _plain_numbers(series: pl.Series, spec: AmountColumn, form: CsvForm) -> pl.Series:
    """Numbers as Python writes them; null where one is not written as declared."""
    series = _without_symbol(series, spec)
    if form.decimal is None and form.thousands is None:
        return series
    point, group = re.escape(form.decimal or "."), form.thousands
    whole = r"[0-9]+" if group is None else rf"(?:[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}})+|[0-9]+)"
    written = series.set(~series.str.contains(rf"^[+-]?{whole}(?:{point}[0-9]+)?$"), None)
    if group is not None:
        written = written.str.replace_all(group, "", literal=True)
    return written.str.replace(form.decimal or ".", ".", literal=True)


def _without_symbol(series: pl.Series, spec: AmountColumn) -> pl.Series:
    if spec.symbol is None:
        return series
    symbol = re.escape(spec.symbol)
    return series.str.replace(rf"^([+-]?)\s*{symbol}\s*([+-]?)", "${1}${2}").str.replace(rf"\s*{symbol}$", "")


def _refuse_groups(known: _Amounts, column: str, form: CsvForm) -> None:
    """Raise INPUT_VALUE_INVALID for `1.000` in a currency of less than three decimals: it may be one, or a thousand.

    Not where another number of three decimals can only have a decimal point, such as `0.500` or `1000.500`.
    """
    text = values_of(known.frame, column)
    if text.dtype != pl.String or form.decimal is not None or form.thousands is not None:
        return
    text = _without_symbol(text, known.spec)
    if text.str.contains(r"^[+-]?(?:0[0-9]*|[0-9]{4,})\.[0-9]{3}$").any():
        return
    grouped = (text.str.contains(_GROUPED) & (known.exponents < _GROUP)).fill_null(False)
    remedy = (
        "Declare csv.decimal and csv.thousands in the mapping: 'csv: {decimal: \".\"}' if 1.000 is one, "
        '\'csv: {decimal: ",", thousands: "."}\' if it is a thousand.'
    )
    what = "a point that may be one of decimals or of thousands"
    refuse_row(known.frame, grouped, Reason.INPUT_VALUE_INVALID, column, what, remedy, of_file=True)


def _refuse_broken(known: _Amounts, minor: pl.Series, step: float) -> None:
    frame, name, single = known.frame, known.spec.name, step > _STEP[pl.Float64]
    coarse = minor * step >= 1
    what, remedy = "an amount whose minor units its type cannot tell apart", "Write the column as decimal, text or Float64"
    remedy += ", not as Float32 (about seven digits) or Float16 (three)." if single else "."
    refuse_row(frame, coarse, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, name, what, remedy)
    held = _DOUBLE_STEPS * _STEP[pl.Float64] + (step / 2 if single else 0.0)
    tolerance = (minor * held).clip(lower_bound=MINOR_UNIT_TOLERANCE)
    broken = (minor - minor.round()).abs() > tolerance
    if broken.any():
        code, exponent = known.currencies.filter(broken)[0], known.exponents.filter(broken)[0]
        remedy = f"Correct the amount, or declare a finer minor unit: 'currencies: {{{code}: {exponent + 1}}}' without minor_unit_exponent."
        if known.frame[name].dtype == pl.String and known.frame.filter(broken)[name].str.contains(_GROUPED).any():
            remedy += " If its point is one of thousands, declare csv.decimal and csv.thousands."
        if single:
            remedy += " The column is Float32 (about seven digits) or Float16 (three); Float64, decimal or text hold all."
        what = f"an amount that is not a whole number of 10**-{exponent}"
        if known.spec.unit == "minor":
            what = "a fraction of a minor unit"
            remedy = f"The mapping says that numbers count minor units (amount.unit). If they count {code}, take it out."
        refuse_row(frame, broken, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, name, what, remedy)
