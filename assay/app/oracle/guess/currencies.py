"""Guesses the currency of a payment: what the amount tells, and a column of codes that are those of the amount."""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.leaves import Leaf, Part, leaf, listed, todo
from assay.app.oracle.guess.sample import Sample
from assay.app.oracle.mapping import TODO
from assay.contracts.currencies import EXPONENT_MAX, ISO_4217

_CURRENCY: Final = (
    "currency",
    "ccy",
    "curr",
    "cur",
    "wahrung",
    "waehrung",
    "devise",
    "moneda",
    "valuta",
    "moeda",
    "divisa",
    "monnaie",
    "waluta",
)
#: words that do not make the currency of a payment another one
_NEUTRAL: Final = frozenset({
    *_CURRENCY, "iso", "4217", "3", "alpha", "code", "cd", "id", "key", "name", "symbol", "of", "the", "transaction", "trans", "trx",
    "txn", "tx", "payment", "pay", "amount", "amt", "betrag", "montant", "importe", "importo", "order", "transfer", "purchase",
})  # fmt: skip
#: words of an amount that was converted, or of another one than that of the payment
_CONVERTED: Final = frozenset({
    "converted", "home", "base", "equivalent", "functional", "reporting", "settled", "settlement", "billing", "billed", "original", "orig",
    "foreign", "local", "account", "acct", "card", "target", "source", "instructed", "counter",
})  # fmt: skip
#: codes that are words, too
_WORDS: Final = (
    "all", "try", "top", "mad", "pen", "cup", "bob", "cop", "mop", "gel", "sos", "ron", "rub", "std", "bam", "svc", "sar", "che", "lak",
)  # fmt: skip
_NAMED: Final = {"euro": "EUR", "euros": "EUR", "€": "EUR"}
#: signs of currencies in small letters, besides those of Unicode
_SYMBOLS: Final = frozenset({
    "kr", "zł", "zl", "fr", "frs", "sfr", "rs", "rp", "ft", "kč", "kc", "lei", "din", "tl", "rm", "euro", "euros", "dollar", "dollars",
    "pounds", "francs", "元", "円", "원",
})  # fmt: skip
#: a sign with letters of its country, such as US$
_SIGN: Final = r"(?P<letters>[A-Z]{0,3}) ?[$€£¥₩₹₽₺₴₪₫฿₦₱₡₲₵₸₭₮₼₾৳៛﷼]|[$€£¥](?:[A-Z]{3})"
#: letters that make thousands or millions of a sign, such as T€
_MANY: Final = ("k", "t", "m", "mn", "mm", "b", "bn", "mio", "mrd", "tsd")
_NUMERIC: Final = r"^[0-9]{1,3}$"
_CODES_MAX: Final = 40
_CODE_ASK: Final = "a code of ISO 4217 such as EUR"


def is_code(word: str) -> bool:
    """Whether a word of a name is the code of a currency and no other word."""
    return word.upper() in ISO_4217 and word not in _WORDS


def names_currency(column: SampleColumn) -> bool:
    """Whether the name is one of a currency."""
    return column.has(*_CURRENCY)


def told_by(sample: Sample, names: tuple[str, ...]) -> str | None:
    """The currency that the names of these columns tell."""
    words = {word for column in sample.columns if column.name in names for word in column.words}
    codes = {_NAMED[word] for word in words & set(_NAMED)} | {word.upper() for word in words if is_code(word)}
    return codes.pop() if len(codes) == 1 else None


def code_of(symbol: str | None) -> str | None:
    """The currency of a symbol beside the amounts; None where several have it."""
    if symbol is None:
        return None
    return _NAMED.get(symbol) or (symbol if symbol in ISO_4217 else None)


def is_symbol(symbol: str) -> bool:
    """Whether text beside a number is the sign or the code of a currency, and not of thousands, cents or a direction."""
    if symbol.upper() in ISO_4217 or symbol.lower() in _SYMBOLS:
        return True
    found = re.fullmatch(_SIGN, symbol)
    return found is not None and (found["letters"] or "").lower() not in _MANY


def further_words(column: SampleColumn) -> int:
    """Words of a name that may make its amount or currency another than that of the payment."""
    return len(set(column.words) - _NEUTRAL)


def currency_of(sample: Sample, used: set[str], amount: Part, told: str | None, decimals: int) -> Part:
    """The currency of this amount: a column of its codes, or the code that the amount tells, or TODO."""
    coded = [column for column in sample.without(used) if _holds_codes(column)]
    own = [column for column in coded if names_currency(column) and _is_of(column, amount.used, sample)]
    if own and all(column.every.equals(own[0].every) for column in own) and (told is None or set(_codes(own[0])) == {told}):
        return _by_column(own[0])
    code, notes = _code(sample, used, told, own, coded)
    told = None if code.ask else told
    usual = 2 if told is None else ISO_4217[told]
    if usual < decimals <= EXPONENT_MAX:
        why = f"amounts have up to {decimals} decimals, more than the minor unit of a currency"
        return Part([code, Leaf(("currencies",), {told or TODO: decimals}, why, ask="" if told else "the same code")], notes=notes)
    return Part([code], notes=notes)


def _by_column(column: SampleColumn) -> Part:
    codes = _codes(column)
    leaves = [leaf("currency.column", column.name, f"its name, and all values are codes of ISO 4217: {column.shown()}")]
    why = "the codes of the rows read; amounts of several currencies are not added"
    if len(codes) == 1:
        why = "the only code of the rows read; a policy for this mapping adds amounts of this currency, and refuses others"
    leaves.append(leaf("currencies", sorted(codes), why))
    return Part(leaves, (column.name,))


def _code(
    sample: Sample, used: set[str], told: str | None, own: list[SampleColumn], coded: list[SampleColumn]
) -> tuple[Leaf, tuple[str, ...]]:
    """The line of one code for all rows, and notes. What two places tell differently is asked for."""
    place = "currency.constant"
    named = own or [column for column in coded if names_currency(column)]
    small = next((column for column in sample.without(used) if _small_codes(column)), None)
    other = None if told is None else next((column for column in sample.without(used) if _says_other(column, told)), None)
    if other is not None:
        why = f"the amount says {told}, '{other.name}' has {other.shown()}: which of them the amounts are in is not told"
        return todo(place, why, _choice(other, told)), ()
    if small is not None and told is None:
        found = sorted({value.upper() for value, _ in small.counts})
        why = f"'{small.name}' has codes in small letters ({small.shown()}), which the import does not read"
        return todo(place, why, f"{found[0]}, if all rows have it" if len(found) == 1 else "write the codes in capitals first"), ()
    if told is not None:
        others = [column.name for column in coded]
        notes = (f"{listed(others)}: values are codes of currencies, too; the amount says {told}",) if others else ()
        return leaf(place, told, "the name or the symbol of the amount says so"), notes
    if len(own) > 1:
        why = f"{listed([column.name for column in own])} are currencies and differ; which is that of the amount is not told"
        return todo(place, why, _choice(own[0], None)), ()
    doubtful = named or coded
    if doubtful:
        what = "may be those of another amount" if named else "its name is none of a currency"
        why = f"'{doubtful[0].name}' has codes of currencies ({doubtful[0].shown()}), but {what}"
        return todo(place, why, _choice(doubtful[0], None)), ()
    return todo(place, "no column holds codes of currencies", _CODE_ASK), ()


def _choice(column: SampleColumn, told: str | None) -> str:
    return f"{told or _CODE_ASK}, for all rows; or write currency: {{column: {column.name}}}, if these codes are those of the amounts"


def _holds_codes(column: SampleColumn) -> bool:
    """Whether each row has a code of ISO 4217."""
    if column.dtype != pl.String or not column.known or column.known < column.rows or (column.unique and column.rows > 1):
        return False
    return column.distinct <= _CODES_MAX and set(_codes(column)) <= set(ISO_4217)


def _says_other(column: SampleColumn, told: str) -> bool:
    """Whether a column with the name of a currency has another one than this: codes, names, or the numbers of ISO 4217."""
    if not names_currency(column) or not column.plain or not 0 < column.distinct <= _CODES_MAX:
        return False
    if column.numbers is not None:
        return bool(column.text.str.contains(_NUMERIC).all())
    return column.dtype == pl.String and any(value != told and _NAMED.get(value.lower()) != told for value in _upper(column))


def _codes(column: SampleColumn) -> list[str]:
    return [value for value, _ in column.counts]


def _is_of(column: SampleColumn, amount: tuple[str, ...], sample: Sample) -> bool:
    """Whether a currency is that of the amount by its name: `settlement_currency` is one of a `settlement_amount` alone."""
    words = {word for one in sample.columns if one.name in amount for word in one.words}
    return set(column.words) <= _NEUTRAL | words and words & _CONVERTED <= set(column.words)


def _small_codes(column: SampleColumn) -> bool:
    """Codes of currencies in small letters, in a column of this name."""
    return (
        names_currency(column)
        and column.known == column.rows
        and not set(_upper(column)) - set(ISO_4217)
        and _upper(column) != _codes(column)
    )


def _upper(column: SampleColumn) -> list[str]:
    return [value.upper() for value in _codes(column)]
