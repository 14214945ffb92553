"""A timeline as SVG: decisions per second, the workers' lives as bars, faults as marks. Drawn by hand: no library is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

from chaos.scene import Mark
from chaos.workers import Life

WIDTH, LEFT, RIGHT = 1_000, 110, 30
CHART, BAR, GAP = 160, 16, 6
TOP = 20
STYLE = """
text { font: 11px sans-serif; fill: #333 } .axis { stroke: #999 } .rate { fill: #9ec5e8; stroke: #2b6ca3; stroke-width: 1 }
.standby { fill: #d5d5d5 } .active { fill: #4d9f5c } .frozen { fill: #3c6fb0 } .fault { fill: #d9534f; fill-opacity: .22 }
.mark { stroke: #d9534f; stroke-width: 1.5 } .name { fill: #b02a26 }
"""
#: a mark shorter than this is a line
SPAN_MIN_S = 1.0


def timeline(published_s: Sequence[float], marks: Sequence[Mark], lives: Sequence[Life]) -> str:
    """One picture of a run; all times in seconds since the epoch."""
    edges = [*published_s, *(m.to_s for m in marks), *(life.began_s for life in lives), *(life.ended_s or 0 for life in lives)]
    if not edges:
        return ""
    began_s = min(edge for edge in edges if edge)
    scale = _Scale(began_s, max(1.0, max(edges) - began_s))
    height = TOP + 14 * len(marks) + CHART + 30 + len(lives) * (BAR + GAP)
    chart_top = TOP + 14 * len(marks)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"><style>{STYLE}</style>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *_rate(published_s, scale, chart_top),
        *_faults(marks, scale, chart_top, height),
        *_bars(lives, scale, chart_top + CHART + 30),
        "</svg>",
    ]
    return "\n".join(parts)


class _Scale:
    """Seconds since the epoch to pixels."""

    def __init__(self, began_s: float, span_s: float) -> None:
        self.began_s, self.span_s = began_s, span_s

    def x(self, at_s: float) -> float:
        return round(LEFT + (at_s - self.began_s) / self.span_s * (WIDTH - LEFT - RIGHT), 1)


def _rate(published_s: Sequence[float], scale: _Scale, top: int) -> list[str]:
    """Records per second that reached the decisions' topic, with both axes."""
    per_s = Counter(int(at - scale.began_s) for at in published_s)
    most, bottom = max(per_s.values(), default=1), top + CHART
    points = [f"{scale.x(scale.began_s)},{bottom}"]
    for second in range(int(scale.span_s) + 1):
        y = round(bottom - per_s[second] / most * (CHART - 10), 1)
        points += [f"{scale.x(scale.began_s + at)},{y}" for at in (second, min(second + 1, scale.span_s))]
    points.append(f"{scale.x(scale.began_s + scale.span_s)},{bottom}")
    step = next(s for s in (5, 10, 30, 60, 300, 600, 3_600) if scale.span_s / s <= 12 or s == 3_600)
    ticks = [
        f'<text x="{scale.x(scale.began_s + at)}" y="{bottom + 14}" text-anchor="middle">{at} s</text>'
        for at in range(0, int(scale.span_s) + 1, step)
    ]
    return [
        f'<polygon class="rate" points="{" ".join(points)}"/>',
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>',
        f'<text x="{LEFT - 6}" y="{top + 14}" text-anchor="end">{most:,} records/s</text>',
        f'<text x="{LEFT - 6}" y="{bottom}" text-anchor="end">0</text>',
        *ticks,
    ]


def _faults(marks: Sequence[Mark], scale: _Scale, top: int, height: int) -> list[str]:
    """A fault is a shaded span, or a line if it is over at once, with its name above."""
    parts = []
    for number, mark in enumerate(marks):
        x, y = scale.x(mark.from_s), TOP + 14 * number
        if mark.to_s - mark.from_s >= SPAN_MIN_S:
            parts.append(f'<rect class="fault" x="{x}" y="{top}" width="{scale.x(mark.to_s) - x:.1f}" height="{height - top}"/>')
        parts.append(f'<line class="mark" x1="{x}" x2="{x}" y1="{y}" y2="{height}"/>')
        end, to = ("end", x - 4) if x > WIDTH / 2 else ("start", x + 4)
        parts.append(f'<text class="name" x="{to}" y="{y + 8}" text-anchor="{end}">{escape(mark.what)}</text>')
    return parts


def _bars(lives: Sequence[Life], scale: _Scale, top: int) -> list[str]:
    """A worker is a grey bar that turns green when it owns the lanes and blue while it is frozen."""
    parts = []
    for number, life in enumerate(lives):
        y, ended_s = top + number * (BAR + GAP), life.ended_s or scale.began_s + scale.span_s
        spans = [("standby", life.began_s, ended_s)]
        if life.active_s is not None:
            spans.append(("active", life.active_s, ended_s))
        spans += [("frozen", a, z) for a, z in life.frozen]
        for style, a, z in spans:
            x = scale.x(a)
            parts.append(f'<rect class="{style}" x="{x}" y="{y}" width="{max(1.0, scale.x(z) - x):.1f}" height="{BAR}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 12}" text-anchor="end">{escape(life.name)}</text>')
        end, to = ("start", scale.x(ended_s) + 3) if scale.x(ended_s) < WIDTH - 160 else ("end", scale.x(ended_s) - 3)
        parts.append(f'<text x="{to}" y="{y + 12}" text-anchor="{end}">{escape(life.end)}</text>')
    return parts
