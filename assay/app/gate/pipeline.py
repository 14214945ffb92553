"""Two threads admit: one examines, claims and publishes, the other waits, writes receipts and settles. Calls share groups.

While one group waits for the bus the next is examined, and calls that arrive meanwhile are admitted together: round trips are
shared without anybody waiting for company. Groups end in the order they began.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from assay.app.gate.admission import Admissible
from assay.app.gate.arrivals import Arrivals
from assay.app.gate.calls import Call, IngestCall, MarkCall
from assay.app.gate.group import Group
from assay.app.gate.health import Health
from assay.app.gate.index import AdmissionIndex, MarksMoved
from assay.app.gate.index_marks import marks_text
from assay.app.gate.marks import LastMarks, Marks
from assay.app.gate.policy import TOPIC_OF_CLASS
from assay.app.gate.publisher import BusPublisher
from assay.app.gate.records import RecordFramer
from assay.app.gate.settling import Settler
from assay.app.gate.short_forms import Item
from assay.app.metrics import GATE_DECISIONS, GATE_GROUP_ITEMS, GATE_REASONS
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

GROUP_ITEMS = 5_000
GROUPS_AHEAD = 3
BACKLOG_ITEMS = 100_000
REST_AFTER_S = 1.0


class Pipeline:
    """Admits the calls submitted to it. `index` is the claiming thread's own; the settler has another. `halt` is told of a Stop,
    `refused` of the refused items of each call."""

    def __init__(
        self,
        *,
        arrivals: Arrivals,
        index: AdmissionIndex,
        publisher: BusPublisher,
        settler: Settler,
        marks: tuple[LastMarks, Marks],
        health: Health,
        run: tuple[Pins, str],
        clock: Callable[[], int],
        halt: Callable[[Stop], None],
        refused: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._arrivals, self._index, self._publisher = arrivals, index, publisher
        self._settler, (self._last, self._marks), self._health = settler, marks, health
        self._framer = RecordFramer(*run)
        self._clock, self._halt, self._refused = clock, halt, refused
        self._arrived: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        #: groups that are on their way, marks behind them, and numbers of batches whose claims failed
        self._begun: queue.Queue[tuple[Group, list[IngestCall]] | MarkCall | int | None] = queue.Queue(GROUPS_AHEAD)
        self._set_back: list[Call | None] = []
        #: dedupe key → group of every event that is on its way
        self._flights: dict[bytes, Group] = {}
        self._active: set[int] = set()
        self._backlog = 0
        self._backlog_lock = threading.Lock()
        self._taking = threading.Lock()
        self._draining = False
        self._threads = [
            threading.Thread(target=self._begin_all, name="gate-claim", daemon=True),
            threading.Thread(target=self._end_all, name="gate-settle", daemon=True),
        ]

    def start(self) -> None:
        """Begin to admit."""
        for thread in self._threads:
            thread.start()

    def submit(self, call: Call) -> None:
        """Take a call; its `answer` is completed later. Raises Retry(GATE_DRAINING | GATE_OVERLOADED). One thread calls this."""
        with self._taking:  # a call put behind the sentinel of `drain` would never be answered
            self._take(call)

    def _take(self, call: Call) -> None:
        if self._draining:
            raise Retry(Reason.GATE_DRAINING, "the gate is stopping", remedy="Send the same call again when it is back.")
        if self._backlog >= BACKLOG_ITEMS:
            raise Retry(Reason.GATE_OVERLOADED, f"{self._backlog} items are waiting", remedy="Send the same call again, more slowly.")
        if isinstance(call, IngestCall):
            size = len(call.items)
            self._weigh(size)
            call.answer.add_done_callback(lambda _: self._weigh(-size))
        self._arrived.put(call)

    @property
    def active(self) -> set[int]:
        """Batches that are on their way in this process, or whose places it knows and the index does not."""
        return {*tuple(self._active), *self._settler.owed}

    def drain(self) -> None:
        """Take nothing more, finish what was taken, stop the threads."""
        with self._taking:
            self._draining = True
            self._arrived.put(None)
        for thread in self._threads:
            thread.join()

    def _weigh(self, items: int) -> None:
        with self._backlog_lock:
            self._backlog += items

    def _begin_all(self) -> None:
        while (call := self._next()) is not None:
            if isinstance(call, MarkCall):
                self._guarded([call], partial(self._begin_mark, call))
            else:
                calls = [call, *self._companions(len(call.items))]
                self._guarded(calls, partial(self._begin, calls))
        self._begun.put(None)

    def _next(self) -> Call | None:
        return self._set_back.pop() if self._set_back else self._arrived.get()

    def _companions(self, size: int) -> Iterator[IngestCall]:
        """Calls that are waiting already, until a group is full or something else is next."""
        while size < GROUP_ITEMS and not self._arrived.empty():
            following = self._arrived.get()
            if not isinstance(following, IngestCall):
                self._set_back.append(following)
                return
            size += len(following.items)
            yield following

    def _begin_mark(self, call: MarkCall) -> None:
        self._arrivals.refuse_unready()
        self._last.take(call, self._clock())
        self._begun.put(call)

    def _begin(self, calls: list[IngestCall]) -> None:
        GATE_GROUP_ITEMS.observe(sum(len(call.items) for call in calls))
        arrived = [item for call in calls for item in call.items]
        batch, first = self._index.next_batch(len(arrived))
        self._active.add(batch)
        try:
            group = self._claimed(arrived, batch, first)
        except BaseException:
            self._begun.put(batch)  # some may be claimed, and nothing of it was handed to a producer
            raise
        try:
            self._publish(group)
        except BaseException:
            self._active.discard(batch)  # it is lost, and resolved
            raise
        self._flights.update(dict.fromkeys(group.leaders, group))
        self._begun.put((group, calls))

    def _publish(self, group: Group) -> None:
        for event_class, items in group.outgoing().items():
            handle = TOPIC_OF_CLASS[event_class]
            admissible = [item for i in items if isinstance(item := group.examined[i], Admissible)]
            records = self._framer.framed(event_class, admissible, self._publisher.partitions(handle))
            self._publisher.publish(handle, records, group.publication, items)

    def _claimed(self, arrived: Sequence[Item], batch: int, first: int) -> Group:
        """The items examined, and their ids claimed with the marks that they were examined with."""
        while True:
            group = Group(self._arrivals.examine(arrived, self._clock(), first), batch)
            claiming = group.gather(self._flights)
            if not claiming:
                group.weigh({})
                return group
            bounds = self._publisher.bounds({TOPIC_OF_CLASS[item.event_class] for item in claiming})
            try:
                standing = self._index.claim(claiming, batch, bounds, marks_text(self._last.of_classes()))
            except MarksMoved:  # by another process
                self._last.forget()
                continue
            group.weigh(standing)
            again = [(ordinal, claiming[ordinal]) for ordinal in group.again()] if standing else ()
            group.retaken(self._index.retake(again, batch, bounds) if again else ())
            return group

    def _end_all(self) -> None:
        while True:
            try:
                begun = self._begun.get(timeout=REST_AFTER_S)
            except queue.Empty:
                self._settler.rest()
                continue
            if begun is None:
                self._settler.rest()
                return
            if isinstance(begun, int):
                self._settler.abandon(begun)
                self._active.discard(begun)
            elif isinstance(begun, MarkCall):
                self._mark(begun)
            else:
                self._end(*begun)

    def _end(self, group: Group, calls: list[IngestCall]) -> None:
        def settle() -> None:
            GATE_REASONS.add(self._settler.end(group, calls))
            for call in calls:
                GATE_DECISIONS.add(call.answer.result().counts)
                self._refused(call.answer.result().counts["QUARANTINE"])

        if not self._guarded(calls, settle):
            group.publication.places = [None] * len(group.examined)  # nobody may be told of what was not settled
        for key in group.leaders:
            self._flights.pop(key, None)
        self._active.discard(group.batch)

    def _mark(self, call: MarkCall) -> None:
        self._guarded([call], lambda: call.answer.set_result(self._marks.write(call)))

    def _guarded(self, calls: Sequence[Call], work: Callable[[], None]) -> bool:
        """Do the work, or answer its calls with what went wrong; whether it was done."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it was, its calls are told and the next group goes on
            if isinstance(error, AssayError):
                self._health.report(error)
            if isinstance(error, Stop):
                self._halt(error)
            for call in calls:
                if not call.answer.done():
                    call.answer.set_exception(error)
            return False
        return True
