"""Columns of payments in which a guess has few questions, and what it makes of them when some are changed."""

from __future__ import annotations

from typing import Any

import polars as pl
import yaml

from assay.app.oracle.guess.document import document
from assay.app.oracle.guess.guessing import guess
from assay.app.oracle.guess.leaves import Guess, said
from assay.app.oracle.guess.sample import sample_of

ROWS: dict[str, list[Any]] = {
    "payment_id": [f"p{n}" for n in range(12)],
    "paid_at": [f"2024-02-{n + 1:02} 10:00:00" for n in range(12)],
    "amount": [f"{n + 1}.50" for n in range(12)],
    "customer": [f"c{n % 4}" for n in range(12)],
    "is_fraud": [str(int(n == 5)) for n in range(12)],
}


def guess_of(*without: str, **changes: list[Any]) -> Guess:
    """The guess for these columns, some of them changed and some left out."""
    columns = {name: values for name, values in {**ROWS, **changes}.items() if name not in without}
    return guess(sample_of(pl.DataFrame(columns, strict=False), "all 12 rows", []), "small")


def mapping_of(found: Guess, **answers: Any) -> dict[str, Any]:
    """The mapping that the guess writes."""
    read = yaml.safe_load(document(Guess(said(found.leaves, answers), found.notes), "guessed"))
    assert isinstance(read, dict)
    return read
