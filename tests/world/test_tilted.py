"""Draws in proportion to lognormal weights of items that lie in order of their weights."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from assay.engine.quantiles import CELLS, interpolated, tilted

NORMAL = NormalDist()


@pytest.mark.parametrize("sigma", ["0.35", "1.0"])
def test_the_table_is_the_normal_distribution_shifted(sigma: str) -> None:
    table = tilted(sigma)
    assert (table[0], table[-1]) == (0.0, 1.0)
    wanted = [NORMAL.cdf(NORMAL.inv_cdf(cell / CELLS) + float(sigma)) for cell in range(1, CELLS)]
    assert np.abs(table[1:-1] - wanted).max() < 2e-9
    assert (np.diff(table) > 0).all()


def test_items_are_drawn_as_often_as_their_weights_say() -> None:
    table, items = tilted("1.0"), 200
    places = np.array([interpolated(table, (draw + 0.5) / 400_000) for draw in range(400_000)])
    drawn = np.bincount(np.minimum((places * items).astype(np.int64), items - 1), minlength=items) / len(places)
    weights = np.exp([NORMAL.inv_cdf((item + 0.5) / items) for item in range(items)])
    inner = slice(10, 190)  # cells at the ends are wide
    assert np.abs(drawn / (weights / np.exp(0.5) / items) - 1)[inner].max() < 0.05
