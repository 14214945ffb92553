"""Guesses the amount of a payment."""

from __future__ import annotations

from typing import Final

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.currencies import code_of, further_words, is_code, is_symbol, names_currency, told_by
from assay.app.oracle.guess.directions import Direction, direction_of
from assay.app.oracle.guess.leaves import Leaf, Part, leaf, listed, todo
from assay.app.oracle.guess.money import Money, money_of
from assay.app.oracle.guess.sample import Sample
from assay.app.oracle.guess.units import speaks_of_minor

_AMOUNT: Final = {
    "amount": 10, "amt": 10, "betrag": 10, "umsatz": 9, "montant": 10, "importe": 10, "importo": 10, "bedrag": 10, "valor": 8, "paid": 5,
    "value": 6, "price": 6, "total": 6, "sum": 5, "euros": 8, "euro": 8, "dollars": 8, "pounds": 8, "francs": 8, "cost": 4, "limit": 1,
}  # fmt: skip
#: an amount of something else than the payment, or no amount
_NOT_AMOUNT: Final = frozenset({
    "balance", "saldo", "old", "new", "fee", "tax", "vat", "rate", "avg", "mean", "average", "median", "max", "min", "maximum", "minimum",
    "std", "count", "id", "date", "time", "datetime", "ts", "similarity", "type", "code", "income", "salary", "budget", "discount", "tip",
    "cashback", "last", "prev", "previous", "available", "remaining", "outstanding", "debt", "exposure", "monthly", "daily", "weekly",
    "yearly", "annual", "lifetime", "refund", "refunded", "chargeback", "exchange", "fx", "estimated", "expected", "predicted", "score",
    "threshold", "ratio", "pct", "percent", "percentage", "interest", "commission", "shipping",
})  # fmt: skip
#: words of a column that counts other parts of a currency's unit than the minor unit, or many of it
_SCALED: Final = frozenset({
    "satoshi", "satoshis", "sats", "micros", "millis", "hundreds",
    "thousand", "thousands", "k", "tsd", "teur", "tusd", "keur", "kusd", "million", "millions",
    "mio", "mn", "mln", "bn", "billion", "billions", "lakh", "lakhs", "crore", "crores", "1000", "1000s", "000",
})  # fmt: skip
_SCALED_PARTS: Final = ("thousand", "million")
_DEBIT: Final = ("debit", "debits", "soll", "withdrawal", "withdrawals", "out", "belastung")
_CREDIT: Final = ("credit", "credits", "haben", "deposit", "deposits", "in", "gutschrift")
#: no amount
_ZERO: Final = r"^[+-]?0*([.,]0*)?$"
#: more decimals than money has
_DECIMALS_MAX: Final = 4
#: points from which a name is one of an amount
_SURE: Final = 3
_SIGN_ASK: Final = "any (the sign says nothing), or positive or negative with a 'filter' that takes the others out"


def amount_of(sample: Sample, used: set[str]) -> tuple[Part, str | None, int]:
    """The amount; the currency that its name or symbol tells; the decimals of its numbers."""
    columns = sample.without(used)
    pair = _pair(columns)
    if pair is not None:
        return pair, told_by(sample, pair.used), 0
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
    plain = [one for one in fitting if not (_scaled(one[1]) or speaks_of_minor(one[1]))]
    score, column, money = max(plain or fitting, key=_plainness)
    equal = [other for one in fitting if _plainness(one) == _plainness((score, column, money)) and (other := one[1]) is not column]
    others = [other.name for _, other, _ in fitting if other is not column and other not in equal]
    if others:
        notes += (f"amounts in {listed(others)}, too; '{column.name}' has the plainest name",)
    doubt = _doubt(score, column, [other for other in equal if not other.every.equals(column.every)])
    direction = direction_of([one for one in columns if one is not column])
    leaves = [doubt or _seen(column, money), *_symbol(money), *_sign(money, direction), *_marks(money)]
    return Part(leaves, (column.name,), notes), told_by(sample, (column.name,)) or code_of(money.symbol), money.decimals


def _plainness(one: tuple[int, SampleColumn, Money]) -> tuple[int, int, int]:
    """How well a name fits: its best word, then how few words make it another amount, then how few words it has."""
    score, column, _ = one
    return score, -further_words(column), -len(column.words)


def _seen(column: SampleColumn, money: Money) -> Leaf:
    why = f"numbers from {money.numbers.min():,.10g} to {money.numbers.max():,.10g}, and the name of the column"  # type: ignore[str-bytes-safe]  # numbers
    return leaf("amount.column", column.name, why)


def _doubt(score: int, column: SampleColumn, equal: list[SampleColumn]) -> Leaf | None:
    """The question of the column, where its name does not tell that it is the amount."""
    place, name = "amount.column", column.name
    if _scaled(column):
        why = f"'{name}' speaks of thousands or their like, and the import reads units of the currency, such as euros, or minor ones"
        ask = f"{name}, if it counts such units; otherwise the name of a column with such numbers, written before the import"
        return todo(place, why, ask)
    if score < _SURE:
        return todo(
            place, f"'{name}' fits best, but its name speaks of something else than the amount of a payment", f"{name}, or another column"
        )
    if equal:
        names = listed([name, *(other.name for other in equal)])
        return todo(place, f"the columns {names} differ, and their names fit equally well", "that which holds the amount of the payment")
    return None


def _scaled(column: SampleColumn) -> bool:
    """Whether a name says that the numbers are thousands or their like."""
    return column.has(*_SCALED) or any(part in "".join(column.words) for part in _SCALED_PARTS)


def _score(column: SampleColumn) -> int:
    if names_currency(column):
        return 0
    plain = "".join(column.words)
    points = [score for word, score in _AMOUNT.items() if word in column.words or (len(word) > 4 and word in plain)]
    codes = [8 for word in column.words if is_code(word)]
    score = max([*points, *codes], default=0) - (9 if column.has(*_NOT_AMOUNT) else 0)
    return min(score, 1) if column.has("limit") else score


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
                _credits_asked(debit),
                *_marks(first),
            ]
            return Part(leaves, (debit.name, credit.name))
    return None


def _credits_asked(debit: SampleColumn) -> Leaf:
    """The sign of debits and credits; of the answer `positive`, a filter that takes credits out."""
    credit = None if debit.known < debit.rows else "0"
    shown = "null" if credit is None else credit
    ask = f"any, if credits are payments, too; otherwise positive, with filter: [{{column: {debit.name}, drop: [{shown}]}}]"
    question = todo("amount.sign", "a credit counts as negative, and a payment is not negative", ask)
    return question._replace(implied={"positive": _without(debit.name, [credit])})


def _without(column: str, values: list[str | None]) -> Leaf:
    return leaf("filter", [{"column": column, "drop": values}], "rows with these values are credits")


def _one_each(debit: SampleColumn, credit: SampleColumn) -> bool:
    """Whether each row has a number in one of both, and nothing or zero in the other."""
    first, second = (column.every.is_not_null() & ~column.every.str.contains(_ZERO).fill_null(True) for column in (debit, credit))
    return bool((first != second).all()) and bool(first.any()) and bool(second.any())


def _symbol(money: Money) -> list[Leaf]:
    symbol = money.symbol
    if symbol is None:
        return []
    if is_symbol(symbol):
        return [leaf("amount.symbol", symbol, "all values have it beside the number")]
    why = f"all values have '{symbol}' beside the number, no known sign of a currency: thousands, cents or a direction, perhaps"
    return [todo("amount.symbol", why, f"{symbol}, if it says nothing about the size; otherwise write the numbers out before the import")]


def _sign(money: Money, direction: Direction | None) -> list[Leaf]:
    negative, positive = int((money.numbers < 0).sum()), int((money.numbers > 0).sum())
    if negative and positive:
        share = f"{negative:,} of {len(money.numbers):,} amounts are negative; the file does not say whether they are refunds"
        return [todo("amount.sign", share, _SIGN_ASK)]
    if direction is not None:
        name, credits_ = direction.column.name, listed(direction.credits) or "the value of credits"
        why = f"'{name}' ({direction.column.shown()}) seems to say which amounts are credits; a payment is a debit"
        sign = "negative" if negative else "positive"
        ask = f"any, if credits are payments, too; otherwise {sign}, with filter: [{{column: {name}, drop: [{credits_}]}}]"
        further = {sign: _without(name, [*direction.credits])} if direction.credits else {}
        return [todo("amount.sign", why, ask)._replace(implied=further)]
    return [leaf("amount.sign", "negative", "no number of the rows read is above zero")] if negative else []


def _marks(money: Money) -> list[Leaf]:
    if not money.sure:
        both = " or ".join(f"'{decimal}'" for decimal, _ in money.marks)
        other = {decimal: leaf("csv.thousands", mark, "the other mark") for decimal, mark in money.marks if mark is not None}
        question = todo("csv.decimal", "a mark may be one of decimals or of thousands in all rows read", f"{both}; and csv.thousands")
        return [question._replace(implied=other)]
    decimal, thousands = money.marks[0]
    leaves = []
    if decimal != "." or thousands is not None:
        leaves.append(leaf("csv.decimal", decimal, "the mark before the decimals of the amounts"))
    if thousands is not None:
        leaves.append(leaf("csv.thousands", thousands, "the mark between the thousands of the amounts"))
    return leaves
