"""Guesses whether amounts count units of their currency or minor ones, such as cents."""

from __future__ import annotations

from typing import Final

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.leaves import Part, leaf, todo
from assay.app.oracle.guess.money import money_of
from assay.app.oracle.guess.sample import Sample
from assay.contracts.currencies import ISO_4217

#: words of names that say minor units, and those that may say something else
_MINOR: Final = frozenset({
    "cents", "cent", "minor", "pence", "pennies", "kopeks", "kopecks", "paise", "rappen", "centimes", "centimos", "centesimi", "groszy",
    "subunits", "subunit",
})  # fmt: skip
_MAYBE: Final = frozenset({"ct", "cts", "penny", "paisa", "ore", "grosz", "fen", "sen", "agorot", "halalas", "fils"})
_PARTS: Final = ("cents", "minorunit", "pence")
#: whole numbers are asked about where half of them are at least so large
_LARGE: Final = 1_000
#: decimals that somebody wrote; `.0` is of a program that has floats alone
_DECIMALS: Final = r"[.,][0-9]{2}$"
_ASK: Final = "major (the numbers count euros and their like) or minor (they count cents)"


def speaks_of_minor(column: SampleColumn) -> bool:
    """Whether a name speaks of minor units."""
    return column.has(*_MINOR, *_MAYBE) or any(part in "".join(column.words) for part in _PARTS)


def unit_of(sample: Sample, amount: Part, currency: Part) -> Part:
    """The line of the unit; none where the amounts tell it, or the currency has no minor unit."""
    column = next((one for one in sample.columns if one.name in amount.used), None)
    money = None if column is None else money_of(column)
    if column is None or money is None or _has_no_minor(sample, currency):
        return Part([])
    whole = bool((money.numbers == money.numbers.floor()).all()) and not column.text.str.contains(_DECIMALS).any()
    if speaks_of_minor(column):
        return _by_name(column, whole=whole)
    if not whole or len(money.numbers) < 2:
        return Part([])
    median = float(money.numbers.abs().median() or 0)  # type: ignore[arg-type]  # of numbers
    if median < _LARGE:
        return Part([], notes=(f"all amounts of '{column.name}' are whole numbers: if they count cents, write amount.unit: minor",))
    return Part([todo("amount.unit", f"all amounts are whole numbers, and half of them are at least {median:,.10g}", _ASK)])


def _by_name(column: SampleColumn, *, whole: bool) -> Part:
    if not whole:
        return Part([todo("amount.unit", f"'{column.name}' speaks of minor units, and its numbers have decimals", _ASK)])
    if column.has(*_MAYBE):
        return Part([todo("amount.unit", f"'{column.name}' may speak of minor units", _ASK)])
    return Part([leaf("amount.unit", "minor", "the name of the column says so, and all amounts are whole numbers")])


def _has_no_minor(sample: Sample, currency: Part) -> bool:
    """Whether all rows read have currencies such as JPY, whose amounts are whole anyway."""
    held = [one for one in sample.columns if one.name in currency.used]
    codes = {value for one in held for value, _ in one.counts} | {
        str(one.value) for one in currency.leaves if one.place == "currency.constant"
    }
    return bool(codes) and all(ISO_4217.get(code) == 0 for code in codes)
