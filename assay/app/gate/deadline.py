"""How long a poster waits for a decision: the gate's own limit, or less where a header says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from assay.contracts.errors import Quarantine
from assay.contracts.limits import DEADLINE_MS_MAX, DEADLINE_MS_MIN
from assay.contracts.reasons import Reason

DEADLINE_HEADER: Final = "X-Deadline-Ms"


def deadline_ms_of(headers: Mapping[str, str]) -> int:
    """Milliseconds from the headers of the call. Raises Quarantine(DEADLINE_INVALID) for no whole number within the limits."""
    given = headers.get(DEADLINE_HEADER)
    if given is None:
        return DEADLINE_MS_MAX
    digits = given.isascii() and given.isdigit() and len(given) <= len(str(DEADLINE_MS_MAX))
    if not digits or not DEADLINE_MS_MIN <= int(given) <= DEADLINE_MS_MAX:
        what = f"{given!r} is no whole number of milliseconds from {DEADLINE_MS_MIN} to {DEADLINE_MS_MAX}"
        remedy = f"Nothing was taken; leave the header out for {DEADLINE_MS_MAX}, or send less."
        raise Quarantine(Reason.DEADLINE_INVALID, what, where=DEADLINE_HEADER, remedy=remedy)
    return int(given)
