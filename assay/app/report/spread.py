"""How decisions spread: over scores, over event time, and over the ids of entities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.app.report.payments import ENTITY, entities_of
from assay.app.report.share import Share, share
from assay.contracts.outcomes import OUTCOMES, Outcome

SCORE_BINS, TIME_BINS = 40, 60
ENTITIES_SHOWN = 8
#: widths of a bin of time: seconds, minutes, hours, days
_WIDTHS_S = (1, 5, 15, 60, 300, 900, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 86_400, 2 * 86_400, 7 * 86_400, 28 * 86_400)


@dataclass(frozen=True)
class Scores:
    """Decisions per bin of `width` scores, the first bin beginning at `first`; fraud among them, None without labels.

    `thresholds`: outcome → its lowest score.
    """

    first: int
    width: int
    counts: tuple[int, ...]
    frauds: tuple[int, ...] | None
    thresholds: Mapping[str, int]


@dataclass(frozen=True)
class Alerts:
    """Decisions per bin of event time, by outcome other than ALLOW; the fraud that was allowed, None without labels."""

    start_us: int
    width_us: int
    outcomes: Mapping[str, tuple[int, ...]]
    missed: tuple[int, ...] | None


@dataclass(frozen=True)
class EntityAlerts:
    """One id of an entity: its payments, those that were not allowed, and how many of these were fraud (None without labels)."""

    entity: str
    id: str
    payments: int
    alerts: int
    frauds: int | None
    precision: Share | None


def scores_of(frame: pl.DataFrame, policy: Mapping[str, Any], *, known: bool) -> Scores | None:
    """The histogram of scores. Bins begin at multiples of their width, which is 1, 2 or 5 times a power of ten."""
    if frame.is_empty():
        return None
    thresholds = {str(name): int(score) for name, score in policy.get("thresholds", {}).items()}
    low, high = int(frame["score"].min()), int(frame["score"].max())  # type: ignore[arg-type]  # integers
    low, high = min([low, *thresholds.values()]), max([high, *thresholds.values()])
    width = next(
        size for power in range(19) for size in (10**power, 2 * 10**power, 5 * 10**power) if high // size - low // size < SCORE_BINS
    )
    bins = frame["score"].to_numpy() // width - low // width
    length = high // width - low // width + 1
    frauds = _tally(bins[frame["fraud"].to_numpy()], length) if known else None
    return Scores(low // width * width, width, _tally(bins, length), frauds, thresholds)


def alerts_of(frame: pl.DataFrame, *, known: bool) -> Alerts | None:
    """Outcomes other than ALLOW over event time."""
    if frame.is_empty():
        return None
    ts, outcome = frame["ts_us"].to_numpy(), frame["outcome"]
    low, high = int(ts.min()), int(ts.max())
    width = next((w * 1_000_000 for w in _WIDTHS_S if _length(low, high, w * 1_000_000) <= TIME_BINS), (high - low) // TIME_BINS + 1)
    bins, length = ts // width - low // width, _length(low, high, width)
    found = {str(name): _tally(bins[(outcome == name).to_numpy()], length) for name in OUTCOMES if name != Outcome.ALLOW}
    missed = _tally(bins[((outcome == Outcome.ALLOW) & frame["fraud"]).to_numpy()], length) if known else None
    return Alerts(low // width * width, width, found, missed)


def _length(low: int, high: int, width: int) -> int:
    return high // width - low // width + 1


def _tally(bins: np.ndarray[Any, Any], length: int) -> tuple[int, ...]:
    return tuple(int(count) for count in np.bincount(bins, minlength=length))


def entities_with_most_alerts(frame: pl.DataFrame, *, known: bool) -> tuple[EntityAlerts, ...]:
    """Of every entity the ids with most alerts, as many as are listed."""
    alert, fraud = pl.col("outcome") != Outcome.ALLOW, pl.col("fraud")
    found = []
    for entity in entities_of(frame):
        column = f"{ENTITY}{entity}"
        counts = (
            frame.lazy()
            .drop_nulls(column)
            .group_by(column)
            .agg(payments=pl.len(), alerts=alert.sum(), frauds=(alert & fraud).sum())
            .filter(pl.col("alerts") > 0)
            .sort(["alerts", "payments", column], descending=[True, False, False])
            .head(ENTITIES_SHOWN)
            .collect()
        )
        for name, payments, alerts, frauds in counts.iter_rows():
            right = (int(frauds), share(int(frauds), int(alerts))) if known else (None, None)
            found.append(EntityAlerts(entity, str(name), int(payments), int(alerts), *right))
    return tuple(found)
