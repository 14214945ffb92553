"""Pictures of a world as rectangles and paths in boxes of `WIDTH` by `HEIGHT`; text stands beside them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.world.measures import DAY_US
from assay.app.world.words import kind

WIDTH, HEIGHT = 600.0, 120.0
HOURS, DAYS = 24, 7
_BINS, _CAMPAIGN_BINS = 40, 90
#: share of amounts that the scale of a picture leaves out at either end
_OUTSIDE = 0.001
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Cell(NamedTuple):
    """A rectangle; `strength` from 0 to 1 is its opacity, `title` what a pointer on it shows."""

    x: float
    y: float
    width: float
    height: float
    strength: float
    colour: str
    title: str


class Strip(NamedTuple):
    """A named row of cells in a box of `WIDTH` by 10."""

    name: str
    note: str
    cells: list[Cell]


def week(flows: pl.DataFrame) -> list[Strip]:
    """Payments by local hour, a row per weekday."""
    local = pl.from_epoch("local_us", time_unit="us")
    counts = np.zeros((DAYS, HOURS))
    for day, hour, count in flows.group_by(local.dt.weekday().alias("day"), local.dt.hour().alias("hour")).len().iter_rows():
        counts[day - 1, hour] = count
    step, most = WIDTH / HOURS, counts.max()

    def cell(day: int, hour: int) -> Cell:
        count = int(counts[day, hour])
        return Cell(hour * step, 0, step * 0.96, 9, count / most, "bar", f"{hour}:00: {count:,} payments")

    return [Strip(DAY_NAMES[day], f"{int(counts[day].sum()):,}", [cell(day, hour) for hour in range(HOURS)]) for day in range(DAYS)]


def days(flows: pl.DataFrame) -> list[Cell]:
    """Payments of each day above a line at three quarters, frauds below it, each on its own scale."""
    day = flows["ts_us"].to_numpy() // DAY_US
    first, count = int(day.min()), int(day.max() - day.min()) + 1
    whole = np.bincount(day - first, minlength=count)
    fraud = np.bincount(day[flows["is_fraud_truth"].to_numpy()] - first, minlength=count)
    step, base = WIDTH / count, HEIGHT * 0.75
    up = [
        Cell(at * step, base * (1 - n / whole.max()), step * 0.9, base * n / whole.max(), 1, "bar", f"day {at}: {n:,} payments")
        for at, n in enumerate(whole)
    ]
    most = max(int(fraud.max()), 1)
    down = [
        Cell(at * step, base + 2, step * 0.9, (HEIGHT - base - 2) * n / most, 1, "fraud", f"day {at}: {n:,} frauds")
        for at, n in enumerate(fraud)
    ]
    return up + down


def amounts(flows: pl.DataFrame) -> tuple[list[Cell], tuple[float, float]]:
    """Shares of amounts on a logarithmic scale: all payments above the line, frauds below. Gives the cells, and the ends of the scale.

    The scale leaves out the few least and greatest amounts: they count in its first and last cell.
    """
    values, truth = flows["amount"].to_numpy(), flows["is_fraud_truth"].to_numpy()
    ends = np.quantile(values, (_OUTSIDE, 1 - _OUTSIDE))
    if truth.any():
        ends = np.array([min(ends[0], np.quantile(values[truth], 10 * _OUTSIDE)), ends[1]])
    low = _round_below(max(float(ends[0]), 0.01))
    high = max(float(ends[1]), 2 * low)
    logarithms = np.log10(np.clip(values, low, high))
    edges = np.linspace(np.log10(low), np.log10(high), _BINS + 1)
    return _mirrored(logarithms, logarithms[truth], edges, "amount"), (low, high)


def _round_below(value: float) -> float:
    """The greatest of 1, 2 and 5 times a power of ten that is not above a value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step * power for step in (1, 2, 5) if step * power <= value))


def delays(openings: pl.DataFrame) -> list[Strip]:
    """How long detections, disputes and chargebacks take: a row of days each, as dark as there are many."""
    strips = []
    for name, until, since in (
        ("detected", "detected_us", "opened_us"),
        ("disputed", "disputed_us", "opened_us"),
        ("charged back", "charged_back_us", "disputed_us"),
    ):
        rows = openings.filter((pl.col(until) >= 0) & (pl.col(since) >= 0))
        took = (rows[until] - rows[since]).to_numpy() / DAY_US
        counts = np.histogram(took, bins=_BINS, range=(0, 40))[0]
        strips.append(Strip(name, f"{len(took):,}, median {np.median(took) if len(took) else 0:.1f} days", _row(counts, "fraud", "day")))
    return strips


def campaigns(flows: pl.DataFrame) -> list[Strip]:
    """When each campaign ran: a row of days each, as dark as it had payments."""
    times = flows["ts_us"].to_numpy()
    span = int(times.min()), int(times.max()) + 1
    found = []
    for (subtype, campaign), rows in flows.filter(pl.col("campaign_id").is_not_null()).group_by("subtype", "campaign_id"):
        theirs = rows["ts_us"].to_numpy()
        counts = np.histogram(theirs, bins=_CAMPAIGN_BINS, range=span)[0]
        strip = Strip(kind(str(subtype)), f"{str(campaign)[:8]} · {len(rows):,} payments", _row(counts, "fraud", "part"))
        found.append((str(subtype), int(theirs.min()), str(campaign), strip))
    return [strip for *_, strip in sorted(found, key=lambda one: one[:3])]


def ranks(counts: NDArray[Any]) -> str:
    """A path of counts by rank, both on logarithmic scales: a straight line is a power law."""
    ordered = np.sort(np.asarray(counts, np.float64))[::-1]
    chosen = np.unique(np.geomspace(1, len(ordered), 120).astype(np.int64)) - 1
    x = np.log(chosen + 1) / max(np.log(len(ordered)), 1e-9) * WIDTH
    y = (HEIGHT - 4) * (1 - np.log(np.maximum(ordered[chosen], 1)) / max(np.log(max(ordered[0], 2)), 1e-9)) + 2
    return "M" + " L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def _mirrored(above: NDArray[Any], below: NDArray[Any], edges: NDArray[Any], what: str) -> list[Cell]:
    base, step, cells = HEIGHT / 2, WIDTH / (len(edges) - 1), []
    for values, sign, colour in ((above, -1, "bar"), (below, 1, "fraud")):
        counts = np.histogram(values, bins=edges)[0]
        for at, count in enumerate(counts):
            height = (base - 4) * count / max(int(counts.max()), 1)
            y = base - height if sign < 0 else base
            cells.append(Cell(at * step, y, step * 0.94, height, 1, colour, f"{what} from {10 ** edges[at]:,.2f}: {count:,}"))
    return cells


def _row(counts: NDArray[Any], colour: str, unit: str) -> list[Cell]:
    step, most = WIDTH / len(counts), max(int(counts.max()), 1)
    return [Cell(at * step, 0, step * 0.96, 9, float(n / most) ** 0.5, colour, f"{unit} {at}: {n:,}") for at, n in enumerate(counts) if n]
