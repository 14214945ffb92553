"""Hooks for Python's reader of JSON: what it takes silently is refused with ValueError."""

from __future__ import annotations

from typing import Any


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of an object (`object_pairs_hook`). Raises ValueError for a key that is given twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def no_number(word: str) -> Any:
    """Raises ValueError for NaN and Infinity (`parse_constant`)."""
    raise ValueError(f"{word} is no number of JSON")
