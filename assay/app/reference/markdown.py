"""Markdown of the generated pages: the note at their top, and tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

GENERATED: Final = "<!-- written by `assay contracts docs`; a test compares it with the code -->"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table with one row per tuple of cells."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
