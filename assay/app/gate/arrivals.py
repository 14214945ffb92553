"""Items of a group examined together with what the index knows: times of labelled payments, the run's one currency, the last marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from assay.app.gate.admission import Admissible, Examiner, RefusedEvent, raw_of, without_cards
from assay.app.gate.border import LabelPayload
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.marks import LastMarks, check_mark
from assay.app.gate.plain_examiner import all_made_of, made_of
from assay.app.gate.plain_payments import PlainItem
from assay.app.gate.pseudonyms import Pseudonyms
from assay.app.gate.run_names import RunNames
from assay.app.gate.run_standing import RunStanding
from assay.app.gate.short_forms import LABEL_TYPE, Item, Short
from assay.contracts import instants
from assay.contracts.errors import Quarantine
from assay.contracts.event_classes import LABEL, TRAFFIC
from assay.contracts.ids import dedupe_key
from assay.contracts.reasons import Reason

Examined = Admissible | RefusedEvent
E = TypeVar("E", Examined, Examined | None)


class Arrivals:
    """Examines the items of one run. It belongs to the thread that claims, and so does `index`."""

    def __init__(
        self,
        examiner: Examiner,
        index: AdmissionIndex,
        names: RunNames,
        platform_run_id: str,
        marks: LastMarks,
        standing: Callable[[], RunStanding],
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self._examiner, self._index, self._names, self._run, self._marks = examiner, index, names, platform_run_id, marks
        self._standing, self._pseudonyms = standing, pseudonyms
        self._currency: str | None = None

    def examine(self, items: Sequence[Item], now_us: int, first: int) -> list[Examined]:
        """Every item admissible or refused, in their order. `first` is the number of the first one in order of arrival.

        Where the run pseudonymises ids, tokens stand in their place from here on. A refused item holds no card number in clear.
        Raises Retry(INDEX_UNAVAILABLE | BUS_UNAVAILABLE), Stop(VAULT_KEY_WRONG).
        """
        if self._pseudonyms is not None:
            items = self._pseudonyms.of(items, partial(self._examiner.examine, now_us=now_us, arrived=first))
        found = self._in_scope(self._known(items, now_us, first), items)
        return [self._as_kept(item, given) if isinstance(item, RefusedEvent) else item for item, given in zip(found, items, strict=True)]

    def refuse_unready(self) -> None:
        """Raises Quarantine(RUN_NOT_READY) for a mark of a run that is not READY, Retry(BUS_UNAVAILABLE)."""
        refusal = self._standing().refusal("")
        if refusal is not None:
            raise refusal

    def _as_kept(self, refused: RefusedEvent, given: Item) -> RefusedEvent:
        """A refused item as it may be kept and told. One that was refused before it was examined holds no id any more."""
        without_ids = refused if self._pseudonyms is None or refused is given else self._pseudonyms.kept(refused)
        return without_cards(without_ids)

    def _in_scope(self, examined: list[Examined], items: Sequence[Item]) -> list[Examined]:
        """Refuse what the run's READY does not open the gate for."""
        standing = self._standing()
        types = {item.envelope.event_type for item in examined if isinstance(item, Admissible)}
        closed = {event_type: refusal for event_type in types if (refusal := standing.refusal(event_type)) is not None}
        if not closed:
            return examined
        return [
            _refused(item, closed[item.envelope.event_type], given)
            if isinstance(item, Admissible) and item.envelope.event_type in closed
            else item
            for item, given in zip(examined, items, strict=True)
        ]

    def _known(self, items: Sequence[Item], now_us: int, first: int) -> list[Examined]:
        examined = self._on_time(self._each(items, now_us, first), items)
        if self._names.one_currency:
            examined = [item and self._in_the_currency(item, given) for item, given in zip(examined, items, strict=True)]
        spoken_of = {name for item, given in zip(examined, items, strict=True) if (name := _subject(item, given)) is not None}
        if not spoken_of:
            return [item for item in examined if item is not None]
        times = self._times(spoken_of, examined)
        complete = [self._with_subject(item, items[i], times, now_us, first + i) for i, item in enumerate(examined)]
        return self._on_time(complete, items)

    def _each(self, items: Sequence[Item], now_us: int, first: int) -> list[Examined | None]:
        """Every item by itself, rows of one body together; None for one that waits for the time of its payment."""
        found: list[Examined | None] = []
        while (at := len(found)) < len(items):
            rows = all_made_of(self._examiner, items, at, now_us, first + at)
            if rows:
                found += rows
            else:
                found.append(None if _waits(items[at]) else self._one(items[at], 0, now_us, first + at))
        return found

    def _on_time(self, examined: Sequence[E], items: Sequence[Item]) -> list[E | RefusedEvent]:
        """Refuse what is behind the last mark of its class, unless it was admitted before: then it is a duplicate."""
        marks, late = self._marks.of_classes(), dict[int, Quarantine]()
        for i, item in enumerate(examined):
            if isinstance(item, Admissible) and item.event_class in marks:
                try:
                    check_mark(marks[item.event_class], item.event_class, item.ts_us)
                except Quarantine as refusal:
                    late[i] = refusal
        if not late:
            return list(examined)
        known = self._index.known([item.dedupe_key for i in late if isinstance(item := examined[i], Admissible)])
        return [
            _refused(item, late[i], items[i]) if isinstance(item, Admissible) and i in late and item.dedupe_key not in known else item
            for i, item in enumerate(examined)
        ]

    def _one(self, item: Item, subject_us: int, now_us: int, arrived: int) -> Examined:
        if isinstance(item, RefusedEvent):
            return item
        if isinstance(item, bytes):
            return self._examiner.examine(item, now_us, arrived)
        if isinstance(item, PlainItem):
            return made_of(self._examiner, item, now_us, arrived) or self._examiner.examine(item.raw, now_us, arrived)
        found = self._examiner.examine(item.envelope(subject_us), now_us, arrived)
        if isinstance(found, RefusedEvent):  # told and kept as it was posted
            return msgspec.structs.replace(found, raw=item.raw, where=item.place(found.where))
        found.raw = item.raw
        return found

    def _times(self, payments: Iterable[str], examined: Iterable[Examined | None]) -> dict[str, int | None]:
        """Time of each payment that is known, microseconds: as it was claimed (None by an older version), else as it is in this group.

        Of a generated world: of each event of a flow.
        """
        labelled = self._examiner.policy.labelled
        here: dict[str, int | None] = {}
        for item in examined:
            if isinstance(item, Admissible) and item.event_class == labelled:
                here.setdefault(item.envelope.event_id, item.ts_us)
        keys = {dedupe_key(self._run, labelled, name): name for name in payments}
        return here | {keys[key]: ts_us for key, ts_us in self._index.times(list(keys)).items()}

    def _with_subject(self, item: Examined | None, given: Item, times: dict[str, int | None], now_us: int, arrived: int) -> Examined:
        if isinstance(given, Short) and given.subject is not None and not isinstance(item, RefusedEvent):
            known_us = times.get(given.subject)
            if given.subject not in times or (item is None and known_us is None):
                return _unknown(given, given.subject)
            if item is None and known_us is not None:
                item = self._one(given, known_us, now_us, arrived)
        if isinstance(item, Admissible) and isinstance(item.payload, LabelPayload):
            known_us = times.get(item.payload.subject_event_id)
            if known_us is not None and known_us != instants.parse(item.payload.subject_ts_utc):
                return _of_another_time(item, item.payload, known_us, given)
        assert item is not None
        return item

    def _in_the_currency(self, item: Examined, given: Item) -> Examined:
        """The first payment of a run says in which currency its policy adds amounts."""
        if isinstance(item, RefusedEvent) or item.event_class != TRAFFIC:
            return item
        currency: str = item.payload.currency
        if self._currency is None:
            self._currency = self._index.pin_currency(self._run, currency)
        try:
            self._names.check_pinned(currency, self._currency)
        except Quarantine as refusal:
            return _refused(item, refusal, given)
        return item


def _waits(item: Item) -> bool:
    """Whether the envelope of an item can be made only when the time of its payment is known."""
    return isinstance(item, Short) and item.subject is not None and not item.timed


def _subject(item: Examined | None, given: Item) -> str | None:
    if isinstance(given, Short) and given.subject is not None:
        return given.subject
    if isinstance(item, Admissible) and item.event_class == LABEL:
        named: str = item.payload.subject_event_id
        return named
    return None


def _unknown(given: Short, payment: str) -> RefusedEvent:
    return RefusedEvent(
        given.raw,
        Reason.LABEL_SUBJECT_UNKNOWN,
        f"no payment with the event_id {payment!r} was admitted in this run",
        "$.payment",
        "Post the payment first, or correct the id. A payment of a run begun by an older version needs its payment_ts_utc."
        " A payment beyond the idempotency horizon is forgotten, by lanes, too.",
        given.event_id,
        LABEL_TYPE,
        LABEL,
    )


def _of_another_time(item: Admissible, payload: LabelPayload, known_us: int, given: Item) -> RefusedEvent:
    what = f"the label says that its payment was at {payload.subject_ts_utc}, it was admitted with {instants.text(known_us)}"
    where, remedy = "$.payload.subject_ts_utc", "Send the payment's own time, or name the payment that was meant."
    return _refused(item, Quarantine(Reason.LABEL_SUBJECT_TIME_WRONG, what, where=where, remedy=remedy), given)


def _refused(item: Admissible, refusal: Quarantine, given: Item) -> RefusedEvent:
    where = given.place(refusal.where) if isinstance(given, Short) else refusal.where
    ids = item.envelope.event_id, item.envelope.event_type, item.event_class, item.envelope.ts_utc
    return RefusedEvent(raw_of(item), refusal.reason, refusal.what, where, refusal.remedy, *ids)
