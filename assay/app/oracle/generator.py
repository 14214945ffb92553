"""Writes a generated file of payments: the same shape, rows and seed give the same rows on every platform."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from assay.app.oracle.handbook_shape import handbook_frame
from assay.app.oracle.transfers_shape import transfers_frame
from assay.app.stores.full import naming_full
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: shape → (rows, seed) → frame; each shape has a shipped mapping of the same name
SHAPES: dict[str, Callable[[int, int], pl.DataFrame]] = {"handbook": handbook_frame, "transfers": transfers_frame}


def generate(shape: str, rows: int, seed: int, out: Path) -> pl.DataFrame:
    """Write `rows` payments to a .parquet or .csv file and give them back.

    Raises Stop(GENERATOR_REQUEST_INVALID) for an unknown shape, no rows or another kind of file.
    """
    problems = {
        f"there is no shape '{shape}'": shape not in SHAPES,
        f"{rows} rows are not a file": rows < 1,
        f"'{out.suffix}' is not a kind of file that can be written": out.suffix not in (".parquet", ".csv"),
    }
    for what, wrong in problems.items():
        if wrong:
            remedy = f"Shapes are {', '.join(sorted(SHAPES))}; write at least one row to a .parquet or .csv file."
            raise Stop(Reason.GENERATOR_REQUEST_INVALID, what, where=str(out), remedy=remedy)
    frame = SHAPES[shape](rows, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    with naming_full(out):
        if out.suffix == ".csv":
            frame.write_csv(out)
        else:
            frame.write_parquet(out)
    return frame
