"""A body of lines: one envelope in JSON per line. A line that cannot be read is refused by itself."""

from __future__ import annotations

from assay.app.gate.body_items import check_count

_BLANKS = b" \t\r"


def lines_of(body: bytes, items_max: int) -> list[bytes]:
    """The lines that hold something, without the blanks around them. Raises Quarantine(BODY_OVER_LIMIT)."""
    lines = [held for line in body.split(b"\n") if (held := line.strip(_BLANKS))]
    check_count(len(lines), items_max)
    return lines
