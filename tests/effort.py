"""How much the usual run tries of a law; `make test-long` tries all. Each run draws other examples, so many runs add up."""

from __future__ import annotations

import os
from typing import Any

import pytest

WHOLE = os.environ.get("TEST_EFFORT") == "whole"


def drawn(number: int) -> int:
    """How many examples of a law are drawn: `number` in the whole, a fifth in the usual run."""
    return number if WHOLE else max(6, number // 5)


def seeds(number: int, usual: int = 1) -> list[Any]:
    """Seeds from 0; those after the first `usual` are `long`."""
    return [*range(usual), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(usual, number))]
