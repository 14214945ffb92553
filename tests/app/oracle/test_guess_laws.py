"""Laws of the guess, for any columns: it ends, its text is YAML that says what its lines say, and its answers complete it."""

from __future__ import annotations

from typing import Any

import polars as pl
import yaml
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.oracle.guess.document import document
from assay.app.oracle.guess.guessing import guess
from assay.app.oracle.guess.leaves import Guess, said
from assay.app.oracle.guess.sample import sample_of
from assay.app.oracle.mapping import TODO, parse_mapping
from assay.contracts.errors import AssayError

PARTS = [
    "id",
    "time",
    "amount",
    "currency",
    "card",
    "is_fraud",
    "date",
    "type",
    "yes",
    "null",
    "1",
    "a: b",
    "#x",
    "[",
    "{",
    "*",
    "'",
    '"',
    "é",
    TODO,
]
NAMES = st.one_of(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map(" ".join), st.text(min_size=1, max_size=12))
TEXTS = [
    "0",
    "1",
    "1.50",
    "-3",
    "1,5",
    "1.000",
    "$4",
    "EUR",
    "usd",
    "yes",
    "No",
    "NULL",
    " x ",
    "2024-02-01",
    "2024-02-01 10:00:00",
    "01/02/2024",
    "a b",
]
VALUES = st.one_of(
    st.lists(st.one_of(st.none(), st.sampled_from(TEXTS), st.text(max_size=6)), min_size=5, max_size=5),
    st.lists(st.one_of(st.none(), st.integers(-5, 2**40)), min_size=5, max_size=5),
    st.lists(st.one_of(st.none(), st.floats(allow_infinity=True)), min_size=5, max_size=5),
    st.lists(st.datetimes(), min_size=5, max_size=5),
    st.lists(st.dates(), min_size=5, max_size=5),
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.lists(st.lists(st.integers(0, 3), max_size=2), min_size=5, max_size=5),
)
ANSWERS = {
    "time.column": "t",
    "time.zone": "UTC",
    "time.unit": "h",
    "time.origin": "2024-01-01T00:00:00Z",
    "time.format": "%d/%m/%Y",
    "truth.time.format": "%d/%m/%Y",
    "truth.time.zone": "UTC",
    "truth.time.unit": "h",
    "truth.time.origin": "2024-01-01T00:00:00Z",
    "amount.column": "the amount",
    "time.columns": ["date", "time"],
    "amount.sign": "any",
    "amount.unit": "minor",
    "entities.account": "the account",
    "amount.symbol": "k",
    "currency.constant": "EUR",
    "currencies": "EUR",
    "csv.decimal": ".",
    "truth.positive": ["x"],
    "truth.delay": "7d",
}


def value_at(read: dict[str, Any], path: tuple[str, ...]) -> Any:
    """The value at a place of a document."""
    for key in path:
        read = read[key]
    return read


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=6))
@settings(max_examples=drawn(300), deadline=None)
def test_a_guess_of_any_columns_is_yaml_that_its_answers_complete(columns: dict[str, list[Any]]) -> None:
    frame = pl.DataFrame([pl.Series(name, values, strict=False) for name, values in columns.items()])
    found = guess(sample_of(frame, "all 5 rows", []), "any")
    assert {leaf.place for leaf in found.open} <= set(ANSWERS)
    text = document(Guess(said(found.leaves, ANSWERS), found.notes), "guessed")
    read = yaml.safe_load(text)
    for leaf in said(found.leaves, ANSWERS):
        assert value_at(read, leaf.path) == leaf.value
    try:
        parse_mapping(text, "any")
    except AssayError as refusal:
        assert TODO in str(refusal), text  # a column of this name
