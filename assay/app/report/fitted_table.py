"""A table that keeps every figure whole at any width: columns that may go do, names wrap, and a bar takes what is left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

GAP = 2
NAME_MIN = 12
BAR_MAX, BAR_MIN = 24, 5


class Bars(NamedTuple):
    """Bars at the end of the lines: each row's share of the longest one, 0 to 1, and its colour."""

    shares: Sequence[float]
    colours: Sequence[str]


def fitted(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    may_go: Collection[int] = (),
    bars: Bars | None = None,
) -> Table:
    """A table at most `width` columns wide as long as its figures are.

    The first column holds names and wraps; the others stay on one line. The columns in `may_go` are left out, in their order,
    while even the narrowest name column does not fit.
    """
    longest = [max(len(line[at]) for line in (heads, *rows)) for at in range(len(heads))]
    shown = _shown(longest, width, list(may_go))
    room = width - sum(longest[at] + GAP for at in shown[1:])
    name = max(min(longest[0], room), min(NAME_MIN, longest[0]))
    bar = min(BAR_MAX, room - name - GAP)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
    table.add_column(heads[0], width=name, overflow="fold")
    for at in shown[1:]:
        table.add_column(heads[at], justify="right", no_wrap=True, min_width=longest[at])
    drawn = bars if bars is not None and bar >= BAR_MIN else None
    if drawn is not None:
        table.add_column("", no_wrap=True, width=bar)
    for number, row in enumerate(rows):
        cells: list[Text | str] = [_wrapped(row[0], name), *(row[at] for at in shown[1:])]
        table.add_row(*cells, *((_bar(drawn, number, bar),) if drawn is not None else ()))
    return table


def _shown(longest: Sequence[int], width: int, may_go: list[int]) -> list[int]:
    shown = list(range(len(longest)))
    while may_go and min(NAME_MIN, longest[0]) + sum(longest[at] + GAP for at in shown[1:]) > width:
        shown.remove(may_go.pop(0))
    return shown


def _wrapped(name: str, width: int) -> str:
    """A name broken after underscores or blanks where it can be."""
    lines = [""]
    for piece in name.replace("_", "_\0").replace(" ", " \0").split("\0"):
        if len(lines[-1]) + len(piece.rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _bar(bars: Bars, row: int, room: int) -> Text:
    share = bars.shares[row]
    return Text("█" * max(int(share > 0), round(room * share)), style=bars.colours[row])
