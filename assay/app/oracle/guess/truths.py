"""Guesses the truth about a payment: its column, the values that mean fraud, and which other columns tell it."""

from __future__ import annotations

from typing import Final

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.leaves import Leaf, Part, leaf, listed, todo
from assay.app.oracle.guess.sample import Sample
from assay.app.oracle.guess.times import looks_told, reading, told_time_of
from assay.app.oracle.mapping_truth import NOT_NULL
from assay.contracts.truth_names import gate_truth_names, plain_name

_STRONG: Final = ("fraud", "fraudulent", "fraude", "betrug", "chargeback", "scam", "investigation", "dispute", "disputed")
_PARTS: Final = ("fraud", "chargeback", "betrug", "legit", "genuin")
_WEAK: Final = ("class", "label", "target", "outcome", "result", "truth", "verdict", "y")
_FRAUD_VALUES: Final = (
    "1",
    "1.0",
    "true",
    "yes",
    "y",
    "t",
    "on",
    "fraud",
    "fraudulent",
    "confirmed_fraud",
    "confirmed fraud",
    "chargeback",
    "scam",
)
_FLAGS: Final = (("0", "1"), ("0.0", "1.0"), ("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"))
_FLAG_VALUES: Final = frozenset(value for pair in _FLAGS for value in pair)
_LEGIT_VALUES: Final = (
    "legit", "legitimate", "genuine", "normal", "cleared", "ok", "good", "none", "no fraud", "no_fraud", "not_fraud",
    "not fraud", "nonfraud",
    "non-fraud", "clean", "valid", "benign",
)  # fmt: skip
_VALUES_MAX: Final = 20
#: points of a column with the times of frauds: a flag says more
_DATED: Final = 5
#: words, and parts of names, with which a flag of 1 may mean a good payment, or something else than fraud
_TURNED: Final = (
    "not", "no", "non", "un", "isnt", "without", "free", "good", "ok", "okay", "normal", "clean", "cleared", "safe", "benign", "valid",
    "validated", "trusted", "approved", "authorized", "authorised", "accepted", "passed", "pass", "negative", "false", "honest", "real",
    "kein", "keine", "nicht", "echt", "gut", "checked", "check", "reviewed", "review", "screened", "tested", "prevented", "protected",
    "protection", "eligible", "excluded",
)  # fmt: skip
_TURNED_PARTS: Final = ("notfraud", "nonfraud", "nofraud", "unfraud", "fraudfree", "legit", "genuin", "notscam", "nonscam")
#: frauds that a column has to tell alone before it is taken for the truth
_FRAUDS_MIN: Final = 20
#: values of frauds alone are no chance below this
_CHANCE: Final = 1e-9
_DELAY_ASK: Final = "how long after the payment a fraud is known, such as 7d"


def truth_of(sample: Sample, used: set[str]) -> Part:
    """The lines below `truth`; no lines where no column tells the truth."""
    candidates = [(score, column) for column in sample.without(used) if (score := _score(column)) > 0]
    if not candidates:
        return Part([], notes=("no column tells which payments are fraud; add 'truth' if one does",))
    score, column = max(candidates, key=lambda one: one[0])
    if score == _DATED and (dated := _dated(column)) is not None:
        return _with_also(sample, used, [*dated.leaves], {column.name}, column.every.is_not_null())
    positive, fraud = _positive(column)
    leaves = [
        leaf("truth.column", column.name, f"the name of the column, and its {column.distinct} values: {column.shown()}"),
        positive,
        *_negative(column),
    ]
    time = told_time_of(sample, {*used, column.name}, column)
    if time is not None:
        leaves += time.leaves
    else:
        leaves.append(todo("truth.delay", "the file does not say when a fraud is known", _DELAY_ASK))
    own = {column.name, *(time.used if time else ())}
    return _with_also(sample, used, leaves, own, None if fraud is None else column.every.str.to_lowercase() == fraud)


def _with_also(sample: Sample, used: set[str], leaves: list[Leaf], own: set[str], fraud: pl.Series | None) -> Part:
    """The lines and those of further columns that tell the truth; `own` are the columns of the lines, `fraud` is known of rows."""
    taken = used | own
    weak = [one.name for one in sample.without(taken) if one.has(*_WEAK) and one.distinct <= _VALUES_MAX and not tells_truth(one)]
    doubts = (f"{listed(weak)}: take it out of the payments if it is not known before they are decided",) if weak else ()
    also, notes = _also(sample, taken, fraud)
    return Part([*leaves, *also], (*own, *(also[0].value if also else ())), (*notes, *doubts))


def tells_truth(column: SampleColumn) -> bool:
    """Whether a column's name is one of the truth, for the gate or for a reader."""
    plain = plain_name(column.name)
    return plain in gate_truth_names() or any(word in plain for word in _PARTS) or column.has(*_STRONG)


def _dated(column: SampleColumn) -> Part | None:
    """The lines of a column with the times of frauds, which no other payment has."""
    time = reading(column, "truth.time")
    if time is None or not 0 < column.known < column.rows:
        return None
    why = f"{column.known:,} of {column.rows:,} rows have a time here, such as {column.text[0]}, and the name of the column"
    fraud = leaf("truth.positive", NOT_NULL, "a row with a time is a fraud, one without is none; is it so in your file?")
    return Part([leaf("truth.column", column.name, why), fraud, *time.leaves], (column.name,))


def _score(column: SampleColumn) -> int:
    if column.plain and tells_truth(column) and _dated(column) is not None:
        return _DATED
    if not column.plain or not 0 < column.distinct <= _VALUES_MAX:
        return 0
    values = {value.lower() for value, _ in column.counts}
    flag = values <= _FLAG_VALUES and column.distinct <= 2
    told = bool(values & set(_FRAUD_VALUES) - _FLAG_VALUES)
    if column.has("count", "score", "rate", "scenario", "type", "flagged", "reason", "typology"):
        return 5 if told and tells_truth(column) else 1 if flag and tells_truth(column) else 0
    if tells_truth(column):
        return 6 if flag and _turned(column) else 8 if flag else 7 if told else 1 if column.numbers is not None else 4
    if not column.has(*_WEAK):
        return 0
    return 3 if flag or told else 2 if column.distinct == 2 else 0


def _turned(column: SampleColumn) -> bool:
    """Whether a name such as `not_fraud` leaves open which value of a flag means fraud."""
    return column.has(*_TURNED) or any(part in plain_name(column.name) for part in _TURNED_PARTS)


def _positive(column: SampleColumn) -> tuple[Leaf, str | None]:
    """The values that mean fraud, and the most frequent of them in small letters; of an open question, the value that fewest rows have."""
    place = "truth.positive"
    values = {value.lower(): value for value, _ in column.counts}
    rows = {value.lower(): count for value, count in column.counts}
    found = [value for value in values if value in _FRAUD_VALUES or (value.startswith("confirmed") and "fraud" in value)]
    words = [value for value in found if value not in _FLAG_VALUES]
    fraud = words or (found if set(values) <= _FLAG_VALUES else [])
    rarest = column.counts[-1][0].lower() if len(values) > 1 else None
    if not words and set(values) <= _FLAG_VALUES and _turned(column):
        why = f"the name '{column.name}' leaves open which value means fraud: {column.shown()}"
        return todo(place, why, "a list with the value of frauds, such as [0] or [1]"), rarest
    if not fraud and set(values) <= _FLAG_VALUES and len(values) == 1:
        legit = next(iter(values))
        other = next(pair[1] for pair in _FLAGS if legit == pair[0])
        return leaf(place, [_typed(other)], f"no row read has it; all rows read have {values[legit]}"), None
    share = sum(rows[value] for value in fraud) / max(column.rows if words else column.known, 1)
    if not fraud or share > 1 / 2:
        why = f"it is not known which of these values means fraud: {column.shown()}"
        return todo(place, why, f"a list of values such as [{column.counts[-1][0]}]"), rarest
    given = [_typed(values[value]) for value in fraud]
    frauds = sum(rows[value] for value in fraud)
    why = f"{column.distinct:,} value{'s' if column.distinct > 1 else ''}; {frauds:,} of {column.rows:,} rows have this one"
    return leaf(place, given, why), fraud[0]


def _typed(value: str) -> str | int:
    """A whole number as a number."""
    return int(value) if value.isdigit() else {"1.0": 1, "0.0": 0}.get(value, value)


def _negative(column: SampleColumn) -> list[Leaf]:
    values = {value.lower(): value for value, _ in column.counts}
    if set(values) <= _FLAG_VALUES:
        return []
    legit = [value for value in values if value in _LEGIT_VALUES]
    others = [values[value] for value in values if value not in (*_LEGIT_VALUES, *_FRAUD_VALUES)]
    if legit and not others:
        return [leaf("truth.negative", [values[value] for value in legit], "the other values; any further one is refused")]
    return []


def _also(sample: Sample, taken: set[str], fraud: pl.Series | None) -> tuple[list[Leaf], tuple[str, ...]]:
    """Other columns that tell the truth: by their name, or because their values of frauds are never those of others."""
    named = [column for column in sample.without(taken) if column.plain and (tells_truth(column) or looks_told(column))]
    telling = [
        column for column in sample.without({*taken, *(one.name for one in named)}) if fraud is not None and _tells_all(column, fraud)
    ]
    names = [column.name for column in (*named, *telling)]
    if not names:
        return [], ()
    advice = "kept with the truth and out of the payments; move it to 'attributes' if it is known before the payment is decided"
    notes = (f"{listed(names)}: {advice}",)
    why = (
        "their names speak of the truth"
        if not telling
        else f"names of the truth, or (in {listed([one.name for one in telling])}) values that only frauds have"
    )
    return [leaf("truth.also", names, why)], notes


def _tells_all(column: SampleColumn, fraud: pl.Series) -> bool:
    """Whether a column tells the truth: frauds have other values than all other payments, or values where no other payment has any."""
    frauds_known = int(fraud.sum())
    if not column.plain or frauds_known < _FRAUDS_MIN:
        return False
    values, fraud = column.every.fill_null(""), fraud.fill_null(False)
    frauds, others = values.filter(fraud), values.filter(~fraud)
    usual = others.unique().to_list()
    if len(usual) == 1:
        apart = int((frauds != usual[0]).sum())
        return (frauds_known / len(values)) ** apart < _CHANCE
    if values.n_unique() > _VALUES_MAX:
        return set(frauds.unique()) == {""} and "" not in usual
    return values.n_unique() > 1 and not set(frauds.unique()) & set(usual)
