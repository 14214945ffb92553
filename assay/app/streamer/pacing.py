"""How fast a world is streamed: as fast as the gate takes it, or its own time run faster. Pure; wall time is an argument."""

from __future__ import annotations

from typing import NamedTuple

#: everything is due
END_OF_TIME = 2**63 - 1


class StreamPace(NamedTuple):
    """Event time `ts_us` was due at wall time `wall_us`, and runs `speedup` times faster from there; 0 is no pacing."""

    ts_us: int
    wall_us: int
    speedup: float

    def due_us(self, wall_us: int) -> int:
        """Rows with a time up to this one are due."""
        if self.speedup <= 0:
            return END_OF_TIME
        return self.ts_us + int(max(0, wall_us - self.wall_us) * self.speedup)

    def wait_us(self, ts_us: int, wall_us: int) -> int:
        """Microseconds until a row of this time is due; 0 when it is."""
        if self.speedup <= 0 or ts_us <= self.due_us(wall_us):
            return 0
        return int((ts_us - self.ts_us) / self.speedup) - (wall_us - self.wall_us) + 1
