"""Instants and durations: RFC 3339 text with exactly six fraction digits at the borders, integer microseconds inside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z")
_DURATION: Final = re.compile(r"(0|[1-9][0-9]{0,17})(us|ms|s|min|h|d)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)

#: unit → microseconds, longest first, so that text comes out in the longest unit that fits
UNITS: Final[dict[str, int]] = {"d": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}


def parse(text: str) -> int:
    """Microseconds since 1970-01-01T00:00:00Z of `2018-04-01T00:00:31.000000Z`.

    Raises Quarantine(TIME_INVALID) for a naive time, another zone, another precision or a day that does not exist.
    """
    if isinstance(text, str) and _INSTANT.fullmatch(text):
        try:
            return (datetime.fromisoformat(text) - _EPOCH) // _US
        except ValueError:
            pass
    raise Quarantine(
        Reason.TIME_INVALID,
        f"{text!r} is not an instant",
        remedy="Write UTC with exactly six fraction digits and Z, as in 2018-04-01T00:00:31.000000Z.",
    )


def text(ts_us: int) -> str:
    """RFC 3339 UTC with six fraction digits; the inverse of `parse` for years 1 to 9999."""
    return (_EPOCH + ts_us * _US).strftime("%Y-%m-%dT%H:%M:%S.%fZ").zfill(27)


def duration_us(duration: str) -> int:
    """Microseconds of `7d`, `6h`, `5min`, `30s`, `200ms` or `15us`; raises Stop(DURATION_INVALID) for anything else."""
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None:
        raise Stop(Reason.DURATION_INVALID, f"{duration!r} is not a duration", remedy="Write a whole number and d, h, min, s, ms or us.")
    return int(match[1]) * UNITS[match[2]]


def duration_text(us: int) -> str:
    """The shortest text of a duration: the longest unit that divides it. The inverse of `duration_us`."""
    unit = next(name for name, size in UNITS.items() if us % size == 0 and (us or name == "s"))
    return f"{us // UNITS[unit]}{unit}"
