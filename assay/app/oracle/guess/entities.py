"""Guesses the ids that features are kept for, and the id of the payment itself."""

from __future__ import annotations

from typing import Final

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.leaves import Leaf, Part, leaf, listed, todo
from assay.app.oracle.guess.sample import Sample
from assay.app.oracle.guess.times import reading
from assay.app.oracle.guess.words import plain_label
from assay.contracts.limits import ENTITIES_MAX, ID_CHARS_MAX
from assay.contracts.truth_names import gate_truth_names, plain_name

#: word of a header → name of the entity; the payer's side comes first
_ENTITIES: Final = {
    "kunden": "customer", "karten": "card", "auftraggeber": "payer", "empfanger": "payee", "zahler": "payer",
    "zahlungspflichtiger": "payer",
    "zahlungsempfanger": "payee", "begunstigter": "payee", "ordering": "payer", "remitter": "payer",
    "customer": "customer", "cust": "customer", "client": "customer", "user": "customer", "cardholder": "customer", "kunde": "customer",
    "account": "account", "acct": "account", "acc": "account", "iban": "account", "konto": "account",
    "card": "card", "cc": "card", "pan": "card", "karte": "card",
    "orig": "payer", "originator": "payer", "sender": "payer", "payer": "payer", "debtor": "payer",
    "dest": "payee", "destination": "payee", "beneficiary": "payee", "payee": "payee", "receiver": "payee", "recipient": "payee",
    "creditor": "payee", "counterparty": "payee", "party": "payee",
    "merchant": "merchant", "merch": "merchant", "shop": "shop", "store": "store", "seller": "seller", "vendor": "vendor",
    "terminal": "terminal", "pos": "terminal", "atm": "terminal",
    "device": "device", "ip": "ip", "email": "email", "mail": "email", "phone": "phone", "mobile": "phone",
}  # fmt: skip
_ORDER: Final = list(dict.fromkeys(_ENTITIES.values()))
#: words of a column that describes something instead of naming it
_DESCRIBES: Final = (
    "type", "brand", "category", "country", "city", "state", "zip", "zipcode", "postal", "lat", "long", "lon", "latitude",
    "longitude", "age",
    "gender", "count", "balance", "oldbalance", "newbalance", "amount", "amt", "limit", "date", "time", "os", "domain",
    "emaildomain", "info",
    "valid", "free", "mcc", "code", "region", "currency", "address", "street", "job", "dob", "since", "months", "name1", "score", "level",
    "present", "network", "browser", "model", "risk", "status", "channel", "pop", "population", "is", "has", "request", "days", "hours",
)  # fmt: skip
_PAYMENT: Final = (
    "transaction", "trans", "trx", "txn", "tx", "payment", "pay", "order", "booking", "event", "record", "uuid", "guid", "uid",
    "transfer", "auth",
    "zahlung", "buchung",
)  # fmt: skip
_KEY: Final = ("id", "ref", "reference", "number", "num", "no", "nr", "nummer", "key", "hash", "uuid", "guid", "uid", "token")
_SECOND: Final = ("seq", "sequence", "line", "part", "no", "num", "number", "item", "batch", "leg", "day", "date", "version")
#: what customers have several of
_OF_CUSTOMERS: Final = ("account", "card")
#: small numbers that count something within another id, such as the cards of a customer
_COUNTER_END: Final = 20
#: different values from which a column without a telling name may hold ids
_MANY: Final = 10
#: in so few rows, an id with one value is one
_FEW_ROWS: Final = 100


def id_of(sample: Sample, used: set[str]) -> Part:
    """The id of a payment: a column without repeated values, several such columns together, or the row."""
    columns = [column for column in sample.without(used) if _holds_ids(column)]
    candidates = [column for column in columns if column.unique and (_names_payment(column) or not _entity(column))]
    named = [column for column in candidates if _names_payment(column)]
    if named:
        best = max(named, key=_payment_score)
        why = f"the name of the column, and its values are distinct in all {sample.rows:,} rows read"
        return Part([leaf("id", best.name, why)], (best.name,), _others(candidates, best))
    alone = [column for column in candidates if _reads_as_id(column)]
    if len(alone) == 1 and sample.rows > 1:
        (only,) = alone
        return Part([leaf("id", only.name, f"the only column whose values are distinct in all {sample.rows:,} rows read")], (only.name,))
    several = _several(columns, sample.rows)
    if several is not None:
        return several
    why = "no column names a payment with values that are distinct in all rows read; the number of the row is the id"
    notes = ("the id is the number of the row: rows must keep their order when the file grows",)
    return Part([leaf("id.row", True, why)], notes=notes)


def _reads_as_id(column: SampleColumn) -> bool:
    """Whether values are ids by themselves: no words, no times, no amounts."""
    if column.text.str.contains(r"\s|[.,][0-9]{1,3}$").any():
        return False
    return reading(column, "time") is None and not column.has(*_DESCRIBES)


def _several(columns: list[SampleColumn], rows: int) -> Part | None:
    for first in sorted((column for column in columns if _names_payment(column)), key=_payment_score, reverse=True):
        for second in columns:
            if second is first or not second.has(*_SECOND) or first.known < rows or second.known < rows:
                continue
            pairs = pl.DataFrame([first.every.alias("a"), second.every.alias("b")])
            if pairs.n_unique() == rows:
                names = [first.name, second.name]
                why = f"neither is distinct, but both together are in all {rows:,} rows read"
                return Part([leaf("id.columns", names, why)], (first.name,))
    return None


def _others(candidates: list[SampleColumn], best: SampleColumn) -> tuple[str, ...]:
    others = [column.name for column in candidates if column is not best and _names_payment(column)]
    return (f"{listed(others)} could be the id, too",) if others else ()


def _payment_score(column: SampleColumn) -> int:
    return 2 * column.has(*_PAYMENT) + column.has(*_KEY)


def _names_payment(column: SampleColumn) -> bool:
    """Whether the name is one of the payment itself: `trans_num`, `id`; not `customer_id`."""
    if column.has(*_PAYMENT):
        return not column.has(*_DESCRIBES) and _entity(column) is None
    return column.has(*_KEY) and _entity(column) is None and not column.has(*_DESCRIBES)


def _holds_ids(column: SampleColumn) -> bool:
    if not column.plain or not column.known or column.dtype == pl.Boolean or column.dtype.is_temporal():
        return False
    if column.numbers is not None:
        return column.whole and bool(column.text.str.contains(r"^-?[0-9]+(\.0)?$").all())
    return column.dtype == pl.String and column.longest <= ID_CHARS_MAX


def _entity(column: SampleColumn) -> str | None:
    """The entity that a column's name speaks of; the last of several words says what it is."""
    found = [_ENTITIES[word] for word in column.words if word in _ENTITIES]
    if not found or _describes(column):
        return None
    roles = [name for name in found if name in ("payer", "payee")]
    return roles[0] if roles and found[-1] in ("account", "customer") else found[-1]


def _describes(column: SampleColumn) -> bool:
    """Whether a column describes something; the address of a computer names it."""
    describing = set(column.words) & set(_DESCRIBES)
    return bool(describing - {"address"} if column.has("ip", "email", "mail") else describing)


def entities_of(sample: Sample, used: set[str]) -> Part:
    """Columns that name a customer, a card, a merchant and their like."""
    columns = [column for column in sample.without(used) if _holds_ids(column) and (column.distinct > 1 or column.rows < _FEW_ROWS)]
    named = [(name, column) for column in columns if (name := _entity(column)) is not None]
    named.sort(key=lambda one: (_ORDER.index(one[0]), not one[1].has(*_KEY), one[1].distinct == 2))
    others = [column for column in columns if _entity(column) is None and not column.has(*_DESCRIBES, *_PAYMENT)]
    keys = [(plain_label(column.name, "id"), column) for column in others if _is_key(column) or _looks_like_ids(column)]
    leaves: list[Leaf] = []
    notes: list[str] = []
    taken: list[str] = []
    taken_columns: list[str] = []
    for name, column in [*named, *keys]:
        label = name if name not in taken else plain_label(column.name, name)
        if (
            label in taken
            or plain_name(label) in gate_truth_names()
            or len(taken) == ENTITIES_MAX
            or (name in taken and not column.has(*_KEY))
        ):
            continue
        owner = _counts_within(column, [other for owner, other in named if owner == "customer"] if name in _OF_CUSTOMERS else [])
        if owner is not None:
            notes.append(f"'{column.name}' is no id of its own: its {column.distinct} small numbers repeat under several of '{owner.name}'")
            continue
        taken.append(label)
        taken_columns.append(column.name)
        if name == "account" and _whose(column, named) is not None:
            leaves.append(_asked(column, _whose(column, named) or column))
            continue
        by = "values with letters and digits" if _entity(column) is None and not column.has(*_KEY) else "the name of the column"
        leaves.append(leaf(f"entities.{label}", column.name, f"{by}; {column.said()}"))
    if not leaves:
        notes.append("no column names a customer, a card or a merchant; a policy needs entities for its features")
    return Part(leaves, tuple(taken_columns), tuple(notes))


def _whose(column: SampleColumn, named: list[tuple[str, SampleColumn]]) -> SampleColumn | None:
    """The column of the sender beside which an account of nobody may be the recipient's, as in a statement of an account."""
    return next((sender for role, sender in named if role == "payer" and sender is not column), None)


def _asked(column: SampleColumn, sender: SampleColumn) -> Leaf:
    why = (
        f"'{sender.name}' names the sender; '{column.name}' does not say whose account it is, and in a statement it may be the recipient's"
    )
    ask = f"{column.name}, if it is the account of the payer; of the recipient, write the line payee: {column.name} in place of this one"
    return todo("entities.account", why, ask)


def _is_key(column: SampleColumn) -> bool:
    """An id by its name and by values that repeat."""
    return column.has(*_KEY) and 2 < column.distinct < column.known


def _looks_like_ids(column: SampleColumn) -> bool:
    """Values with letters and digits, such as C1231006815, many of which repeat."""
    if column.dtype != pl.String or not _MANY <= column.distinct < column.known:
        return False
    return bool((column.text.str.contains(r"^[A-Za-z]+[-_]?[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*$") & (column.text.str.len_chars() > 3)).all())


def _counts_within(column: SampleColumn, owners: list[SampleColumn]) -> SampleColumn | None:
    """The owner within which small numbers count, such as card 0, 1 and 2 of each customer."""
    if column.numbers is None or float(column.numbers.max()) >= _COUNTER_END:  # type: ignore[arg-type]
        return None
    for owner in owners:
        pairs = pl.DataFrame([column.every.alias("a"), owner.every.alias("b")]).drop_nulls()
        if pairs.n_unique() > column.distinct:
            return owner
    return None
