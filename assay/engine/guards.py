"""Guards: a state or a reader stops at the first rows that must not exist. Each guard is a pure function over frames."""

from __future__ import annotations

import polars as pl

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_SHOWN = 3
REMEDY = "The segment leaves no flag. This is a fault of the engine or of its parameters; make the world in another folder once corrected."


def trip(name: str, wrong: pl.DataFrame, output_id: str, remedy: str = REMEDY) -> None:
    """Raises Stop(ENGINE_GUARD_TRIPPED) if there is a wrong row; the first ones are named."""
    if len(wrong):
        shown = wrong.head(_SHOWN).iter_rows(named=True)
        first = "; ".join(", ".join(f"{key} {value}" for key, value in row.items()) for row in shown)
        what = f"guard '{name}': {len(wrong):,} rows are wrong, first: {first}"
        raise Stop(Reason.ENGINE_GUARD_TRIPPED, what, where=output_id, remedy=remedy)


def unique(name: str, rows: pl.DataFrame, keys: list[str], output_id: str) -> None:
    """No two rows have equal keys."""
    trip(name, rows.filter(pl.struct(keys).is_duplicated()).select(keys), output_id)


def covered(name: str, rows: pl.DataFrame, by: pl.DataFrame, keys: list[str], output_id: str) -> None:
    """Every row has its partner in `by`."""
    trip(name, rows.join(by, on=keys, how="anti").select(keys), output_id)


def sums_to_one(name: str, rows: pl.DataFrame, group: str, value: str, output_id: str) -> None:
    """The values of each group are non-negative and sum to 1 (within 1e-9)."""
    sums = rows.group_by(group, maintain_order=True).agg(pl.col(value).sum().alias("sum"), pl.col(value).min().alias("least"))
    trip(name, sums.filter(((pl.col("sum") - 1).abs() > 1e-9) | (pl.col("least") < 0) | pl.col("sum").is_nan()), output_id)
