"""Guesses a mapping from a sample: names of columns and values in, lines with reasons and open questions out."""

from __future__ import annotations

from typing import Final

import polars as pl

from assay.app.oracle.guess.amounts import amount_of
from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.currencies import currency_of
from assay.app.oracle.guess.entities import entities_of, id_of
from assay.app.oracle.guess.headers import HEADER
from assay.app.oracle.guess.leaves import Guess, Leaf, Part, leaf, listed
from assay.app.oracle.guess.sample import Sample
from assay.app.oracle.guess.times import time_of
from assay.app.oracle.guess.truths import tells_truth, truth_of
from assay.app.oracle.guess.units import unit_of
from assay.app.oracle.guess.words import plain_label
from assay.app.oracle.text_columns import SHORTENED
from assay.contracts.limits import ATTRIBUTE_CHARS_MAX, ATTRIBUTES_MAX, LABEL_CHARS_MAX
from assay.contracts.texts import control_in

_KIND: Final = ("type", "kind", "category", "product", "productcd", "channel", "method", "art", "mode")
_KIND_VALUES: Final = ("transaction", "payment", "transfer", "purchase", "withdrawal", "cash_out", "refund", "debit")
_KINDS_MAX: Final = 50
#: parts of words for what is no payment, or no more
_NO_PAYMENT: Final = ("refund", "revers", "declin", "failed", "cancel", "void", "storno", "reject", "chargeback")
#: columns of one name and a number that become a pattern
_FAMILY: Final = 20


def guess(sample: Sample, name: str) -> Guess:
    """The mapping of a file called `name` (its stem)."""
    label = plain_label(name, "payments")
    head = [
        leaf("mapping", label, "the name of the file"),
        leaf("revision", "1", "raise it when you change the mapping"),
        leaf("output_id", label, "the name of the stream; it is part of every event id"),
    ]
    used: set[str] = set()

    def take(part: Part) -> Part:
        used.update(part.used)
        return part

    truth = take(truth_of(sample, used))
    time = take(time_of(sample, used))
    amount, told, decimals = amount_of(sample, used)
    take(amount)
    currency = take(currency_of(sample, used, amount, told, decimals))
    unit = unit_of(sample, amount, currency)
    id_ = take(id_of(sample, used))
    kind = take(_kind(sample, used))
    entities = take(entities_of(sample, used))
    attributes = take(_attributes(sample, used))
    parts = [id_, time, amount, unit, currency, kind, entities, attributes, truth]
    text = {*id_.used, *kind.used, *entities.used, *truth.used}
    form = [*sample.form, *_words(sample, text)]
    lines = [*head, *(one for part in parts for one in part.leaves), *form]
    return Guess(_gathered(lines), [*(note for part in parts for note in part.notes), *_unmapped(sample, used)])


def _gathered(lines: list[Leaf]) -> list[Leaf]:
    """Lines of one part beside each other; how the file is written stands at the end."""
    order = [*dict.fromkeys(one.path[0] for one in lines if one.path[0] != "csv"), "csv"]
    return sorted(lines, key=lambda one: order.index(one.path[0]))


def _kind(sample: Sample, used: set[str]) -> Part:
    found = [(score, column) for column in sample.without(used) if (score := _kind_score(column)) > 0]
    if not found:
        return Part([leaf("kind.constant", "payment", "no column tells kinds of payments apart; any word will do")])
    _, column = max(found, key=lambda one: one[0])
    return Part([leaf("kind.column", column.name, f"{column.said()}: {column.shown()}")], (column.name,))


def _kind_score(column: SampleColumn) -> int:
    if column.dtype != pl.String or column.numbers is not None or column.known < column.rows or not 1 < column.distinct <= _KINDS_MAX:
        return 0
    if column.unique or column.longest > LABEL_CHARS_MAX:
        return 0
    values = " ".join(value.lower() for value, _ in column.counts)
    by_value = 3 if any(word in values for word in _KIND_VALUES) else 0
    by_name = {"type": 4, "kind": 5, "category": 3}.get(column.words[-1] if column.words else "", 2) if column.has(*_KIND) else 0
    described = column.has("card", "device", "account", "merchant", "user", "customer", "email", "status")
    return (by_name + by_value) - (4 if described else 0)


def _attributes(sample: Sample, used: set[str]) -> Part:
    """All other columns that may travel with a payment; many of one name and a number by a pattern."""
    unnamed = any(line.place == HEADER and line.ask for line in sample.form)  # one of them may be the truth
    left = [column for column in sample.without(used) if not unnamed and _may_travel(column)]
    names = [column.name for column in left][:ATTRIBUTES_MAX]
    notes = []
    if len(left) > len(names):
        notes.append(f"{len(left) - len(names)} columns are not taken as attributes: a payment has at most {ATTRIBUTES_MAX}")
    if not names:
        return Part([], notes=tuple(notes))
    why = "all other columns; take out what the payment need not carry, such as names and addresses"
    others = {column.name for column in sample.columns} - {*names, *used}
    return Part([leaf("attributes", _by_pattern(names, others), why)], tuple(names), tuple(notes))


def _by_pattern(names: list[str], others: set[str]) -> list[str | dict[str, str]]:
    """V1, V2, … as `V*` where there are many, and where nothing else that is left out fits."""
    stems: dict[str, list[str]] = {}
    for name in names:
        stems.setdefault(name.rstrip("0123456789"), []).append(name)
    shown: dict[str, str | dict[str, str]] = {}
    for stem, family in stems.items():
        fitting = [name for name in (*names, *others) if name.startswith(stem)]
        whole = len(family) >= _FAMILY and stem and set(fitting) == set(family) and not set("*?") & set(stem)
        shown |= {name: {"pattern": f"{stem}*"} if whole else name for name in family}
    return list({str(shown[name]): shown[name] for name in names}.values())


def _may_travel(column: SampleColumn) -> bool:
    if not column.plain or not column.known or tells_truth(column) or len(column.name) > LABEL_CHARS_MAX:
        return False
    if control_in(column.name) is not None or column.text.str.contains(r"\p{Cc}").any():
        return False
    return column.longest <= ATTRIBUTE_CHARS_MAX


def _words(sample: Sample, text: set[str]) -> list[Leaf]:
    """Null words and blanks of the columns whose text matters."""
    columns = [column for column in sample.columns if column.name in text]
    found = [column for column in columns if column.null_words]
    leaves = []
    if found:
        words = sorted({word.strip() for column in found for word in column.null_words})
        where = listed([column.name for column in found])
        leaves.append(leaf("csv.nulls", words, f"words that seem to say that nothing is known, in {where}"))
    padded = [column.name for column in columns if column.padded]
    if padded:
        leaves.append(leaf("csv.trim", True, f"blanks stand around values of {listed(padded)}"))
    return leaves


def _unmapped(sample: Sample, used: set[str]) -> list[str]:
    lasting = [column.name for column in sample.columns if column.dtype == pl.Duration]
    nested = [column.name for column in sample.columns if not column.plain and column.dtype != pl.Duration]
    empty = [column.name for column in sample.columns if column.plain and not column.known]
    left = [column.name for column in sample.without(used) if column.plain and column.known]
    notes = [
        f"'{column.name}' has {listed([value for value, _ in column.counts])}: take rows that are no payments out with 'filter'"
        for column in sample.columns
        if column.plain
        and column.distinct <= _KINDS_MAX
        and any(word in value.lower() for value, _ in column.counts for word in _NO_PAYMENT)
    ]
    shortened = [column.name for column in sample.columns if column.dtype == pl.String and column.text.str.contains(SHORTENED).any()]
    if shortened:
        notes.append(f"{listed(shortened)}: a spreadsheet kept the first digits of some numbers only; the import refuses them as ids")
    if nested:
        notes.append(f"{listed(nested)}: lists, objects and bytes are not read; write their parts as columns of their own")
    if lasting:
        notes.append(f"{listed(lasting)}: durations are not read; write them as numbers, such as seconds")
    if empty:
        notes.append(f"{listed(empty)}: no row read has a value")
    if left:
        notes.append(f"not mapped: {listed(left)}")
    return notes
