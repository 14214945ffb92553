"""What is told of rows on their way: figures for `/metrics`, and lines for operators. Neither holds up a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from assay.app.metrics import (
    STREAM_CHECKPOINT,
    STREAM_EVENTS_REFUSED,
    STREAM_EVENTS_SENT,
    STREAM_EVENTS_TAKEN,
    STREAM_IN_FLIGHT,
    STREAM_LAG_ROWS,
    STREAM_LANE_AWAITED,
    STREAM_RETRIES,
)
from assay.app.progress import unseen
from assay.app.streamer.lane_wait import LaneNews
from assay.app.telemetry import Telemetry


class Watch:
    """Who is told; this one tells nobody. `output`: the id of a sequence."""

    def began(self, output: str, position: int, total: int) -> None:
        """A sequence goes on from a position."""

    def sent(self, output: str, events: int, calls: int) -> None:
        """A call with so many events went out; so many calls are on their way."""

    def taken(self, output: str, counts: Mapping[str, int], calls: int, left: int) -> None:
        """A call was answered, with so many events of each decision; so many rows are left."""

    def lag(self, output: str, left: int) -> None:
        """So many rows are left, as a look at their source says."""

    def kept(self, output: str, position: int) -> None:
        """A checkpoint was written."""

    def ended(self, output: str, position: int, *, complete: bool) -> None:
        """Nothing more of a sequence is sent by this process."""

    def retried(self, cause: str) -> None:
        """A call is made again."""

    def lane(self, news: LaneNews) -> None:
        """Another lane holds this one back, or goes on."""


UNWATCHED: Final = Watch()


class Watching(Watch):
    """Tells the metrics of this process, and operators. `run_id`: 32 hex digits; `clock` gives UTC microseconds.

    `lane_command(number)` is the command that starts a lane; `say` is told of lanes in words.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        run_id: str,
        clock: Callable[[], int],
        lane_command: Callable[[int], str] = "--lane {}".format,
        say: Callable[[str], object] = unseen,
    ) -> None:
        self._telemetry, self._run_id, self._clock = telemetry, run_id, clock
        self._lane_command, self._told = lane_command, say

    def began(self, output: str, position: int, total: int) -> None:
        """As in `Watch`."""
        STREAM_LAG_ROWS.labels(output).set(total - position)
        self._say("OUTPUT_STARTED", output, position=position, total=total)

    def sent(self, output: str, events: int, calls: int) -> None:
        """As in `Watch`."""
        STREAM_EVENTS_SENT.add_one(events, output)
        STREAM_IN_FLIGHT.labels(output).set(calls)

    def taken(self, output: str, counts: Mapping[str, int], calls: int, left: int) -> None:
        """As in `Watch`."""
        STREAM_EVENTS_TAKEN.add_one(sum(counts.values()), output)
        STREAM_EVENTS_REFUSED.add_one(counts.get("QUARANTINE", 0), output)
        STREAM_IN_FLIGHT.labels(output).set(calls)
        STREAM_LAG_ROWS.labels(output).set(left)
        self._say("BATCH_TAKEN", output, left=left, **counts)

    def lag(self, output: str, left: int) -> None:
        """As in `Watch`."""
        STREAM_LAG_ROWS.labels(output).set(left)

    def kept(self, output: str, position: int) -> None:
        """As in `Watch`."""
        STREAM_CHECKPOINT.labels(output).set(self._clock() / 1_000_000)
        self._say("CHECKPOINT_KEPT", output, position=position)

    def ended(self, output: str, position: int, *, complete: bool) -> None:
        """As in `Watch`."""
        STREAM_IN_FLIGHT.labels(output).set(0)
        self._say("OUTPUT_ENDED", output, position=position, complete=complete)

    def retried(self, cause: str) -> None:
        """As in `Watch`."""
        STREAM_RETRIES.inc()
        self._telemetry.say("CALL_RETRIED", self._run_id, {"cause": cause})

    def lane(self, news: LaneNews) -> None:
        """As in `Watch`."""
        STREAM_LANE_AWAITED.labels(str(news.lane)).set(int(news.waited))
        command = self._lane_command(news.lane)
        if news.waited:
            waiting = "holds back the marks of this lane" if news.marks_only else "this lane waits for its context"
            self._told(f"lane {news.lane} stands still, and {waiting}: {command}")
            self._telemetry.say("LANE_AWAITED", self._run_id, {"lane": news.lane, "command": command})
        else:
            self._told(f"lane {news.lane} goes on")
            self._telemetry.say("LANE_GOES_ON", self._run_id, {"lane": news.lane})

    def _say(self, event_kind: str, output: str, **told: int) -> None:
        self._telemetry.say(event_kind, self._run_id, {"output": output, **told})
