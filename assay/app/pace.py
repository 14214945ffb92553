"""How fast work went on this machine the last time, so that the first second of the next time can say how long it will take.

A small file in the cache directory. It is advice for people only: nothing is computed from it, and without it there are guesses.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Final

from assay.app.settings import Settings

#: things per second, of work that was never measured here
PER_S: Final = {
    "audited": 4_000.0,
    "streamed": 8_000.0,
    "delivered": 8_000.0,
    "recomputed": 30_000.0,
    "decided again": 30_000.0,
    "journal records": 300.0,
    "audit segments": 10.0,
    "checked parts": 2.0,
    "kernels": 1.0,
}
#: seconds of a start that was never measured here
START_S: Final = {"compile kernels, once": 60.0, "start PostgreSQL and Kafka": 12.0, "start gate and worker": 8.0}
#: less work than this says little about its speed: it is over before it has begun
MEASURED_FROM: Final = {"kernels": 20, "audit segments": 5, "checked parts": 2, "journal records": 500}
ROWS_MEASURED_FROM: Final = 10_000


class Pace:
    """What is known of speeds. `file` None remembers nothing."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known = _read(file)

    def per_s(self, title: str) -> float:
        """Things per second that this work is expected to do; 0 if nobody knows."""
        return self._known.get(title) or PER_S.get(title, 0.0)

    def start_s(self, name: str) -> float:
        """Seconds that this start is expected to take; 0 if nobody knows."""
        return self._known.get(name) or START_S.get(name, 0.0)

    def did(self, title: str, things: int, wall_s: float) -> None:
        """Remember the speed of work that ended."""
        if things >= MEASURED_FROM.get(title, ROWS_MEASURED_FROM) and wall_s > 0:
            self._keep(title, things / wall_s)

    def started(self, name: str, wall_s: float) -> None:
        """Remember the seconds of a start."""
        self._keep(name, wall_s)

    def _keep(self, name: str, value: float) -> None:
        if self._file is None:
            return
        self._known = {**_read(self._file), name: round(value, 3)}  # another command may have written meanwhile
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(".draft")
            draft.write_text(json.dumps(self._known, indent=1), encoding="utf-8")
            draft.replace(self._file)


def pace_of(settings: Settings) -> Pace:
    """What this machine remembers."""
    return Pace(settings.cache / "pace.json")


def _read(file: Path | None) -> dict[str, float]:
    """Speeds of a file; none of a file that is damaged or not there."""
    if file is None:
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    items = found.items() if isinstance(found, dict) else ()
    return {str(name): float(value) for name, value in items if isinstance(value, int | float) and 0 < value < float("inf")}
