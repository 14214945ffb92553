"""What the lanes of a run are given to fetch, and when: it comes in lots; faults delay it, mix it and give some of it again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random

from assay.agents.step import TopicPartition
from assay.app.simulation.events import WALL_US, Events
from assay.app.simulation.faults import Delay, Duplicate, Reorder
from assay.app.simulation.log import LoggedRecord, ModelLog
from assay.app.simulation.process import Process

#: what is published while the lanes run comes in lots, and between two of them is at most this long
FEED_PAUSE_US = 400_000


class Feed:
    """Records that are published while the lanes run, in their order, at most `lot_max` at once."""

    def __init__(
        self, events: Events, log: ModelLog, random: Random, records: Sequence[tuple[TopicPartition, LoggedRecord]], lot_max: int
    ) -> None:
        self._events, self._log, self._random = events, log, random
        self._records, self._lot_max = list(records), lot_max
        self._fed = 0

    def publish_lot(self) -> None:
        """Publish some, and the others later."""
        lot = self._records[self._fed : self._fed + self._random.randint(1, self._lot_max)]
        self._fed += len(lot)
        for tp, record in lot:  # by the clock of the gate's machine, which no fault sets
            self._log.append(tp, record._replace(wall_us=WALL_US + self._events.now_us))
        if self._fed < len(self._records):
            self._events.after(self._random.randint(0, FEED_PAUSE_US), self.publish_lot, busy=True)


class Fetching:
    """The inputs of all lanes as the broker hands them out, at most `fetch_max` records at once."""

    def __init__(self, events: Events, random: Random, fetch_max: int) -> None:
        self._events, self._random, self._fetch_max = events, random, fetch_max
        self._hidden_until_us: dict[TopicPartition, int] = defaultdict(int)
        self._repeated: dict[str, int] = {}
        self._shuffled: dict[str, tuple[int, int]] = {}

    def fetches(self, process: Process) -> Iterator[tuple[TopicPartition, int]]:
        """Partitions that a process fetches from now, and how many records at most."""
        lane, now_us = process.lane, self._events.now_us
        if process.away_us():
            return
        tps, (until_us, records_max) = list(lane.tps), self._shuffled.get(lane.name, (0, 0))
        if now_us < until_us:
            self._random.shuffle(tps)
        for tp in tps:
            if self._hidden_until_us[tp] <= now_us:
                if tp[0] in self._repeated:
                    process.again[tp] = self._repeated[tp[0]]
                yield tp, self._random.randint(0, records_max) if now_us < until_us else self._fetch_max

    def disturb(self, fault: Duplicate | Delay | Reorder, process: Process) -> None:
        """A fault happens to the inputs of a process."""
        now_us, lane = self._events.now_us, process.lane
        match fault:
            case Duplicate(records, ""):
                process.again = dict.fromkeys(lane.tps, records)
            case Duplicate(records, handle):
                self._repeated[handle] = records
            case Delay(us, handle):
                for tp in lane.tps:
                    if handle in ("", tp[0]):
                        self._hidden_until_us[tp] = now_us + us
                self._events.after(us, self._events.moved, busy=True)
            case Reorder(records_max, us):
                self._shuffled[lane.name] = (now_us + us if us else 2**62, records_max)
