"""Lines of text in bytes."""

from __future__ import annotations

import numpy as np

_NEWLINE = 0x0A


def lines_in(data: bytes) -> int:
    """How many lines have an end. Other threads go on meanwhile, as they do not while `bytes.count` looks through megabytes."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == _NEWLINE))
