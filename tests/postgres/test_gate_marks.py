"""What a mark promises holds at the gate: no event behind it is admitted, and no mark is taken that nobody can keep. Real PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
from gate_events import NOW_US, SCOPE, event, raw
from gate_process import mark
from said_ready import OPEN

from assay.app.gate.admission import Admissible, Examiner, RefusedEvent
from assay.app.gate.arrivals import Arrivals
from assay.app.gate.calls import MarkCall
from assay.app.gate.examples import examples_of
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.marks import LastMarks
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.requests import mark_of
from assay.app.gate.run_names import ANY_NAMES
from assay.app.gate.short_forms import Item, label_of, payment_of
from assay.contracts import instants
from assay.contracts.errors import Quarantine
from assay.contracts.limits import EARLIEST
from assay.contracts.reasons import Reason

CLASSES = ("traffic", "context", "label")
RUN = str(SCOPE["platform_run_id"])
PAID_AT = "2018-04-01T00:00:31.000000Z"
PAID_AT_US = instants.parse(PAID_AT)
DAY_US = 86_400_000_000
TOLERANCE_US = 300_000_000
PAYMENT = {"amount_minor": 1, "currency": "EUR", "entities": {"customer": "7"}}


class Opened:
    """A gate's claiming side, as it is after a start."""

    def __init__(self, dsn: str) -> None:
        self.index = AdmissionIndex(dsn)
        self.last = LastMarks(self.index, RUN, TOLERANCE_US)
        self._arrivals = Arrivals(Examiner(shipped_admission_policy(), SCOPE), self.index, ANY_NAMES, RUN, self.last, lambda: OPEN)

    def mark(self, ts_us: int, *classes: str, final: bool = False) -> None:
        call = MarkCall(classes or ("traffic", "context", "label"), ts_us, final)
        self.last.take(call, NOW_US)

    def examine(self, *items: Item) -> list[Any]:
        return self._arrivals.examine(items, NOW_US, 0)

    def reasons(self, *items: Item) -> list[str | None]:
        return [item.reason.value if isinstance(item, RefusedEvent) else None for item in self.examine(*items)]

    def admit(self, *items: Item) -> None:
        taken = [item for item in self.examine(*items) if isinstance(item, Admissible)]
        assert self.index.claim(taken, self.index.next_batch(len(taken))[0]) == {}


@pytest.fixture
def gate(dsn: str) -> Opened:
    return Opened(dsn)


def paid(ts_us: int, event_id: str = "e-1") -> bytes:
    return raw(event(event_id, ts_utc=instants.text(ts_us)))


LATE = Reason.LATE_BEYOND_WATERMARK.value


@pytest.mark.parametrize(("ts_us", "reason"), [(PAID_AT_US - 1, LATE), (PAID_AT_US, None), (PAID_AT_US + 1, None)])
def test_an_event_behind_the_last_mark_of_its_class_is_refused_also_after_a_restart(
    gate: Opened, dsn: str, ts_us: int, reason: str | None
) -> None:
    gate.mark(PAID_AT_US - DAY_US)
    gate.mark(PAID_AT_US, "traffic")
    assert gate.reasons(paid(ts_us), raw(event("c-1", "context_fact", ts_utc=instants.text(ts_us)))) == [reason, None]
    assert Opened(dsn).reasons(paid(ts_us)) == [reason]


def test_a_final_mark_lets_nothing_more_of_its_class_in_whatever_mark_follows(gate: Opened, dsn: str) -> None:
    gate.mark(PAID_AT_US - DAY_US, "traffic", final=True)
    gate.mark(PAID_AT_US, "traffic")
    for one in (gate, Opened(dsn)):
        assert one.reasons(paid(PAID_AT_US + DAY_US), raw(event("l-1", "label_assertion"))) == [LATE, None]


def test_an_event_that_was_admitted_before_the_mark_is_still_a_duplicate(gate: Opened) -> None:
    gate.admit(paid(PAID_AT_US))
    gate.mark(PAID_AT_US + DAY_US)
    assert gate.reasons(paid(PAID_AT_US), paid(PAID_AT_US, "e-2")) == [None, LATE]


def test_a_short_form_behind_a_mark_is_told_in_its_own_words_and_pins_no_currency(gate: Opened) -> None:
    gate.admit(raw(event("e-1")))
    gate.mark(PAID_AT_US + DAY_US)
    body = raw({**PAYMENT, "ts_utc": PAID_AT})
    label = raw({"payment": "e-1", "label": "FRAUD", "known_at": instants.text(PAID_AT_US + DAY_US - 1)})
    first, second = gate.examine(payment_of(body, SCOPE, NOW_US, 0), label_of(label, SCOPE, NOW_US, 0))
    assert [(item.reason, item.where, item.raw) for item in (first, second)] == [
        (Reason.LATE_BEYOND_WATERMARK, "$.ts_utc", body),
        (Reason.LATE_BEYOND_WATERMARK, "$.known_at", label),
    ]
    assert "behind the mark of class traffic: all before 2018-04-02T00:00:31.000000Z" in first.detail
    assert gate.reasons(payment_of(raw(PAYMENT), SCOPE, NOW_US, 0)) == [None]


@pytest.mark.parametrize(
    ("ts_us", "classes", "reason"),
    [
        (NOW_US + TOLERANCE_US, (), None),
        (NOW_US + TOLERANCE_US + 1, (), Reason.TIME_IN_FUTURE),
        (PAID_AT_US, (), None),
        (PAID_AT_US - 1, (), Reason.MARK_BACKWARDS),
        (PAID_AT_US - 1, ("traffic", "context"), None),
    ],
)
def test_a_mark_of_the_future_or_behind_the_last_one_is_refused_and_changes_nothing(
    gate: Opened, ts_us: int, classes: tuple[str, ...], reason: Reason | None
) -> None:
    gate.mark(PAID_AT_US, "label")
    if reason is None:
        gate.mark(ts_us, *classes)
        return
    with pytest.raises(Quarantine) as refused:
        gate.mark(ts_us, *classes)
    assert refused.value.reason is reason
    assert gate.last.of_classes() == {"label": (PAID_AT_US, False)}


def test_the_example_of_a_mark_refuses_nothing(gate: Opened) -> None:
    example = mark_of(raw(examples_of(SCOPE, ("customer",), "EUR", NOW_US)["mark"]), SCOPE, CLASSES)
    assert mark_of(raw(mark(instants.text(example.ts_us))), SCOPE, CLASSES).classes == example.classes
    gate.mark(example.ts_us, *example.classes, final=example.final)
    assert gate.reasons(paid(instants.day_us(EARLIEST)), paid(PAID_AT_US, "e-2")) == [None, None]
