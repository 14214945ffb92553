"""Line charts as SVG files that need nothing else: linear or logarithmic axes, a line per series, its name at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

WIDTH, HEIGHT = 860, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 44, 52
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a")
TICKS = 7
#: names at the ends of lines are kept this far apart
NAME_PX = 15.0


class Series(NamedTuple):
    """Points of one line, in the order of x."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


class Axis(NamedTuple):
    """What an axis says. A logarithmic one leaves out what is not above zero."""

    title: str
    log: bool = False


class Chart(NamedTuple):
    """One picture."""

    title: str
    x: Axis
    y: Axis
    lines: Sequence[Series]


def write_charts(charts: dict[str, Chart], directory: Path) -> list[str]:
    """Write `<name>.svg` for each; the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}.svg" for name in charts]
    for path, chart in zip(paths, charts.values(), strict=True):
        path.write_text(svg(chart), encoding="utf-8")
    return [str(path) for path in paths]


def svg(chart: Chart) -> str:
    """The picture as text."""
    lines = [_drawable(line, chart) for line in chart.lines]
    xs, ys = [x for line in lines for x in line.xs], [y for line in lines for y in line.ys]
    x_low, x_high = _limits(xs, log=chart.x.log)
    y_low, y_high = _limits(ys, log=chart.y.log)
    across = _scale(x_low, x_high, LEFT, WIDTH - RIGHT, log=chart.x.log)
    up = _scale(y_low, y_high, HEIGHT - BOTTOM, TOP, log=chart.y.log)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#24292f">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 24, chart.title, "start", 'font-size="15" font-weight="bold"'),
        *(_grid_line(LEFT, up(y), WIDTH - RIGHT, up(y)) for y in ticks(y_low, y_high, log=chart.y.log)),
        *(_text(LEFT - 8, up(y) + 4, _number(y), "end") for y in ticks(y_low, y_high, log=chart.y.log)),
        *(_text(across(x), HEIGHT - BOTTOM + 18, _number(x), "middle") for x in ticks(x_low, x_high, log=chart.x.log)),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, chart.x.title, "middle"),
        _text(16, (TOP + HEIGHT - BOTTOM) / 2, chart.y.title, "middle", f'transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2})"'),
        *_drawn(lines, across, up),
        "</svg>\n",
    ]
    return "\n".join(parts)


def ticks(low: float, high: float, *, log: bool) -> list[float]:
    """Round numbers within the limits, a handful."""
    if log:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        steps = (1, 2, 5) if len(decades) <= 3 else (1,)
        found = [step * 10.0**decade for decade in decades for step in steps]
    else:
        rough = (high - low) / TICKS
        unit = 10 ** math.floor(math.log10(rough))
        step = next(size * unit for size in (1, 2, 5, 10) if size * unit >= rough)
        found = [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [tick for tick in found if low <= tick <= high]


def _drawable(line: Series, chart: Chart) -> Series:
    kept = [(x, y) for x, y in zip(line.xs, line.ys, strict=True) if (x > 0 or not chart.x.log) and (y > 0 or not chart.y.log)]
    return Series(line.name, [x for x, _ in kept], [y for _, y in kept])


def _limits(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """Linear axes of amounts begin at zero, others and logarithmic ones where the values do."""
    low, high = min(values, default=1.0), max(values, default=10.0)
    if log:
        return (low / 1.1, high * 1.1)
    low = 0.0 if 0 <= low < high / 2 else low
    return (low, high if high > low else low + 1)


def _scale(low: float, high: float, first_px: float, last_px: float, *, log: bool) -> Callable[[float], float]:
    bend: Callable[[float], float] = math.log if log else float
    share = (last_px - first_px) / (bend(high) - bend(low))
    return lambda value: round(first_px + (bend(value) - bend(low)) * share, 1)


def _drawn(lines: Sequence[Series], across: Callable[[float], float], up: Callable[[float], float]) -> Iterator[str]:
    """Lines, and their names where they end."""
    shown = [(line, COLOURS[number % len(COLOURS)]) for number, line in enumerate(lines) if line.xs]
    for (line, colour), name_px in zip(shown, apart([up(line.ys[-1]) + 4 for line, _ in shown]), strict=True):
        points = " ".join(f"{across(x)},{up(y)}" for x, y in zip(line.xs, line.ys, strict=True))
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        yield _text(across(line.xs[-1]) + 6, name_px, line.name, "start", f'fill="{colour}"')


def apart(wanted_px: Sequence[float]) -> list[float]:
    """Places of names, no two nearer than `NAME_PX`: in the upper half of a picture they move down, in the lower half up."""
    places = list(wanted_px)
    order = sorted(range(len(places)), key=places.__getitem__)
    upper = [number for number in order if places[number] < HEIGHT / 2]
    for above, below in pairwise(upper):
        places[below] = max(places[below], places[above] + NAME_PX)
    for below, above in pairwise(reversed(order[len(upper) :])):
        places[above] = min(places[above], places[below] - NAME_PX)
    return places


def _grid_line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#d8dee4"/>'


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _number(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
