"""Guesses the amount of a payment and its currency."""

from __future__ import annotations

from typing import Final

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.leaves import Leaf, Part, leaf, listed, todo
from assay.app.oracle.guess.money import Money, money_of
from assay.app.oracle.guess.sample import Sample
from assay.app.oracle.mapping import TODO
from assay.contracts.currencies import EXPONENT_MAX, ISO_4217

_AMOUNT: Final = {
    "amount": 10, "amt": 10, "betrag": 10, "umsatz": 9, "montant": 10, "importe": 10, "importo": 10, "bedrag": 10, "valor": 8, "paid": 5,
    "value": 6, "price": 6, "total": 6, "sum": 5, "euros": 8, "euro": 8, "dollars": 8, "pounds": 8, "francs": 8, "cost": 4, "limit": 1,
}  # fmt: skip
_NOT_AMOUNT: Final = (
    "balance", "saldo", "old", "new", "fee", "tax", "rate", "avg", "mean", "average", "count", "limit", "id", "date", "time",
    "datetime", "ts",
    "similarity", "type", "code",
)  # fmt: skip
_DEBIT: Final = ("debit", "debits", "soll", "withdrawal", "withdrawals", "out", "belastung")
_CREDIT: Final = ("credit", "credits", "haben", "deposit", "deposits", "in", "gutschrift")
_CURRENCY: Final = ("currency", "ccy", "curr", "cur", "wahrung", "waehrung", "devise", "moneda", "iso")
#: codes that are words, too
_WORDS: Final = ("all", "try", "top", "mad", "pen", "cup", "bob", "cop", "mop", "gel", "sos", "ron", "rub", "std", "bam")
_NAMED: Final = {"euro": "EUR", "euros": "EUR", "€": "EUR"}
#: no amount
_ZERO: Final = r"^[+-]?0*([.,]0*)?$"
#: more decimals than money has
_DECIMALS_MAX: Final = 4
_SIGN_ASK: Final = "any (the sign says nothing), or positive or negative with a 'filter' that takes the others out"
_CURRENCY_ASK: Final = "a code of ISO 4217 such as EUR"


def amount_of(sample: Sample, used: set[str]) -> tuple[Part, str | None, int]:
    """The amount; the currency that its name or symbol tells; the decimals of its numbers."""
    columns = sample.without(used)
    pair = _pair(columns)
    if pair is not None:
        return pair, _currency_word(sample, pair.used), 0
    found = [(score, column, money) for column in columns if (score := _score(column)) > 0 and (money := money_of(column)) is not None]
    fitting = [one for one in found if one[2].decimals <= _DECIMALS_MAX]
    notes = tuple(
        f"'{column.name}' is not the amount: its numbers have {money.decimals} decimals"
        for _, column, money in found
        if money.decimals > _DECIMALS_MAX
    )
    if not fitting:
        numbers = [column.name for column in columns if money_of(column) is not None]
        why = "no column of numbers has the name of an amount" + (f"; columns of numbers: {listed(numbers)}" if numbers else "")
        return Part([todo("amount.column", why, "the column with the amount")], notes=notes), None, 0
    score, column, money = max(fitting, key=lambda one: one[0])
    others = [other.name for _, other, _ in fitting if other is not column]
    why = f"numbers from {money.numbers.min():,.10g} to {money.numbers.max():,.10g}, and the name of the column"  # type: ignore[str-bytes-safe]  # numbers
    if score < 3:
        notes += (f"'{column.name}' is taken for the amount, because no other column fits better",)
    if others:
        notes += (f"amounts in {listed(others)}, too; '{column.name}' has the plainest name",)
    notes += _whole_amounts(column, money)
    leaves = [leaf("amount.column", column.name, why), *_symbol(money), *_sign(money), *_marks(money)]
    return Part(leaves, (column.name,), notes), _currency_word(sample, (column.name,)) or _code(money.symbol), money.decimals


def _score(column: SampleColumn) -> int:
    if column.has(*_CURRENCY):
        return 0
    plain = "".join(column.words)
    points = [score for word, score in _AMOUNT.items() if word in column.words or (len(word) > 4 and word in plain)]
    codes = [8 for word in column.words if _is_code(word)]
    return max([*points, *codes], default=0) - (9 if set(column.words) & set(_NOT_AMOUNT) - {"limit"} else 0)


def _is_code(word: str) -> bool:
    """Whether a word of a name is the code of a currency and no other word."""
    return word.upper() in ISO_4217 and word not in _WORDS


def _pair(columns: list[SampleColumn]) -> Part | None:
    """Two columns of which each row has one."""
    for debit in (column for column in columns if column.has(*_DEBIT)):
        for credit in (column for column in columns if column.has(*_CREDIT) and column is not debit):
            first, second = money_of(debit), money_of(credit)
            if first is None or second is None or not _one_each(debit, credit):
                continue
            leaves = [
                leaf("amount.debit", debit.name, f"each row has a number here or in '{credit.name}'"),
                leaf("amount.credit", credit.name, f"the other one; {credit.known:,} rows have a number here"),
                todo("amount.sign", "a credit counts as negative, and a payment is not negative", _credits_ask(debit)),
                *_marks(first),
            ]
            return Part(leaves, (debit.name, credit.name))
    return None


def _credits_ask(debit: SampleColumn) -> str:
    nothing = "null" if debit.known < debit.rows else "0"
    return f"any, if credits are payments, too; otherwise positive, with filter: [{{column: {debit.name}, drop: [{nothing}]}}]"


def _one_each(debit: SampleColumn, credit: SampleColumn) -> bool:
    """Whether each row has a number in one of both, and nothing or zero in the other."""
    first, second = (column.every.is_not_null() & ~column.every.str.contains(_ZERO).fill_null(True) for column in (debit, credit))
    return bool((first != second).all()) and bool(first.any()) and bool(second.any())


def _symbol(money: Money) -> list[Leaf]:
    return [] if money.symbol is None else [leaf("amount.symbol", money.symbol, "all values have it beside the number")]


def _sign(money: Money) -> list[Leaf]:
    negative, positive = int((money.numbers < 0).sum()), int((money.numbers > 0).sum())
    if not negative:
        return []
    if not positive:
        return [leaf("amount.sign", "negative", "no number of the rows read is above zero")]
    share = f"{negative:,} of {len(money.numbers):,} amounts are negative; the file does not say whether they are refunds"
    return [todo("amount.sign", share, _SIGN_ASK)]


def _marks(money: Money) -> list[Leaf]:
    if not money.sure:
        both = " or ".join(f"'{decimal}'" for decimal, _ in money.marks)
        return [todo("csv.decimal", "a mark may be one of decimals or of thousands in all rows read", f"{both}; and csv.thousands")]
    decimal, thousands = money.marks[0]
    leaves = []
    if decimal != "." or thousands is not None:
        leaves.append(leaf("csv.decimal", decimal, "the mark before the decimals of the amounts"))
    if thousands is not None:
        leaves.append(leaf("csv.thousands", thousands, "the mark between the thousands of the amounts"))
    return leaves


def _whole_amounts(column: SampleColumn, money: Money) -> tuple[str, ...]:
    if money.decimals == 0 and column.dtype != pl.Float64 and len(money.numbers) > 1:
        return (f"all amounts of '{column.name}' are whole numbers: if they count cents, divide them before the import",)
    return ()


def _currency_word(sample: Sample, names: tuple[str, ...]) -> str | None:
    words = {word for column in sample.columns if column.name in names for word in column.words}
    codes = {_NAMED[word] for word in words & set(_NAMED)} | {word.upper() for word in words if _is_code(word)}
    return codes.pop() if len(codes) == 1 else None


def _code(symbol: str | None) -> str | None:
    if symbol is None:
        return None
    return _NAMED.get(symbol) or (symbol if symbol in ISO_4217 else None)


def currency_of(sample: Sample, used: set[str], told: str | None, decimals: int) -> Part:
    """The currency: a column of codes, or the code that the amounts tell, or TODO."""
    for column in sample.without(used):
        codes = [value for value, _ in column.counts[:40]]
        if column.unique and column.rows > 1:
            continue
        if column.dtype == pl.String and column.known == column.rows and 0 < column.distinct <= len(codes) and set(codes) <= set(ISO_4217):
            leaves = [leaf("currency.column", column.name, f"all values are codes of ISO 4217: {column.shown()}")]
            if len(codes) > 1:
                leaves.append(leaf("currencies", sorted(codes), "the codes of the rows read; amounts of several currencies are not added"))
            return Part(leaves, (column.name,))
    small = next((column for column in sample.without(used) if _small_codes(column)), None)
    if small is not None:
        found = sorted({value.upper() for value, _ in small.counts})
        why = f"'{small.name}' has codes in small letters ({small.shown()}), which the import does not read"
        code = todo(
            "currency.constant", why, f"{found[0]}, if all rows have it" if len(found) == 1 else "write the codes in capitals first"
        )
    elif told is not None:
        code = leaf("currency.constant", told, "the name or the symbol of the amount says so")
    else:
        code = todo("currency.constant", "no column holds codes of currencies", _CURRENCY_ASK)
    told = None if code.ask else told
    usual = 2 if told is None else ISO_4217[told]
    if usual < decimals <= EXPONENT_MAX:
        why = f"amounts have up to {decimals} decimals, more than the minor unit of a currency"
        return Part([code, Leaf(("currencies",), {told or TODO: decimals}, why, ask="" if told else "the same code")])
    return Part([code])


def _small_codes(column: SampleColumn) -> bool:
    """Codes of currencies in small letters, in a column of this name."""
    return column.has(*_CURRENCY) and column.known == column.rows and {value.upper() for value, _ in column.counts} <= set(ISO_4217)
