"""The second half of admission: wait for the bus, make receipts durable, settle the index, answer."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

import msgspec

from assay.app.gate.admission import Admissible, RefusedEvent
from assay.app.gate.border import LabelPayload
from assay.app.gate.calls import RETRY, Answer, IngestCall, ItemAnswer
from assay.app.gate.group import PUBLISHED, Group
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.policy import TOPIC_OF_CLASS
from assay.app.gate.publisher import BusPublisher
from assay.app.gate.receipt_lines import NO_LINES, Lines, Placed, lines_of
from assay.app.gate.receipts import ReceiptWriter, actor_json, mismatch
from assay.app.gate.segments import SegmentLog
from assay.app.gate.standing import RecordMetadata, Verdict
from assay.contracts import instants
from assay.contracts.errors import AssayError, Retry, refusal_fields
from assay.contracts.reasons import Reason

#: what a label of each value does
EFFECTS: Final = {
    "FRAUD": "its payment counts as a fraud in the features of later payments, and in reports",
    "LEGIT": "kept for reports; features never take back a fraud that was counted",
}


class Settlement(NamedTuple):
    """The row of a batch; see `AdmissionIndex.settle`."""

    batch: int
    places: Sequence[RecordMetadata | None]
    unknown: int
    refused: bool


@dataclass
class _Owed:
    """Lines and row of a group that are not written yet."""

    quarantine: list[str]
    receipts: Lines
    settlement: Settlement | None


class Settler:
    """Ends admission groups in the order they were begun. Receipts come before the index: a crash between leads to a repeated
    receipt, never to an admission without one."""

    def __init__(
        self,
        index: AdmissionIndex,
        publisher: BusPublisher,
        writer: ReceiptWriter,
        logs: Sequence[SegmentLog],
        clock: Callable[[], int],
        policy_rev: Callable[[], Mapping[str, str]],
    ) -> None:
        self._index = index
        self._publisher = publisher
        self._writer = writer
        self._receipts, self._quarantine = logs
        self._clock, self._policy_rev = clock, policy_rev
        self._owed = deque[_Owed]()

    def end(self, group: Group, calls: Sequence[IngestCall]) -> Counter[str]:
        """Bring a group to its end and answer its calls; the reasons met, counted. Raises Retry, with nothing answered."""
        self._publisher.wait(group.publication)
        places = group.landed()
        for event_class, items in group.outgoing().items():
            self._publisher.reached(TOPIC_OF_CLASS[event_class], [group.publication.places[i] for i in items])
        self._writer.under(self._policy_rev())
        outcomes = _Outcomes(group, self._writer, instants.text(self._clock()), calls)
        settlement = None
        if group.published():
            unknown = group.unknown()
            settlement = Settlement(group.batch, places, unknown, refused=0 < unknown == group.publication.refused)
        self._owed.append(_Owed(outcomes.quarantine, outcomes.receipts, settlement))
        self._pay()
        for call, answer in zip(calls, outcomes.answers, strict=True):
            call.answer.set_result(answer)
        return outcomes.reasons

    def abandon(self, batch: int) -> None:
        """A batch of which nothing was handed to a producer: whoever sends its events again may have them published."""
        self._owed.append(_Owed([], NO_LINES, Settlement(batch, (), unknown=0, refused=True)))
        with suppress(Retry):
            self._pay()

    def rest(self) -> None:
        """Nothing is on its way: what disk or index did not take is written again, and refused items are to become readable."""
        with suppress(Retry):
            self._pay()
        self._quarantine.rest()

    @property
    def owed(self) -> set[int]:
        """Batches whose places are known here and not in the index: it was away, or the disk of receipts was."""
        return {one.settlement.batch for one in tuple(self._owed) if one.settlement is not None}

    def _pay(self) -> None:
        """Write what is owed, the oldest first, each part once. Raises Retry; what was not written stays owed."""
        while self._owed:
            first = self._owed[0]
            self._quarantine.append(first.quarantine)
            first.quarantine = []
            self._receipts.append_whole(*first.receipts)
            first.receipts = NO_LINES
            if first.settlement is not None:
                batch, places, unknown, refused = first.settlement
                self._index.settle(batch, places, unknown, refused=refused)
            self._owed.popleft()


class _Outcomes:
    """Receipt lines, quarantine lines and answers of one group."""

    def __init__(self, group: Group, writer: ReceiptWriter, at: str, calls: Sequence[IngestCall]) -> None:
        self.quarantine: list[str] = []
        self.reasons: Counter[str] = Counter()
        self._group, self._writer, self._at = group, writer, at
        self._refused: list[str] = []
        starts = list(accumulate([len(call.items) for call in calls], initial=0))
        ranges = [range(start, end) for start, end in pairwise(starts)]
        placed = [(i, one) for items, call in zip(ranges, calls, strict=True) for i, one in self._placed(items, actor_json(call.caller))]
        ids, lines = lines_of(writer, [one for _, one in placed], at)
        self._receipts = dict(zip([i for i, _ in placed], ids, strict=True))
        self.answers = [self._answer(items, call) for items, call in zip(ranges, calls, strict=True)]
        self.receipts = lines.and_texts(self._refused)

    def _placed(self, items: range, actor: str) -> Iterator[tuple[int, Placed]]:
        """The events of a call that are on the bus, by the numbers of their items."""
        verdicts, places = self._group.verdicts, self._group.publication.places
        for i in items:
            item, verdict, place = self._group.examined[i], verdicts[i], places[i]
            if place is not None and verdict is not None and verdict is not Verdict.MISMATCH and isinstance(item, Admissible):
                yield i, Placed(item, verdict, place, actor)

    def _answer(self, items: range, call: IngestCall) -> Answer:
        counts: Counter[str] = Counter()
        results: list[ItemAnswer] = []
        retry: AssayError | None = None
        admitted, actor = 0, actor_json(call.caller)
        for i in items:
            item, verdict, place = self._group.examined[i], self._group.verdicts[i], self._group.publication.places[i]
            if isinstance(item, RefusedEvent) or verdict is Verdict.MISMATCH:
                outcome = self._quarantined(item if isinstance(item, RefusedEvent) else mismatch(item), actor)
            elif place is None or verdict is None:
                retry = _unknown(item, verdict)
                outcome = {"event_id": item.envelope.event_id, "admission": RETRY, "reason_codes": [retry.reason.value]}
                outcome |= refusal_fields(retry.reason.value, retry.what, retry.where, retry.remedy)
            else:
                if verdict in PUBLISHED:
                    admitted += 1
                    if call.exceptions_only:
                        continue
                outcome = self._told(item, verdict, self._receipts[i], self._writer.eb_ref(item.event_class, place))
                outcome |= in_short(item) if call.short else {}
            counts[outcome["admission"]] += 1
            self.reasons.update(outcome["reason_codes"])
            results.append(outcome)
        if admitted:
            counts["ADMIT"] = admitted
        return Answer(counts, results, retry)

    def _told(self, item: Admissible, verdict: Verdict, receipt: str, eb_ref: str) -> ItemAnswer:
        admission, reasons = ("ADMIT", []) if verdict in PUBLISHED else ("DUPLICATE", [Reason.DUPLICATE.value])
        outcome = {"event_id": item.envelope.event_id, "admission": admission, "reason_codes": reasons, "receipt_id": receipt}
        return {**outcome, "event_class": item.event_class, "eb_ref": msgspec.Raw(eb_ref.encode())}

    def _quarantined(self, refused: RefusedEvent, actor: str) -> ItemAnswer:
        receipt, line, record = self._writer.quarantined(refused, self._at, actor)
        self._refused.append(line)
        self.quarantine.append(record)
        outcome = {"event_id": refused.event_id, "admission": "QUARANTINE", "reason_codes": [refused.reason.value], "receipt_id": receipt}
        return {**outcome, **refusal_fields(refused.reason.value, refused.detail, refused.where, refused.remedy)}


def in_short(item: Admissible) -> ItemAnswer:
    """What a poster of the short form is told beside: the time that counts, and what a label does."""
    told = {"ts_utc": instants.text(item.ts_us)}
    return {**told, "effect": EFFECTS[item.payload.label]} if isinstance(item.payload, LabelPayload) else told


def _unknown(item: Admissible, verdict: Verdict | None) -> Retry:
    """Why an event cannot be called admitted yet."""
    event_id = item.envelope.event_id
    reason, what, remedy = {
        Verdict.IN_FLIGHT: (
            Reason.ADMISSION_IN_FLIGHT,
            f"event {event_id} is being admitted",
            "Send the same call again: what was admitted comes back as a duplicate.",
        ),
        Verdict.AMBIGUOUS: (
            Reason.ADMISSION_AMBIGUOUS,
            f"nobody knows yet whether event {event_id} is on the bus",
            "The gate looks for it there; send the same call again. An operator settles what it does not find: assay gate resolve.",
        ),
    }.get(
        verdict or Verdict.ADMIT,
        (Reason.PUBLISH_AMBIGUOUS, f"the bus did not acknowledge event {event_id}", "The gate looks for it; send the same call again."),
    )
    return Retry(reason, what, where=item.event_class, remedy=remedy)
