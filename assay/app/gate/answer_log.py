"""Answers on their way to the bus: one thread writes them, those that wait together, and each is told once the broker has it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, NamedTuple

from assay.app.gate.answer_index import AnswerIndex, Placed
from assay.app.gate.answer_record import RECORD
from assay.app.gate.publication import Publication
from assay.app.gate.publisher import BusPublisher
from assay.app.gate.records import BusRecords
from assay.contracts.errors import AssayError, Retry
from assay.contracts.event_classes import TRAFFIC
from assay.contracts.handles import ANSWERS
from assay.contracts.ids import dedupe_key
from assay.contracts.keys import partition_for
from assay.contracts.reasons import Reason

#: answers written together
TOGETHER_MAX: Final = 1_000
#: answers that are told again without a look into the index
REMEMBERED: Final = 20_000


class _Written(NamedTuple):
    """An answer that is to be written, and who waits for it. `key` is the dedupe key of its payment."""

    key: bytes
    event_id: str
    value: bytes
    stands: Future[bytes]


class AnswerLog:
    """Writes the answers of one run. `publisher` and `index` belong to its thread; `report` is told what it met on the way.

    One of several processes (`shared`) claims each answer before it writes it, and writes what another has claimed. What was told is the
    last record of a payment: who finds an earlier answer behind its own record writes that once more.
    """

    def __init__(
        self,
        publisher: BusPublisher,
        index: AnswerIndex,
        platform_run_id: str,
        report: Callable[[AssayError], object],
        *,
        shared: bool = False,
    ) -> None:
        self._publisher, self._index, self._run, self._report, self._shared = publisher, index, platform_run_id, report, shared
        self._waiting: queue.SimpleQueue[_Written | None] = queue.SimpleQueue()
        self._remembered: dict[str, bytes] = {}
        self._thread = threading.Thread(target=self._write_all, name="gate-answers", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then let go of the connections."""
        self._waiting.put(None)
        self._thread.join()

    def remembered(self, event_id: str) -> bytes | None:
        """The record of an answer of this gate, while it is among the newest."""
        return self._remembered.get(event_id)

    def write(self, event_id: str, value: bytes) -> Future[bytes]:
        """The answer that stands for a payment, once the broker has it: `value`, or an earlier one.

        The future raises Retry(PUBLISH_AMBIGUOUS | BUS_UNAVAILABLE), and of several processes INDEX_UNAVAILABLE, with nothing told.
        """
        stands: Future[bytes] = Future()
        stands.set_running_or_notify_cancel()
        self._waiting.put(_Written(dedupe_key(self._run, TRAFFIC, event_id), event_id, value, stands))
        return stands

    def _write_all(self) -> None:
        while (first := self._waiting.get()) is not None:
            answers, over = [first], False
            while len(answers) < TOGETHER_MAX and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    over = True
                    break
                answers.append(following)
            self._write(answers)
            if over:
                break
        self._publisher.close()
        self._index.close()

    def _write(self, answers: Sequence[_Written]) -> None:
        try:
            if self._shared:
                claimed = self._index.claim_answers({one.key: one.value for one in answers})
                answers = [one._replace(value=claimed[one.key]) for one in answers]
            placed = self._publish(answers)
            standing = self._index_of([one for one in placed if one is not None])
            earlier = [one._replace(value=known) for one in answers if (known := standing.get(one.key, one.value)) != one.value]
            written = self._publish(earlier) if earlier else []
            told = {one.key: place for one, place in zip([*answers, *earlier], [*placed, *written], strict=True)}
            for one in answers:
                place = told[one.key]
                if place is None:
                    one.stands.set_exception(_unacknowledged(one.event_id))
                else:
                    self._tell(one, place.value)
        except Exception as error:  # noqa: BLE001 - whatever it was, who waits is told and the next ones are written
            if isinstance(error, AssayError):
                self._report(error)
            for one in answers:
                if not one.stands.done():
                    one.stands.set_exception(error)

    def _publish(self, answers: Sequence[_Written]) -> list[Placed | None]:
        """Where each landed; None where that is not known."""
        partitions = self._publisher.partitions(ANSWERS)
        keys = [one.event_id.encode() for one in answers]
        records = BusRecords(RECORD, keys, [one.value for one in answers], [partition_for(key, partitions) for key in keys])
        publication = Publication(len(answers))
        self._publisher.publish(ANSWERS, records, publication, range(len(answers)))
        places = self._publisher.wait(publication)
        return [
            None if place is None else Placed(one.key, place.partition, place.offset, one.value)
            for one, place in zip(answers, places, strict=True)
        ]

    def _index_of(self, placed: Sequence[Placed]) -> dict[bytes, bytes]:
        """The earlier answers among these. An index that does not answer takes them from the topic later."""
        try:
            return self._index.add(placed) if placed else {}
        except Retry as away:
            self._report(away)
            return {}

    def _tell(self, one: _Written, value: bytes) -> None:
        self._remembered[one.event_id] = value
        while len(self._remembered) > REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        one.stands.set_result(value)


def _unacknowledged(event_id: str) -> Retry:
    what = f"the bus did not acknowledge the answer to payment {event_id}"
    remedy = "The payment is admitted and will be decided. Send the same call again: it gets an answer and decides nothing twice."
    return Retry(Reason.PUBLISH_AMBIGUOUS, what, where="answer", remedy=remedy)
