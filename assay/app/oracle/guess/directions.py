"""Finds a column that says of each amount whether money goes out or comes in, such as DR and CR beside amounts without a sign."""

from __future__ import annotations

from typing import Final, NamedTuple

from assay.app.oracle.guess.columns import SampleColumn

#: values of money that comes in, and of money that goes out, in small letters
_IN: Final = frozenset({
    "cr", "c", "crdt", "credit", "credits", "h", "haben", "gutschrift", "in", "incoming", "inbound", "inflow", "deposit", "received",
    "receive", "eingang", "refund", "refunded", "return", "reversal", "+", "plus", "avoir", "haber", "abono", "entree", "rc", "rcr",
})  # fmt: skip
_OUT: Final = frozenset({
    "dr", "d", "db", "dt", "dbit", "debit", "debits", "s", "soll", "belastung", "lastschrift", "out", "outgoing", "outbound", "outflow",
    "withdrawal", "sent", "send", "ausgang", "payment", "purchase", "sale", "charge", "-", "minus", "debe", "cargo", "sortie", "rd", "rdr",
})  # fmt: skip
#: names of such columns, and of flags for money that comes in or goes back
_NAMES: Final = (
    {"debit", "credit"},
    {"dr", "cr"},
    {"db", "cr"},
    {"soll", "haben"},
    {"cdt", "dbt"},
    {"direction"},
    {"sign"},
    {"drcr"},
    {"crdr"},
)
_FLAGGED: Final = frozenset({
    "credit", "debit", "refund", "refunded", "reversal", "reversed", "return", "returned", "incoming", "inbound", "outgoing", "outbound",
})  # fmt: skip
_AROUND_FLAG: Final = frozenset({"is", "flag", "ind", "indicator", "was"})
_FLAG_VALUES: Final = frozenset({"0", "1", "0.0", "1.0", "false", "true", "no", "yes", "n", "y", "f", "t"})
#: words of a column about cards, which are of debit or of credit, too
_OF_CARDS: Final = ("card", "funding", "brand", "network", "bin", "scheme")
#: letters that are directions together only
_LETTERS: Final = ({"c", "d"}, {"h", "s"})
_CODE_CHARS: Final = 3
_VALUES_MAX: Final = 6


class Direction(NamedTuple):
    """The column, and the values of money that comes in as far as they are known."""

    column: SampleColumn
    credits: list[str]


def direction_of(columns: list[SampleColumn]) -> Direction | None:
    """The first column that tells the direction of the amounts; None where none does."""
    for column in columns:
        if not column.plain or not 0 < column.distinct <= _VALUES_MAX or column.has(*_OF_CARDS):
            continue
        values = {value.lower(): value for value, _ in column.counts}
        credits_ = [values[value] for value in values if value in _IN]
        if _by_values(set(values)) or _by_name(column, set(values)):
            return Direction(column, credits_)
    return None


def _by_values(values: set[str]) -> bool:
    """Whether all values are of directions: in both, or in words that are no codes of countries and the like."""
    letters = {value for value in values if len(value) == 1 and value.isalpha()}
    if letters and values not in _LETTERS:
        return False
    both = not values.isdisjoint(_IN) and not values.isdisjoint(_OUT)
    return (values <= _IN | _OUT and both) or (values <= _IN and all(len(value) > _CODE_CHARS for value in values))


def _by_name(column: SampleColumn, values: set[str]) -> bool:
    words = set(column.words)
    if values <= _FLAG_VALUES and len(values) > 1 and words & _FLAGGED and words <= _FLAGGED | _AROUND_FLAG:
        return True
    both = len(values) > 1 or column.known < column.rows
    return both and any(names <= words for names in _NAMES)
