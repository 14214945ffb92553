"""Figures of repeated rounds: the middle one and how far they spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float]) -> dict[str, float]:
    """min, median and max, rounded to what such figures can bear."""
    return {"min": _short(min(values)), "median": _short(statistics.median(values)), "max": _short(max(values))}


def _short(value: float) -> float:
    return round(value) if abs(value) >= 100 else round(value, 3)
