"""Instants and durations: RFC 3339 text with exactly six fraction digits at the borders, integer microseconds inside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z")
_WRITTEN: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt](?P<time>(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?P<second>[0-9]{2}))"
    r"(?:\.(?P<fraction>[0-9]+))?(?P<zone>[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_DURATION: Final = re.compile(r"(0|[1-9][0-9]{0,17})(us|ms|s|min|h|d)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
#: the first and the last instant that can be written
FIRST_US: Final = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _US
LAST_US: Final = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - _EPOCH) // _US

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


def read(text: str) -> int:
    """Microseconds since 1970-01-01T00:00:00Z of an instant as RFC 3339 has it: any offset, `t` and `z` in either case, no fraction or
    one of any digits. What is finer than a microsecond is cut off, as in an import.

    Raises Quarantine(TIME_INVALID) for a naive time, a blank in place of `T`, a leap second, or a day that does not exist.
    """
    found = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
    if found and found["second"] == "60":
        what = f"{text!r} is a leap second, which no clock of this product counts"
        raise Quarantine(Reason.TIME_INVALID, what, remedy="Write second 59 of that minute, or second 0 of the next.")
    if found:
        fraction, zone = (found["fraction"] or "").ljust(6, "0")[:6], found["zone"].upper().replace("Z", "+00:00")
        try:
            return (datetime.fromisoformat(f"{found['day']}T{found['time']}.{fraction}{zone}").astimezone(UTC) - _EPOCH) // _US
        except (ValueError, OverflowError):
            pass
    raise Quarantine(
        Reason.TIME_INVALID,
        f"{text!r} is not an instant of RFC 3339",
        remedy="Write date, T, time and offset, as in 2018-04-01T02:00:31+02:00 or 2018-04-01T00:00:31.25Z.",
    )


def text(ts_us: int) -> str:
    """RFC 3339 UTC with six fraction digits; the inverse of `parse` for years 1 to 9999."""
    return (_EPOCH + ts_us * _US).isoformat(timespec="microseconds").replace("+00:00", "Z")


def day_us(day: str) -> int:
    """Microseconds since 1970-01-01T00:00:00Z of the begin of a day in UTC, `2018-04-01`. Raises ValueError."""
    return (datetime.fromisoformat(day).replace(tzinfo=UTC) - _EPOCH) // _US


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
