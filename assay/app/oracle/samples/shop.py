"""The file of the tutorial: card payments at four shops in two weeks. It is written down, not drawn: a seed changes nothing.

Two frauds are high amounts at one shop; four are a burst of one card at night.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Final

import polars as pl

from assay.app.oracle.draws import Draws
from assay.app.oracle.samples.written import Sample

_TEXT: Final = (resources.files("assay.app.oracle.samples") / "shop.csv").read_text(encoding="utf-8")
_HEADER, *_LINES = _TEXT.splitlines()


def _columns(draws: Draws, rows: int) -> Sequence[pl.Series]:
    cells = [line.split(",") for line in _LINES[:rows]]
    return [pl.Series(column) for column in zip(*cells, strict=True)]


SHOP: Final = Sample(_HEADER, len(_LINES), _columns, rows_max=len(_LINES))
