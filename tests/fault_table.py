"""Which fault met which boundary of which lane how often, and whether that is often enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from oracles.schedule import LANES, Cell, boundaries, cells

from assay.app.simulation.faults import FAULTS, Planted

WIDTH = 10


def cell_of(planted: Planted) -> Cell:
    """Its place in the table of faults."""
    return Cell(type(planted.fault), planted.lane, planted.boundary)


def times_met(met: Iterable[Planted]) -> Counter[Cell]:
    """How often each cell was met."""
    return Counter(map(cell_of, met))


def met_too_rarely(times: Mapping[Cell, int], times_min: int) -> list[str]:
    """Cells that were met less often than that."""
    return [
        f"{cell.kind.__name__} met {cell.lane} at {cell.boundary} {times.get(cell, 0)} times, wanted are {times_min}"
        for cell in sorted(cells(), key=lambda cell: (cell.lane, cell.boundary, cell.kind.__name__))
        if times.get(cell, 0) < times_min
    ]


def table(times: Mapping[Cell, int]) -> str:
    """One line for each boundary of a lane, one column for each fault."""
    names = [_halves(kind.__name__) for kind in FAULTS]
    lines = [" " * 28 + "".join(name[half].rjust(WIDTH) for name in names) for half in (0, 1)]
    for lane in LANES:
        for boundary in boundaries(lane):
            counts = "".join(f"{times.get(Cell(kind, lane, boundary), 0):>{WIDTH}}" for kind in FAULTS)
            lines.append(f"{lane:6}{boundary:22}{counts}")
    return "\n".join(lines)


def _halves(name: str) -> tuple[str, str]:
    """`FailedProduce` in two lines, a single word in the second."""
    at = next((i for i, letter in enumerate(name) if i and letter.isupper()), 0)
    return name[:at], name[at:]
