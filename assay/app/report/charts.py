"""Pictures of a report as rectangles: shapes without text, so that they may be stretched to any width."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from assay.app.report.spread import Alerts, Scores
from assay.app.report.summary import Series
from assay.contracts import instants
from assay.contracts.outcomes import OUTCOMES, Outcome

#: the box of a chart; what is above `BASE` is counted upwards from it, fraud that was missed or found downwards
WIDTH, BASE, BELOW = 600, 120, 50


class Bar(NamedTuple):
    """A rectangle in a chart. `colour` names a colour of the style sheet, `title` is what a pointer on it shows."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    title: str


class Mark(NamedTuple):
    """A threshold: where it stands, its outcome, and its score."""

    x: float
    outcome: str
    score: int


def score_bars(scores: Scores) -> list[Bar]:
    """Bars on a logarithmic scale, in the colour of the outcome that the bin's lowest score has; fraud below the line."""
    step, top = WIDTH / len(scores.counts), math.log1p(max(scores.counts))
    bars = []
    for at, count in enumerate(scores.counts):
        first = scores.first + at * scores.width
        span = f"{first}" if scores.width == 1 else f"{first} to {first + scores.width - 1}"
        frauds = scores.frauds[at] if scores.frauds is not None else 0
        title = f"score {span}: {count:,} decisions" + (f", {frauds:,} fraud" if scores.frauds is not None else "")
        if count:
            bars.append(_up(at, step, math.log1p(count) / top, BASE, outcome_of(first, scores.thresholds), title))
        if frauds:
            bars.append(_down(at, step, math.log1p(frauds) / top, title))
    return bars


def outcome_of(score: int, thresholds: Mapping[str, int]) -> str:
    """The outcome that a policy gives a score."""
    reached = [name for name, lowest in thresholds.items() if score >= lowest]
    return max(reached, key=lambda name: thresholds[name], default=str(Outcome.ALLOW))


def score_marks(scores: Scores) -> list[Mark]:
    """Where the thresholds stand, lowest first."""
    span = len(scores.counts) * scores.width
    ordered = sorted(scores.thresholds.items(), key=lambda item: item[1])
    return [Mark(WIDTH * (lowest - scores.first) / span, name, lowest) for name, lowest in ordered]


def alert_bars(alerts: Alerts) -> list[Bar]:
    """Bars of one outcome on those of another, mildest below; fraud that was allowed hangs below the line."""
    length = len(next(iter(alerts.outcomes.values())))
    step, missed = WIDTH / length, alerts.missed or (0,) * length
    top = max(*map(sum, zip(*alerts.outcomes.values(), strict=True)), *missed, 1)
    bars = []
    for at in range(length):
        began, base = moment(alerts.start_us + at * alerts.width_us, alerts.width_us), float(BASE)
        for name in OUTCOMES[1:]:
            count = alerts.outcomes[str(name)][at]
            if count:
                bars.append(_up(at, step, count / top, base, str(name), f"{began}: {count:,} {name}"))
                base = bars[-1].y
        if missed[at]:
            bars.append(_down(at, step, missed[at] / top, f"{began}: {missed[at]:,} frauds allowed"))
    return bars


def _up(at: int, step: float, share: float, base: float, colour: str, title: str) -> Bar:
    height = (BASE - 4) * share
    return Bar(at * step, base - height, step * 0.9, height, colour, title)


def _down(at: int, step: float, share: float, title: str) -> Bar:
    return Bar(at * step, BASE + 2, step * 0.9, (BELOW - 4) * share, "fraud", title)


def moment(us: int, width_us: int) -> str:
    """A time as fine as a bin is wide. A bin may begin before the first year and end behind the last."""
    text = instants.text(min(max(us, instants.FIRST_US), instants.LAST_US))
    return text[:10] if width_us >= 86_400_000_000 else text[:16].replace("T", " ") if width_us >= 60_000_000 else text[11:19]


def area(series: Series) -> str:
    """An SVG path of counts per bin, in a box of 600 by 100."""
    top = max(series.counts) or 1
    step = WIDTH / len(series.counts)
    heights: Sequence[float] = [98 - 94 * count / top for count in series.counts]
    points = " ".join(f"L{at * step:.1f} {y:.1f} L{(at + 1) * step:.1f} {y:.1f}" for at, y in enumerate(heights))
    return f"M0 99 {points} L600 99 Z"
