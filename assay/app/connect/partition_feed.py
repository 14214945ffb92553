"""One partition of a bank's topic through the gate: fetched, mapped, posted in its order, and its position kept behind that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from assay.app.bus.foreign_topic import Fetched
from assay.app.connect.aside import SetAside
from assay.app.connect.batches import Fault, TopicValue, bodies_of, items_of, refused_of
from assay.app.connect.positions import Positions
from assay.app.connect.topic_mapping import TopicMapping
from assay.app.streamer.gate_client import Interrupted
from assay.app.streamer.watch import Watch
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

REFUSED, TOMBSTONE, FILTERED = "QUARANTINE", "tombstone", "filtered"


class Poster(Protocol):
    """What takes calls."""

    async def post(self, path: str, body: bytes) -> dict[str, Any]:
        """The answer to a call that was taken."""


class Reader(Protocol):
    """What gives the records of partitions."""

    async def next(self, partition: int, records_max: int, wait_s: float) -> Fetched:
        """What comes next within so long."""


class FeedOptions(NamedTuple):
    """`refused_max`: records refused one after the other that end the feed, 0 for any number. `keep_s`: seconds between checkpoints."""

    records_max: int = 1_000
    refused_max: int = 100
    keep_s: float = 1.0
    wait_s: float = 0.25


class Route(NamedTuple):
    """What the partitions of a topic share: from its values to the gate. `read` gives the object in a value.

    `wall_us` and `monotonic_s` are clocks; `stopped` says whether no more is to be taken; `moved` is told of progress.
    """

    topic: str
    mapping: TopicMapping
    read: Callable[[bytes], dict[str, Any]]
    gate: Poster
    positions: Positions
    options: FeedOptions
    watch: Watch
    wall_us: Callable[[], int]
    monotonic_s: Callable[[], float]
    stopped: Callable[[], bool]
    moved: Callable[[], None]


class PartitionFeed:
    """Feeds from `offset` on, up to `end` (None: for ever). `offset` grows when everything before was acknowledged or set aside."""

    def __init__(self, partition: int, route: Route, aside: SetAside, offset: int, end: int | None) -> None:
        self.partition, self.offset, self._end = partition, offset, end
        self.counts: Counter[str] = Counter()
        self._route, self._aside = route, aside
        self._kept, self._kept_s = offset, route.monotonic_s()
        self._in_a_row = 0
        self._name = f"{route.topic}-{partition}"

    @property
    def ended(self) -> bool:
        """Whether everything up to the end was taken."""
        return self._end is not None and self.offset >= self._end

    async def run(self, reader: Reader) -> None:
        """Feed until the end, or until it is told to stop: then what was taken is finished and kept.

        Raises what `reader` and the gate raise, and Stop(RECORDS_REFUSED); what was acknowledged before is kept then, too.
        """
        options = self._route.options
        try:
            while not self.ended and not self._route.stopped():
                fetched = await reader.next(self.partition, options.records_max, options.wait_s)
                records = [TopicValue(*one) for one in fetched.records if self._end is None or one[0] < self._end]
                if records:
                    await self._feed(records)
                self.offset = fetched.following if self._end is None else min(fetched.following, max(self._end, self.offset))
                self._route.moved()
                if self._route.monotonic_s() - self._kept_s >= options.keep_s:
                    self._keep()
        except Interrupted:
            pass
        finally:
            self._keep()
            self._route.watch.ended(self._name, self.offset, complete=self.ended)

    async def _feed(self, records: Sequence[TopicValue]) -> None:
        route = self._route
        items = items_of(records, route.mapping, route.read, self.partition, route.wall_us())
        faults, counts = list(items.faults), Counter({TOMBSTONE: items.tombstones, FILTERED: items.filtered, REFUSED: len(items.faults)})
        for body in bodies_of(items.rows, route.options.records_max):
            route.watch.sent(self._name, len(body.ids), 1)
            answer = await route.gate.post(route.mapping.path, body.data)
            faults += refused_of(body, answer)
            counts.update(answer["counts"])
        faults = [fault.without_cards() for fault in faults]
        self._refuse_in_a_row(records, faults)
        values = dict(records)
        for fault in faults:
            self._aside.add(fault, values[fault.offset])
        self.counts += counts
        taken = {name: count for name, count in counts.items() if name not in (TOMBSTONE, FILTERED)}
        route.watch.taken(self._name, taken, 0, 0)

    def _refuse_in_a_row(self, records: Sequence[TopicValue], faults: Sequence[Fault]) -> None:
        """Raises Stop(RECORDS_REFUSED) before the records of this batch are set aside: a corrected mapping takes them again."""
        at = {fault.offset: fault for fault in faults}
        for record in records:
            self._in_a_row = self._in_a_row + 1 if record.offset in at else 0
            if self._in_a_row and self._in_a_row == self._route.options.refused_max:
                fault, place = at[record.offset], f"{self._name}@{record.offset}"
                what = f"{self._in_a_row:,} records were refused one after the other, the last at {place} ({fault.where}): {fault.error}"
                remedy = f"{fault.remedy} Then run the same command again; --refused-max says how many may be refused, 0 for any number."
                raise Stop(Reason.RECORDS_REFUSED, f"{what}: {fault.detail}", where=place, remedy=remedy)

    def _keep(self) -> None:
        """What was set aside is durable before the position that is behind it."""
        self._kept_s = self._route.monotonic_s()
        if self.offset > self._kept:
            self._aside.flush()
            self._route.positions.save(self.partition, self.offset)
            self._kept = self.offset
            self._route.watch.kept(self._name, self.offset)
