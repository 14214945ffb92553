"""Between processes and the log: records travel, arrive in the order they were sent, arrive in part, or not at all.

A producer here is one as the product configures it, acks=all and idempotent: what it sends to a partition arrives in order and
once, and after one of its batches was refused the broker refuses those behind it too.
"""

from __future__ import annotations

from collections import defaultdict
from random import Random

from assay.agents.step import TopicPartition
from assay.app.simulation.events import Events
from assay.app.simulation.faults import UnknownProduce
from assay.app.simulation.log import ModelLog
from assay.app.simulation.process import Process, Request
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: the longest way in one direction
WAY_US = 1_000


class Network:
    """Carries requests to the log and answers back."""

    def __init__(self, events: Events, log: ModelLog, random: Random) -> None:
        self._events = events
        self._log = log
        self._random = random
        self._arrival_us: dict[tuple[int, TopicPartition], int] = defaultdict(int)
        self._under_way: dict[int, list[Request]] = defaultdict(list)

    def send(self, request: Request) -> None:
        """Take records; they arrive behind what the same process sent to the same partition before."""
        line = (request.process.number, request.tp)
        self._arrival_us[line] = max(self._arrival_us[line], self._events.now_us + self._way_us(request.process))
        self._under_way[request.process.number].append(request)
        self._events.after(self._arrival_us[line] - self._events.now_us, lambda: request.process.outlives(lambda: self._arrive(request)))

    def cut(self, process: Process) -> None:
        """The process has died: what is under way arrives up to some request of each partition."""
        left: dict[TopicPartition, list[Request]] = defaultdict(list)
        for request in self._under_way.pop(process.number, ()):
            left[request.tp].append(request)
        for requests in left.values():
            for request in requests[self._random.randint(0, len(requests)) :]:
                request.lost = True

    def _arrive(self, request: Request) -> None:
        if request.lost:
            return
        process, fault = request.process, request.fault
        if not process.dead:
            self._under_way[process.number].remove(request)
        arrives = fault is None or (isinstance(fault, UnknownProduce) and fault.arrives)
        if request.tp in process.refused or not arrives:
            process.refused.add(request.tp)
            self._fail(request, fault.silent_us if isinstance(fault, UnknownProduce) else 0)
            return
        offset = self._log.extend(request.tp, request.records)
        self._events.moved()
        if fault is None:
            self._events.after(self._way_us(process), lambda: process.inside(lambda: _answer(request, offset)), busy=True)
        else:
            self._fail(request, fault.silent_us if isinstance(fault, UnknownProduce) else 0)

    def _fail(self, request: Request, silent_us: int) -> None:
        error = Stop(Reason.PRODUCE_FAILED, "planted: a record is not known to be written", where=str(request.tp))
        self._events.after(
            silent_us + self._way_us(request.process), lambda: request.process.inside(lambda: _refuse(request, error)), busy=True
        )

    def _way_us(self, process: Process) -> int:
        return process.away_us() + self._random.randint(50, WAY_US)


def _answer(request: Request, offset: int) -> None:
    if not request.answered.done():
        request.answered.set_result(offset)


def _refuse(request: Request, error: Stop) -> None:
    if not request.answered.done():
        request.answered.set_exception(error)
