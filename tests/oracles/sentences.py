"""What checks say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SHOWN = 3


def some(sentence: str, found: Iterable[object]) -> Iterator[str]:
    """One sentence for all of them, with the first few."""
    listed = sorted(str(one) for one in found)
    if listed:
        more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        yield sentence.format(", ".join(listed[:SHOWN])) + more
